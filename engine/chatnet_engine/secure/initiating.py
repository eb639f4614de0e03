"""Where open initiations have sent their INITs, and when each attempt there began.

A simultaneous open is decided for a moment after the first INIT, and after one with a cookie, which
shows that INITs arrive there. A later one may go where nothing arrives, while the peer's INITs
arrive here.
"""

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.handshake import Initiation

FIN_ROUND_TRIPS = 1.25
"""A round trip is seldom longer than the last one by more than this factor."""


class Initiating:
    """One attempt an address: the newest."""

    def __init__(self) -> None:
        self._attempts: dict[Addr, tuple[Initiation, float]] = {}
        self._answered: dict[Addr, tuple[Initiation, float]] = {}
        """Attempts that are over, and until when they decide a simultaneous open all the same."""

    def __contains__(self, addr: Addr) -> bool:
        return addr in self._attempts

    def contender(self, addr: Addr, now: float, young_s: float) -> Initiation | None:
        """What an INIT from there crosses: an attempt that began there less than `young_s` ago, or
        one whose FIN the other side may not have had when it sent the INIT."""
        for held, life_s in ((self._attempts, young_s), (self._answered, 0.0)):
            found = held.get(addr)
            if found is not None and now < found[1] + life_s:
                return found[0]
        return None

    def sent(self, initiation: Initiation, addr: Addr, now: float, *, has_cookie: bool) -> None:
        """An INIT leaves for this address."""
        first_at, _ = initiation.addrs.get(addr, (now, now))
        initiation.addrs[addr] = (first_at, now)
        held = self._attempts.get(addr)
        if held is None or held[0] is not initiation or has_cookie:
            self._attempts[addr] = (initiation, now)

    def answered(self, initiation: Initiation, addr: Addr, now: float, most_s: float) -> None:
        """FIN leaves for this address. INITs that come within a round trip left before it arrived:
        within the time since the first INIT, so, and at most `most_s`."""
        answered = self._answered
        took_s = FIN_ROUND_TRIPS * (now - initiation.addrs.get(addr, (now, now))[0])
        answered[addr] = (initiation, now + min(took_s, most_s))
        while answered and next(iter(answered.values()))[1] <= now:
            del answered[next(iter(answered))]

    def drop(self, initiation: Initiation) -> None:
        """It is over; an address may have another by now."""
        for addr in initiation.addrs:
            held = self._attempts.get(addr)
            if held is not None and held[0] is initiation:
                del self._attempts[addr]
