"""Our incarnation towards each key: the first, until a link to that key must not continue.

RESP carries the responder's incarnation before the responder knows who asks. So all keys share the
first one; a key whose link was ended here gets one of its own, and RESP carries that to the last
addresses of the key. If the guess is wrong the handshake is not taken, and the next one is answered
right, since the address is known by then. Links of other keys are not affected.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable

from chatnet_engine.addresses import Addr

MAX_RENEWED = 4096
"""Keys with an incarnation of their own. Beyond that the first one is drawn anew: every link begins
anew at its next handshake, which costs much and breaks nothing."""
MAX_ADDRS = 2
"""Newest addresses at which such a key is expected."""


class Incarnations:
    """Incarnations by key."""

    def __init__(self, first: int, random: Callable[[int], bytes]) -> None:
        self.first = first
        """What a key is given with which no link has been ended here."""
        self._random = random
        self._renewed: dict[bytes, int] = {}
        self._addrs: dict[bytes, OrderedDict[Addr, None]] = {}
        self._keys: dict[Addr, bytes] = {}

    def of(self, key: bytes) -> int:
        """Ours on a link to this key."""
        return self._renewed.get(key, self.first)

    def at(self, addr: Addr) -> int:
        """What a RESP to this address says."""
        key = self._keys.get(addr)
        return self.first if key is None else self.of(key)

    def renew(self, key: bytes, addrs: Iterable[Addr]) -> None:
        """The next handshake with this key makes a new link; it is expected at `addrs`."""
        if key not in self._renewed and len(self._renewed) >= MAX_RENEWED:
            self._renewed.clear()
            self._addrs.clear()
            self._keys.clear()
            self.first = self._draw()
            return
        self._renewed[key] = self._draw()
        for addr in addrs:
            self.expect(key, addr)

    def confirm(self, key: bytes, claimed: int, addr: Addr) -> bool:
        """Whether a RESP with this incarnation was for this key, which has answered from `addr`."""
        self.expect(key, addr)
        return claimed == self.of(key)

    def expect(self, key: bytes, addr: Addr) -> None:
        """This key was at `addr` just now, and no other."""
        addr = (addr[0], addr[1])
        former = self._keys.get(addr)
        if former is not None and former != key:
            del self._keys[addr]
            del self._addrs[former][addr]
        if key not in self._renewed:
            return
        held = self._addrs.setdefault(key, OrderedDict())
        held[addr] = None
        held.move_to_end(addr)
        self._keys[addr] = key
        if len(held) > MAX_ADDRS:
            gone, _ = held.popitem(last=False)
            del self._keys[gone]

    def _draw(self) -> int:
        return int.from_bytes(self._random(8), "big") or 1
