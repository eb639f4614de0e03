"""What a front end imports: find or start an engine, attach to it, mirror its session.

Nothing here is private to ChatNet's own faces, and nothing here knows the engine's insides: the
Qt window, the terminal and a stranger's program use the same few classes.
"""
