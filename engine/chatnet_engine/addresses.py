"""Where a datagram comes from or goes to."""

from typing import TypeAlias

Addr: TypeAlias = tuple[str, int]
"""IP address as text, and port."""
