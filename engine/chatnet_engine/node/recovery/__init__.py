"""Having the history of a conversation back from its peer."""
