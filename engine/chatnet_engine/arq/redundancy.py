"""How many early copies of a small message ride along in later packets.

Policy only: a loss rate in, a count out.
"""

SMALL_MESSAGE_BYTES = 300
"""Larger messages wait for loss detection: copies of them cost more than they save."""
MAX_COPIES = 4
MAX_COPIED_MESSAGES = 64
"""A stream with more unacknowledged messages than this is not thin."""


def copies_wanted(loss_rate: float) -> int:
    """Copies besides the original that a small message deserves: enough that the chance of losing
    all of them is about one in a thousand, none on a line that has not lost anything."""
    if loss_rate < 0.001:
        return 0
    copies = 1
    left = loss_rate * loss_rate
    while left > 0.001 and copies < MAX_COPIES:
        left *= loss_rate
        copies += 1
    return copies
