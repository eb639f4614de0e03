"""How many file descriptors this process may have open: libzmq ends it when there are none left."""

import resource

WANTED = 65536
ENOUGH = 4096
"""Below this a program that opens local connections as fast as it can comes too close."""


def raise_descriptor_limit() -> int:
    """Raise the soft limit as far as useful; the limit that now holds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return WANTED if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def complaint(limit: int) -> str:
    """One sentence when the limit is too low, or empty."""
    if limit >= ENOUGH:
        return ""
    return (
        f"At most {limit} files can be open at once (ulimit -Hn); "
        f"ChatNet wants {ENOUGH:,} or more, because running out of them ends the engine."
    )
