"""What a front end imports: find or start an engine, attach to it, mirror its session.

Nothing here is reserved for ChatNet's own front ends, and nothing here knows the engine's insides:
the Qt window, the terminal and a stranger's program use the same few classes.
"""
