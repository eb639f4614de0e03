"""Version numbers, each counted on its own.

A change that an older reader cannot ignore raises the number; an added optional field does not.
"""

WIRE_VERSION = 1
"""Peer link and file channel. Part of the Noise prologue, so a rollback breaks the handshake."""

IPC_VERSION = 2
"""Local protocol between the engine and its front ends."""

PRODUCT_VERSION = "0.1.0"
