"""The address of one peer: where to send, and how much until it has answered from there.

RFC 9000 sections 8.1, 8.2 and 9.3 in the small: the newest authentic packet moves the address,
three bytes go out per byte come in until the echo of a token returns, and a path that never
validates and falls silent is left for the last one that did. Path is that state; Roaming is the
one of a peer, with the events that come of it.
"""

from collections.abc import Callable, Sequence
from typing import Final

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.events import PathChallengeNeeded, Roamed
from chatnet_engine.secure.local import Local

TOKEN_BYTES: Final = 8


class Path:
    """The present address of a peer and the state of its validation."""

    __slots__ = (
        "_budget_bytes",
        "_challenge_at",
        "_config",
        "_give_up_at",
        "_token",
        "addr",
        "last_validated",
        "settled",
    )

    def __init__(self, addr: Addr, config: SecureConfig) -> None:
        """A validated path: a handshake went there and back."""
        self._config = config
        self._token = b""
        self._budget_bytes = 0
        self._challenge_at = float("inf")
        self._give_up_at = float("inf")
        self.addr = addr
        self.settled: Addr | None = addr
        """The present address if it is validated."""
        self.last_validated = addr

    @property
    def validated(self) -> bool:
        """Whether the peer has answered from the present address."""
        return self.settled is not None

    def settle(self, addr: Addr) -> None:
        """A handshake has validated `addr`."""
        self.addr = self.settled = self.last_validated = addr
        self._challenge_at = self._give_up_at = float("inf")

    def move(self, addr: Addr, size_bytes: int, now: float, random: Callable[[int], bytes]) -> None:
        """The newest packet, of `size_bytes`, came from `addr`."""
        if addr == self.last_validated:
            self.settle(addr)
            return
        self.addr = addr
        self.settled = None
        self._token = random(TOKEN_BYTES)
        self._budget_bytes = self._config.amplification * size_bytes
        self._challenge_at = now
        self._give_up_at = now + self._config.validation_s

    def on_received(self, size_bytes: int, now: float) -> None:
        """An authentic datagram came from the present, not validated address."""
        self._budget_bytes += self._config.amplification * size_bytes
        self._give_up_at = now + self._config.validation_s

    def spend(self, size_bytes: int) -> bool:
        """Whether a datagram of `size_bytes` may go to the present, not validated address."""
        if size_bytes > self._budget_bytes:
            return False
        self._budget_bytes -= size_bytes
        return True

    def take_challenge(self, now: float) -> bytes | None:
        """The token to send, when a challenge is due."""
        if self.validated or now < self._challenge_at:
            return None
        self._challenge_at = now + self._config.challenge_repeat_s
        return self._token

    def echo(self, token: bytes) -> None:
        """The peer returned `token`: the present address is validated if it was sent there."""
        if not self.validated and token == self._token:
            self.settle(self.addr)

    def give_up(self, now: float) -> bool:
        """Falls back to the last validated address when its time is over; True when it did."""
        if self.validated or now < self._give_up_at:
            return False
        self.settle(self.last_validated)
        return True

    def next_timeout(self) -> float:
        """When take_challenge or give_up has something to do; infinity if never."""
        return min(self._challenge_at, self._give_up_at)


class Roaming:
    """Where one peer is, judged by its handshakes and its newest packets."""

    def __init__(self, peer: int, local: Local) -> None:
        self._peer = peer
        self._local = local
        self.highest = -1
        """The highest packet number of the present link."""
        self.path: Path | None = None

    def restart_numbers(self) -> None:
        """A new link: its packet numbers begin anew."""
        self.highest = -1

    def forget(self) -> None:
        """The peer is to be found anew."""
        self.path = None

    def addrs(self) -> list[Addr]:
        """Where to look for the peer besides the typed addresses."""
        path = self.path
        if path is None:
            return []
        return [path.addr, path.last_validated]

    def settle(self, addr: Addr) -> None:
        """A handshake went to `addr` and back."""
        if self.path is None:
            self.path = Path(addr, self._local.config)
        else:
            self.path.settle(addr)

    def settle_among(self, addrs: Sequence[Addr], addr: Addr) -> None:
        """A handshake was answered from `addr`; only the ways to `addrs` are known to work."""
        self.settle(addr if addr in addrs else addrs[0])

    def follow(self, addr: Addr, size_bytes: int, now: float) -> None:
        """The answer may have come from an address we never wrote to: that is to be validated."""
        if self.path is not None and self.path.addr != addr:
            self.move(addr, size_bytes, now)

    def move(self, addr: Addr, size_bytes: int, now: float) -> None:
        """The newest authentic datagram came from `addr`."""
        if self.path is None:
            return
        self.path.move(addr, size_bytes, now, self._local.random)
        self._local.counters.roamed += 1
        self._local.events.append(Roamed(self._peer, addr))
        self.handle_timeout(now)

    def on_received(self, number: int, size_bytes: int, addr: Addr, now: float) -> None:
        """An authentic new packet: only the highest number so far moves the address."""
        path = self.path
        if path is not None:
            if addr != path.addr:
                if number > self.highest:
                    self.move(addr, size_bytes, now)
            else:
                if number > self.highest:
                    path.addr = addr  # with where it came to
                if not path.validated:
                    path.on_received(size_bytes, now)
        if number > self.highest:
            self.highest = number

    def echo(self, token: bytes) -> None:
        """The peer returned a challenge."""
        if self.path is not None:
            self.path.echo(token)

    def allow(self, datagrams: list[bytes]) -> list[bytes]:
        """Those that may go out now."""
        path = self.path
        if path is None or path.validated:
            return datagrams
        allowed = [datagram for datagram in datagrams if path.spend(len(datagram))]
        self._local.counters.dropped_amplification += len(datagrams) - len(allowed)
        return allowed

    def handle_timeout(self, now: float) -> None:
        """Challenge the present address again, or go back to the last one that was validated."""
        path = self.path
        if path is None or path.validated:
            return
        if path.give_up(now):
            self._local.counters.roamed_back += 1
            self._local.events.append(Roamed(self._peer, path.addr))
            return
        token = path.take_challenge(now)
        if token is not None:
            self._local.events.append(PathChallengeNeeded(self._peer, path.addr, token))

    def next_timeout(self) -> float:
        """Infinity if never."""
        return float("inf") if self.path is None else self.path.next_timeout()
