"""A reading of the clocks: what every part of the engine is handed as `now`."""

from typing import NamedTuple


class Now(NamedTuple):
    """One reading of both clocks."""

    mono_s: float
    """Monotonic, counting suspend (CLOCK_BOOTTIME): all deadlines."""
    wall_ms: int
    """Unix time in milliseconds: for people only."""
