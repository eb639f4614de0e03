"""A thin stream of small messages over a simulated line, packet by packet, in virtual time.

The same line for everybody who measures: 25 ms one way, losses both ways from a seed, 100 bytes of
text a message, receipts after a commit. Wire bytes are what IPv4 carries: header, tag, UDP and IP
included.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from chatnet_engine.arq.line import KnownLine
from chatnet_engine.arq.packets import Packet
from chatnet_engine.io.bursts import LossModel, PacketBursts, TimeBursts
from chatnet_protocol.ipc.rows import MessageKind
from chatnet_protocol.limits import DATA_HEADER_BYTES
from chatnet_protocol.wire.messages import Message, encode_message
from simworld.arq_pair import Link, Pair

INTERVAL_S = 0.05
INTERVAL_NOISE_S = 0.005
COMMIT_S = 0.001
DELAY_S = 0.025
START_MS = 1_800_000_000_000
TEXT = b"x" * 100
TAG_BYTES = 16
UDP_IPV4_BYTES = 28

Model = Callable[[Random], LossModel]


class RandomLoss:
    """Each packet is lost with the same chance, whatever became of the ones before."""

    def __init__(self, share: float, generator: Random) -> None:
        self.share = share
        self._random = generator

    def loses(self, now_s: float) -> bool:
        """See `LossModel`."""
        return self._random.random() < self.share


def random_loss(share: float) -> Model:
    """A line for `Stream`."""
    return lambda generator: RandomLoss(share, generator)


def packet_bursts(share: float = 0.1, mean_packets: float = 4) -> Model:
    """A line for `Stream`."""
    return lambda generator: PacketBursts(share, mean_packets, generator)


def time_bursts(share: float = 0.1, mean_s: float = 0.02) -> Model:
    """A line for `Stream`."""
    return lambda generator: TimeBursts(share, mean_s, generator)


def wire_bytes(packet: Packet) -> int:
    """What this packet is on an IPv4 line."""
    return len(packet.payload) + DATA_HEADER_BYTES + TAG_BYTES + UDP_IPV4_BYTES


@dataclass
class Direction:
    """One direction of the line: its loss, and what entered it."""

    link: Link
    model: LossModel
    clock: Callable[[], float]
    packets: int = 0
    bytes: int = 0

    def __post_init__(self) -> None:
        self.link.drop = self.drop

    def drop(self, packet: Packet) -> bool:
        """For `Link`: counts, and decides."""
        self.packets += 1
        self.bytes += wire_bytes(packet)
        return self.model.loses(self.clock())


@dataclass
class Result:
    """What became of the messages that were counted; times in ms."""

    latency_ms: list[float] = field(default_factory=list)
    sent_s: list[float] = field(default_factory=list)
    """When each of them was sent, from the first."""
    packets: float = 0.0
    forward_bytes: float = 0.0
    back_bytes: float = 0.0
    """Per message, all of them."""

    def percentile(self, fraction: float) -> float:
        """The latency that this part of the messages stays below."""
        ordered = sorted(self.latency_ms)
        return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]

    def between(self, start_s: float, end_s: float) -> "Result":
        """Only what was sent then; bytes and packets are not known of it."""
        chosen = [
            (ms, at)
            for ms, at in zip(self.latency_ms, self.sent_s, strict=True)
            if start_s <= at < end_s
        ]
        return Result([ms for ms, _ in chosen], [at for _, at in chosen])


class Stream:
    """A pair with HELLO exchanged on its line, `a` writing to `b`."""

    def __init__(self, model: Model, seed: int, pair: Pair | None = None) -> None:
        self.pair = pair or Pair(seed, delay_s=DELAY_S, commit_s=COMMIT_S)
        self._random = Random(seed)
        pair = self.pair
        self.forward = Direction(pair.ab, model(Random(10 * seed)), lambda: pair.now)
        self.back = Direction(pair.ba, model(Random(10 * seed + 1)), lambda: pair.now)
        pair.run(60.0, lambda: pair.a.greeted and pair.b.greeted)
        self._number = len(pair.b.got_at)

    def settle(self, seconds: float = 1.5) -> None:
        """Nobody writes."""
        self.pair.run(seconds)

    def send(self, count: int, *, at_once: int = 1, interval_s: float = INTERVAL_S) -> Result:
        """Write `count` messages, `at_once` every `interval_s`; until all have arrived."""
        pair, first = self.pair, len(self.pair.b.got_at)
        before = self.forward.packets, self.forward.bytes, self.back.bytes
        start, sent = pair.now, []
        for index in range(count):
            if index % at_once == 0:
                noise = self._random.uniform(-INTERVAL_NOISE_S, INTERVAL_NOISE_S)
                pair.run(max(0.0, start + index // at_once * interval_s + noise - pair.now))
            sent.append(pair.now)
            pair.a.send(0, [self._message()])
        pair.run(30.0, lambda: len(pair.b.got_at) >= first + count)
        got = pair.b.got_at[first : first + count]
        return Result(
            [(at - when) * 1e3 for at, when in zip(got, sent, strict=True)],
            [when - start for when in sent],
            (self.forward.packets - before[0]) / count,
            (self.forward.bytes - before[1]) / count,
            (self.back.bytes - before[2]) / count,
        )

    def _message(self) -> bytes:
        self._number += 1
        sent_ms = START_MS + int(self.pair.now * 1e3)
        tail = Random(self._number).randbytes(10)
        message_id = sent_ms.to_bytes(6) + tail
        return encode_message(Message(MessageKind.TEXT, message_id, self._number, sent_ms, TEXT))


def steady(model: Model, seed: int, count: int, *, at_once: int = 1, rest: bool = True) -> Result:
    """A stream on a fresh link; with `rest`, after it was quiet for a while."""
    stream = Stream(model, seed)
    if rest:
        stream.settle()
    interval_s = INTERVAL_S if at_once == 1 else 1.0
    return stream.send(count, at_once=at_once, interval_s=interval_s)


def measured_lines(model: Model, seed: int) -> tuple[KnownLine, KnownLine]:
    """What both ends of a link know of such a line after 300 messages."""
    stream = Stream(model, seed)
    stream.settle()
    stream.send(300)
    ours, theirs = [end.connection.line.remember() for end in (stream.pair.a, stream.pair.b)]
    assert ours is not None
    assert theirs is not None
    return ours, theirs


def first_on_known_line(
    model: Model, lines: tuple[KnownLine, KnownLine], seed: int, count: int
) -> Result:
    """The first messages of a link whose ends begin with what they know."""
    pair = Pair(seed, delay_s=DELAY_S, commit_s=COMMIT_S)
    for end, known in zip((pair.a, pair.b), lines, strict=True):
        end.connection.line.resume(known)
    return Stream(model, seed, pair).send(count)


def changing(
    shares: tuple[float, ...], seconds: float, seed: int
) -> Iterator[tuple[float, Result]]:
    """A line that loses each of `shares` for `seconds`; with each, how its messages fared and
    how many packets a message took from its third second on."""
    stream = Stream(random_loss(0.0), seed)
    stream.settle()
    models = [stream.forward.model, stream.back.model]
    for share in shares:
        for model in models:
            assert isinstance(model, RandomLoss)
            model.share = share
        early = stream.send(int(2.0 / INTERVAL_S))
        late = stream.send(int((seconds - 2.0) / INTERVAL_S))
        early.sent_s += [2.0 + at for at in late.sent_s]
        early.latency_ms += late.latency_ms
        early.packets = late.packets
        yield share, early
