"""The one reading of the machine's clocks: monotonic with suspend, and wall time for display."""

import time

from chatnet_engine.clock import Now


def read_now() -> Now:
    """CLOCK_BOOTTIME, because deadlines must pass while the machine sleeps, and Unix time."""
    return Now(time.clock_gettime(time.CLOCK_BOOTTIME), time.time_ns() // 1_000_000)
