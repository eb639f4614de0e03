"""Version numbers, each counted on its own.

A change of meaning raises the number; what is added does not. What one side has to know of the
other before it uses an addition of the local protocol has a name, a capability.
"""

import enum

WIRE_VERSION = 1
"""Peer link and file channel. Part of the Noise prologue, so a rollback breaks the handshake."""

IPC_VERSION = 2
"""Local protocol between the engine and its front ends."""

PRODUCT_VERSION = "0.1.0"


class Capability(enum.StrEnum):
    """What front end and engine say of themselves when one attaches to the other."""

    BRIEF = "brief"
    """A client that attaches for one command; an engine that has places for them."""
    REPLIES = "replies"
    """An engine that keeps and sends `SendMessage.reply_to`; one without it would drop it."""
