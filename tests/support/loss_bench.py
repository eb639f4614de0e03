"""Loss recovery with a window and a source that write down what they are told, for its tests."""

from collections.abc import Sequence

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.loss import LossRecovery
from chatnet_engine.arq.packets import NO_SNAPSHOT, DeliveryToken, SentPacket, Snapshot
from chatnet_engine.arq.path_mtu import PathMtu
from chatnet_engine.arq.rtt import RttEstimator
from chatnet_engine.trace import Code

CONFIG = ArqConfig()


class Fates:
    """A source that writes down what it is told."""

    def __init__(self) -> None:
        self.acked: list[int] = []
        self.lost: list[int] = []

    def on_acked(self, token: DeliveryToken) -> None:
        self.acked.append(token[0])

    def on_lost(self, token: DeliveryToken, packet: int) -> None:
        assert token == (packet,)
        self.lost.append(packet)

    def on_probe(self, token: DeliveryToken) -> None:
        raise AssertionError("loss recovery does not choose what a probe carries")


class Window:
    """A congestion controller that writes down what it is told."""

    def __init__(self) -> None:
        self.window_bytes = 10**6
        self.rate_bytes_per_s = self.queue_s = 0.0
        self.state = Code("fixed")
        self.told: list[str] = []
        self.samples: list[float] = []
        self.lost_bytes = self.late_bytes = 0

    def on_sent(self, in_flight_bytes: int, now: float) -> Snapshot:
        return NO_SNAPSHOT

    def on_ack(
        self,
        acked: Sequence[SentPacket],
        sample_s: float | None,
        in_flight_bytes: int,
        now: float,
        used: bool,
    ) -> None:
        if sample_s is not None:
            self.samples.append(sample_s)
        self.told += ["acked"] * len(acked)

    def on_lost(self, size_bytes: int, sent_at: float, now: float) -> None:
        self.lost_bytes += size_bytes
        self.told.append("lost")

    def on_late(self, size_bytes: int) -> None:
        self.late_bytes += size_bytes

    def on_app_limited(self, in_flight_bytes: int) -> None:
        self.told.append("limited")

    def pace(self, rtt_s: float) -> float:
        return 0.0

    def on_spurious(self) -> None:
        self.told.append("spurious")

    def on_persistent(self) -> None:
        self.told.append("persistent")


class LossBench:
    """Packets of 100 bytes by their numbers; a path whose round trip is known, if one is given."""

    def __init__(self, rtt_s: float | None = 0.1) -> None:
        self.rtt = RttEstimator(CONFIG)
        self.window = Window()
        self.fates = Fates()
        size = PathMtu(CONFIG.max_payload_bytes, CONFIG.most_payload_bytes, 0)
        self.loss = LossRecovery(CONFIG, self.rtt, self.window, size)
        if rtt_s is not None:
            for _ in range(100):
                self.rtt.add(rtt_s, 0)

    def send(self, number: int, at: float) -> None:
        """A packet leaves."""
        self.loss.on_sent([SentPacket(number, at, 100, [(self.fates, (number,))])])

    def ack(self, now: float, *ranges: tuple[int, int]) -> None:
        """The peer says that it has these, highest first."""
        self.loss.on_ack(list(ranges), 0.0, now, used=True)


def lost_first(count: int = 5, at: float = 0.0) -> LossBench:
    """The first of `count` packets is believed lost, the others have arrived."""
    bench = LossBench()
    for number in range(count):
        bench.send(number, at)
    bench.ack(at + 0.1, (1, count - 1))
    assert bench.fates.lost == [0]
    return bench
