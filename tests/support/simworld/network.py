"""A simulated network between addresses: every direction with its own line, all from one seed."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from chatnet_engine.addresses import Addr
from simworld.clock import Clock


@dataclass(slots=True)
class Line:
    """What happens to datagrams in one direction; fractions, seconds, bytes."""

    delay_s: float = 0.025
    jitter_s: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_s: float = 0.02
    burst_enter: float = 0.0
    """Chance per packet to fall into a burst in which everything is lost (Gilbert-Elliott)."""
    burst_leave: float = 0.25
    max_bytes: int = 1472
    """Larger datagrams vanish: an Ethernet, or an MTU black hole."""
    cut: bool = False
    in_burst: bool = False


class Network:
    """Carries datagrams between the addresses that listen."""

    def __init__(self, clock: Clock, line: Line | None = None) -> None:
        self.clock = clock
        self.default = line or Line()
        self.lines: dict[tuple[str, str], Line] = {}
        self.counts: Counter[str] = Counter()
        self._listeners: dict[Addr, Callable[[bytes, Addr], None]] = {}
        self._outside: dict[Addr, Addr] = {}
        self._intercepted: dict[tuple[Addr, Addr], Addr] = {}
        self._posing: dict[tuple[Addr, Addr], Addr] = {}
        self.tap: Callable[[bytes, Addr, Addr], None] | None = None
        """Sees every datagram that is sent: (data, source, target)."""

    def listen(self, addr: Addr, receive: Callable[[bytes, Addr], None]) -> None:
        """Datagrams for `addr` go to `receive(data, source)` from now on."""
        self._listeners[addr] = receive

    def silence(self, addr: Addr) -> None:
        """Nobody listens there any more."""
        self._listeners.pop(addr, None)

    def rebind(self, inside: Addr, outside: Addr) -> None:
        """A NAT now shows `inside` as `outside`; what goes to the former one is lost."""
        self._outside[inside] = outside
        self.counts["rebind"] += 1

    def forget_rebindings(self) -> None:
        """Every address is reached as itself again."""
        self._outside.clear()

    def intercept(self, victim: Addr, peer: Addr, by: Addr) -> None:
        """What `victim` sends to `peer` reaches `by`, whose answers seem to come from `peer`."""
        self._intercepted[victim, peer] = by
        self._posing[by, victim] = peer

    def line(self, source: str, target: str) -> Line:
        """The line from host to host; its fields may be changed while running."""
        key = (source, target)
        if key not in self.lines:
            d = self.default
            self.lines[key] = Line(
                d.delay_s, d.jitter_s, d.loss, d.duplicate, d.reorder, d.reorder_s,
                d.burst_enter, d.burst_leave, d.max_bytes, d.cut,
            )  # fmt: skip
        return self.lines[key]

    def send(self, source: Addr, target: Addr, data: bytes) -> None:
        """Put one datagram on the line."""
        random = self.clock.random
        if self.tap is not None:
            self.tap(data, source, target)
        line = self.line(source[0], target[0])
        self.counts["sent"] += 1
        if line.burst_enter:
            chance = line.burst_leave if line.in_burst else line.burst_enter
            if random.random() < chance:
                line.in_burst = not line.in_burst
        if fault := self._fate(line, len(data)):
            self.counts[fault] += 1
            return
        copies = 2 if random.random() < line.duplicate else 1
        self.counts["duplicated"] += copies - 1
        outside = self._posing.get((source, target)) or self._outside.get(source, source)
        target = self._intercepted.get((source, target), target)
        for _ in range(copies):
            delay = line.delay_s + random.uniform(-line.jitter_s, line.jitter_s)
            if random.random() < line.reorder:
                delay += line.reorder_s
                self.counts["reordered"] += 1
            self.clock.after(max(0.0, delay), lambda: self._arrive(outside, target, data))

    def _fate(self, line: Line, size: int) -> str:
        if line.cut:
            return "cut"
        if size > line.max_bytes:
            return "too_big"
        if line.in_burst:
            return "burst"
        return "lost" if self.clock.random.random() < line.loss else ""

    def _arrive(self, source: Addr, target: Addr, data: bytes) -> None:
        for inside, outside in self._outside.items():
            if outside == target:
                target = inside
                break
            if inside == target:
                self.counts["stale_mapping"] += 1
                return
        receive = self._listeners.get(target)
        if receive is None:
            self.counts["nobody"] += 1
        else:
            receive(data, source)
