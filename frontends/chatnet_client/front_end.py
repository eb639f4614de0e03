"""What front ends that stand in for each other agree on."""

OR_TERMINAL = "--or-terminal"
"""Argument of a front end that needs a screen: where it cannot open, the terminal chat takes its
place, as nobody has asked for this one by name."""
