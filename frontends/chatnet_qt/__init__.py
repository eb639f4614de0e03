"""The ChatNet window: a front end like any other, attached to an engine by its connection file."""
