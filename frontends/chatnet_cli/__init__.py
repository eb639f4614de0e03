"""The command line: one verb per deed, a chat for terminals, and lines for pipes."""
