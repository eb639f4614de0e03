"""The memory of this process: how much of it is resident, and how to give back what is free."""

import ctypes
import os

MIB = 1024 * 1024
PAGE_BYTES = os.sysconf("SC_PAGESIZE")


def resident_bytes() -> int:
    """Resident set size; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE_BYTES
    except OSError:
        return 0


def give_back_free_memory() -> None:
    """Return freed memory to the system: glibc keeps what threads freed in their arenas."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
