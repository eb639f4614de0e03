"""What the states of messages are called. Pure."""

STATES = ("waiting", "queued", "sent", "delivered", "shown", "read", "failed")
"""Of an own message, in the order in which it passes through them."""


def state_sentence(state: str, name: str) -> str:
    """How far an own message has come; `name` is what the peer is called. Without a full stop."""
    return {
        "waiting": "Kept in this window until the engine has stored it",
        "queued": "Kept here; sent when the connection allows",
        "sent": "Sent, not delivered yet",
        "delivered": f"Stored on {name}'s computer",
        "shown": f"Shown on {name}'s screen",
        "read": f"Read by {name}",
        "failed": "Not sent",
        "withdrawn": "Withdrawn before it was sent",
    }.get(state, state.capitalize())


def after_words(state: str) -> str:
    """The same in a word or two, below the newest message."""
    return {
        "waiting": "Waiting for the engine",
        "queued": "Waiting for the connection",
        "delivered": "Delivered",
        "shown": "Shown",
        "read": "Read",
    }.get(state, "")
