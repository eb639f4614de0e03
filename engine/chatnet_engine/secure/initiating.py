"""Where open initiations have sent their INITs, and when each attempt there began.

A simultaneous open is decided for a moment after the first INIT, and after one with a cookie, which
shows that INITs arrive there. A later one may go where nothing arrives, while the peer's INITs
arrive here.
"""

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.handshake import Initiation


class Initiating:
    """One attempt an address: the newest."""

    def __init__(self) -> None:
        self._attempts: dict[Addr, tuple[Initiation, float]] = {}

    def __contains__(self, addr: Addr) -> bool:
        return addr in self._attempts

    def get(self, addr: Addr) -> tuple[Initiation, float] | None:
        """The initiation and when its attempt there began, in seconds."""
        return self._attempts.get(addr)

    def sent(self, initiation: Initiation, addr: Addr, now: float, *, has_cookie: bool) -> None:
        """An INIT leaves for this address."""
        if addr not in initiation.addrs:
            initiation.addrs.append(addr)
        held = self._attempts.get(addr)
        if held is None or held[0] is not initiation or has_cookie:
            self._attempts[addr] = (initiation, now)

    def drop(self, initiation: Initiation) -> None:
        """It is over; an address may have another by now."""
        for addr in initiation.addrs:
            held = self._attempts.get(addr)
            if held is not None and held[0] is initiation:
                del self._attempts[addr]
