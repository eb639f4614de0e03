"""Decides from the size of the process whether somebody makes libzmq hold too much.

What libzmq holds for a connection cannot be counted from outside: the parts of a message that
never ends, subscriptions, messages of a second client under a taken identity. It is all freed when
the connection ends, so the process' own growth is the measure, and ending connections the cure.
"""

import enum

from chatnet_protocol.limits import MIB

GROWTH_BYTES = 64 * MIB
"""More than this above the smallest size seen is too much: twice what an engine with 256 peers
and a full ring takes besides."""
TRIM_BYTES = 16 * MIB
"""More than this above it is worth giving free memory back."""
STEP_S = 0.4
"""So long a remedy may take to show."""


class Remedy(enum.Enum):
    """What is to be done now."""

    NOTHING = enum.auto()
    END_BUSY = enum.auto()
    """End the connections that have bytes waiting in either direction."""
    RENEW = enum.auto()
    """End all connections and make the command socket anew: it keeps for ever what a second client
    under a taken identity has sent."""


_STEPS = (Remedy.END_BUSY, Remedy.RENEW)


class MemoryWatch:
    """Fed with the resident size, tells the remedy."""

    def __init__(self) -> None:
        self._quiet_bytes = 0
        self._steps_done = 0
        self._next_step_s = 0.0

    def is_over(self, resident_bytes: int) -> bool:
        """Whether the process has grown by more than GROWTH_BYTES."""
        if not self._quiet_bytes or resident_bytes < self._quiet_bytes:
            self._quiet_bytes = resident_bytes
        return resident_bytes > self._quiet_bytes + GROWTH_BYTES

    def is_grown(self, resident_bytes: int) -> bool:
        """Whether it has grown so that giving back free memory is worth its time."""
        return resident_bytes > self._quiet_bytes + TRIM_BYTES

    def look(self, resident_bytes: int, now_s: float) -> Remedy:
        """The next remedy; each is given time to work before the next."""
        if not self.is_over(resident_bytes):
            self._steps_done = 0
            return Remedy.NOTHING
        if self._steps_done and now_s < self._next_step_s:
            return Remedy.NOTHING
        if self._steps_done == len(_STEPS):
            # Nothing helped, so it is the engine's own.
            self._quiet_bytes = resident_bytes
            self._steps_done = 0
            return Remedy.NOTHING
        self._steps_done += 1
        self._next_step_s = now_s + STEP_S
        return _STEPS[self._steps_done - 1]
