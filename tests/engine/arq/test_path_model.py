"""The model of the path, driven by bare packets over a simulated line: full, and hardly a queue."""

from math import inf

import pytest

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.packets import SentPacket, Snapshot
from chatnet_engine.arq.path_model import LEAST_QUEUE_S, MOST_EXTRA_S, PathModel, Phase
from simworld.bbr import Bbr, Mode
from simworld.clock import Clock
from simworld.flows import Cubic, Link, Paced, QueueProbe, mbit_of, percentile
from simworld.shared_line import MBIT, SharedLine

CONFIG = ArqConfig()
PACKET = CONFIG.max_payload_bytes + CONFIG.datagram_overhead_bytes
SETTLED_S = 3.0


class Bench:
    """One bare flow under the model, and what waits in the queue."""

    def __init__(self, mbit: float = 100, *, loss: float = 0.0, seed: int = 1) -> None:
        self.clock = Clock(seed)
        self.start_s = self.clock.now_s
        self.line = SharedLine(self.clock, mbit=mbit, loss=loss, seed=seed)
        self.back = SharedLine(self.clock, loss=loss, seed=seed + 1000)
        self.model = PathModel(CONFIG)
        self.flow = Paced(self.line, self.back, self.model)
        self.probe = QueueProbe(self.line)
        self.flow.start()

    def run(self, until_s: float) -> None:
        """To this time after the start."""
        self.clock.run(self.start_s + until_s)

    def share(self, since_s: float, until_s: float) -> float:
        """Run; the part of the line that was used in between."""
        self.run(since_s)
        before = self.line.carried_bytes
        self.run(until_s)
        return (self.line.carried_bytes - before) / (until_s - since_s) / self.line.bytes_per_s

    def queue_ms(self, since_s: float, part: float = 0.99) -> float:
        """What a probe waited, from this time after the start on."""
        waits = [wait for at, wait in self.probe.waits_s if at >= self.start_s + since_s]
        return percentile(waits, part) * 1e3


@pytest.mark.parametrize("loss", [0.0, 0.01, 0.03])
def test_a_line_of_its_own_is_full_and_its_queue_short(loss: float) -> None:
    bench = Bench(loss=loss)
    assert bench.share(SETTLED_S, 5.0) >= 0.95
    assert bench.queue_ms(SETTLED_S) <= 6
    assert bench.queue_ms(0.0) <= 40
    assert bench.line.dropped == 0


@pytest.mark.parametrize("loss", [0.0, 0.03])
def test_a_slow_line_is_full_and_holds_a_few_packets(loss: float) -> None:
    bench = Bench(2, loss=loss)
    assert bench.share(SETTLED_S, 15.0) >= 0.95
    assert bench.queue_ms(SETTLED_S) <= 35  # a packet is 6 ms


def test_it_follows_a_line_that_gets_slower_and_faster() -> None:
    bench = Bench(50)
    bench.run(2.0)
    bench.line.bytes_per_s = 10 * MBIT
    assert bench.share(3.0, 4.0) >= 0.95
    assert bench.queue_ms(3.0) <= 15
    bench.line.bytes_per_s = 50 * MBIT
    assert bench.share(5.0, 6.0) >= 0.95


def test_an_application_with_little_to_send_does_not_lower_the_estimate() -> None:
    bench = Bench(20)
    bench.run(2.0)
    believed = bench.model.rate_bytes_per_s
    assert believed == pytest.approx(20 * MBIT, rel=0.08)
    for number in range(1000):  # a thin stream for minutes
        now = bench.clock.now_s + 10 + 0.05 * number
        bench.model.on_app_limited(0)
        packet = SentPacket(0, now, 100, [])
        packet.snapshot = bench.model.on_sent(0, now)
        bench.model.on_ack([packet], 0.05, 0, now + 0.05, used=False)
    assert bench.model.rate_bytes_per_s == believed


def shares(other: str, first_s: float) -> tuple[float, float]:
    """Ours and the other's, after five seconds together."""
    clock = Clock(1)
    line, back = SharedLine(clock, mbit=25), SharedLine(clock)
    ours = Paced(line, back, PathModel(CONFIG))
    theirs = {"bbr": Bbr, "cubic": Cubic}[other](line, back)
    clock.after(max(0.0, -first_s), ours.start)
    clock.after(max(0.0, first_s), theirs.start)
    clock.run(1007.0)
    before = ours.got_bytes, theirs.got_bytes
    clock.run(1022.0)
    got = ours.got_bytes - before[0], theirs.got_bytes - before[1]
    return got[0] / sum(got), got[1] / sum(got)


@pytest.mark.parametrize("first_s", [2.0, -2.0])
@pytest.mark.parametrize("other", ["cubic", "bbr"])
def test_beside_one_tcp_flow_both_get_their_share(other: str, first_s: float) -> None:
    assert min(shares(other, first_s)) >= 0.35


def test_the_rival_is_a_fair_model_of_bbr() -> None:
    clock = Clock(1)
    line, back = SharedLine(clock, mbit=20), SharedLine(clock)
    flow = Bbr(line, back)
    content = 20 * MBIT * 0.05 / (PACKET + 28)
    flow.start()
    clock.run(1002.0)
    before = flow.got_bytes
    gains, modes, most = set(), set(), 0
    for step in range(1100):
        clock.run(1002.0 + 0.01 * (step + 1))
        gains.add(flow.gain)
        modes.add(flow.mode)
        most = max(most, len(flow.sent))
    assert mbit_of(flow.got_bytes - before, 11.0) >= 0.9 * 20
    assert gains == {1.25, 1.0, 0.75}
    assert Mode.PROBE_RTT in modes, "every ten seconds"
    assert most <= 2 * content + 3 * 2 + 1
    assert flow.least_rtt_s == pytest.approx(0.05, abs=0.002)


def test_two_of_ours_share_and_do_not_take_each_other_for_rivals() -> None:
    clock = Clock(1)
    line, back = SharedLine(clock, mbit=30), SharedLine(clock)
    flows = [Paced(line, back, PathModel(CONFIG)) for _ in range(2)]
    probe = QueueProbe(line)
    for number, flow in enumerate(flows):
        clock.after(float(number), flow.start)
    clock.run(1010.0)
    before = [flow.got_bytes for flow in flows]
    clock.run(1020.0)
    got = [flow.got_bytes - start for flow, start in zip(flows, before, strict=True)]
    assert min(got) / sum(got) >= 0.35
    assert percentile([wait for at, wait in probe.waits_s if at > 1010.0], 0.5) <= 0.012


@pytest.mark.parametrize("loss", [0.0, 0.03])
def test_a_link_carries_bulk_and_text_beside_it_hardly_waits(loss: float) -> None:
    clock = Clock(3)
    line, back = SharedLine(clock, mbit=20, loss=loss), SharedLine(clock, loss=loss, seed=2)
    link = Link(line, back)
    clock.after(0.5, link.start)
    clock.after(0.5, link.write)
    clock.run(1003.0)
    before = link.got_bytes
    clock.run(1006.0)
    assert mbit_of(link.got_bytes - before, 3.0) >= (0.88 if not loss else 0.82) * 20
    assert percentile([took for at, took in link.text_s if at > 1003.0], 0.95) <= 0.025 + 0.015


@pytest.mark.parametrize(("loss", "least"), [(0.0, 0.85), (0.01, 0.6)])
def test_a_long_fast_line_is_used_by_one_channel(loss: float, least: float) -> None:
    """A fiftieth of 1 Gbit/s at 100 ms: a window is 1.34 times what the line holds."""
    clock = Clock(3)
    line = SharedLine(clock, mbit=20, loss=loss, delay_s=0.05)
    back = SharedLine(clock, loss=loss, delay_s=0.05, seed=2)
    config = ArqConfig(bulk_window_bytes=CONFIG.bulk_window_bytes // 50)
    link = Link(line, back, config, message_bytes=4000)
    clock.after(0.5, link.start)
    clock.run(1002.0)
    before = link.got_bytes
    clock.run(1004.0)
    assert mbit_of(link.got_bytes - before, 2.0) >= least * 20
    assert link.b.connection.held.weight_bytes <= config.bulk_window_bytes


def test_illinois_is_kept_to_compare_with_and_gives_way_to_random_loss() -> None:
    clock = Clock(3)
    line, back = SharedLine(clock, mbit=20, loss=0.03), SharedLine(clock, loss=0.03, seed=2)
    link = Link(line, back, ArqConfig(congestion="illinois"))
    clock.after(0.5, link.start)
    clock.run(1003.0)
    assert mbit_of(link.got_bytes, 2.5) < 0.7 * 20


# --- by hand --------------------------------------------------------------------------------------


def fed(model: PathModel, rounds: int, *, rtt_s: float, packets: int, now: float = 0.0) -> float:
    """`rounds` round trips of `packets` each; the time at their end."""
    for _ in range(rounds):
        sent = []
        for number in range(packets):
            packet = SentPacket(number, now, PACKET, [])
            packet.snapshot = model.on_sent(number * PACKET, now)
            sent.append(packet)
        now += rtt_s
        model.on_ack(sent, rtt_s, 0, now, used=True)
    return now


def test_before_any_round_trip_the_first_window_sets_the_pace() -> None:
    model = PathModel(CONFIG)
    assert model.window_bytes == CONFIG.initial_window_packets * PACKET
    assert model.pace(0.1) == pytest.approx(2 * model.window_bytes / 0.1)
    assert (model.state, model.queue_s, model.rate_bytes_per_s) == ("startup", 0.0, 0.0)


def test_startup_ends_when_three_rounds_bring_nothing_more() -> None:
    model = PathModel(CONFIG)
    now = fed(model, 2, rtt_s=0.1, packets=100)
    assert Phase(model.state) == Phase.STARTUP
    fed(model, 5, rtt_s=0.1, packets=100, now=now)
    assert Phase(model.state) == Phase.CRUISE
    assert model.rate_bytes_per_s == pytest.approx(100 * PACKET / 0.1)


def test_bursts_with_pauses_between_them_do_not_end_startup() -> None:
    model = PathModel(CONFIG)
    now = 0.0
    for _ in range(20):
        now = fed(model, 2, rtt_s=0.1, packets=20, now=now)
        model.on_app_limited(0)
        now = fed(model, 1, rtt_s=0.1, packets=1, now=now + 1.0)
    assert Phase(model.state) == Phase.STARTUP


def test_a_rate_that_falls_together_with_losses_is_believed_at_once() -> None:
    model = PathModel(CONFIG)
    now = fed(model, 8, rtt_s=0.1, packets=100)
    fed(model, 1, rtt_s=0.1, packets=50, now=now)
    assert model.rate_bytes_per_s == pytest.approx(100 * PACKET / 0.1)
    model.on_lost(50 * PACKET, now, now)
    fed(model, 1, rtt_s=0.1, packets=50, now=now)
    assert model.rate_bytes_per_s == pytest.approx(50 * PACKET / 0.1)


def test_losses_alone_change_neither_rate_nor_window() -> None:
    model, other = PathModel(CONFIG), PathModel(CONFIG)
    for each in (model, other):
        now = fed(each, 8, rtt_s=0.1, packets=100)
        if each is model:
            each.on_lost(10 * PACKET, now, now)
            each.on_late(20 * PACKET)
            each.on_spurious()
        fed(each, 1, rtt_s=0.1, packets=100, now=now)
    assert model.window_bytes == other.window_bytes


@pytest.mark.parametrize(("batch", "extra_s"), [(2, 0.0), (160, 0.008), (400, MOST_EXTRA_S)])
def test_what_is_acknowledged_at_once_may_be_in_flight(batch: int, extra_s: float) -> None:
    """20,000 packets a second; the queue allowed is LEAST_QUEUE_S."""
    model = PathModel(CONFIG)
    sent: list[SentPacket] = []
    acked = 0
    for number in range(40_000):
        now = number / 20_000
        packet = SentPacket(number, now, PACKET, [])
        packet.snapshot = model.on_sent(len(sent) * PACKET + 1, now)
        sent.append(packet)
        if number >= 20 and number % batch == batch - 1:
            arrived = sent[: number + 1 - 20 - acked]
            del sent[: len(arrived)]
            acked += len(arrived)
            model.on_ack(arrived, 0.001, len(sent) * PACKET, now, used=True)
    rate = model.rate_bytes_per_s
    assert rate == pytest.approx(20_000 * PACKET, rel=0.1)
    spare_bytes = max(extra_s, LEAST_QUEUE_S) * rate
    assert model.window_bytes == pytest.approx(0.001 * rate + spare_bytes, rel=0.15)


def test_one_late_batch_is_no_slower_path() -> None:
    model = PathModel(CONFIG)
    now = fed(model, 12, rtt_s=0.1, packets=100)
    sent = []
    for number in range(100):
        packet = SentPacket(number, now, PACKET, [])
        packet.snapshot = model.on_sent(number * PACKET, now)
        sent.append(packet)
    for packet in sent:  # a machine that slept takes them all in at once
        model.on_ack([packet], 0.3, 0, now + 0.3, used=True)
    assert model.rate_bytes_per_s == pytest.approx(100 * PACKET / 0.1, rel=0.01)


def test_a_least_round_trip_that_is_not_seen_again_is_looked_for_and_replaced() -> None:
    model = PathModel(CONFIG)
    now = fed(model, 12, rtt_s=0.05, packets=100)
    states: set[Phase] = set()
    until = now + 15
    while now < until:  # the path is another one now
        now = fed(model, 1, rtt_s=0.1, packets=200, now=now)
        states.add(Phase(model.state))
    assert Phase.PROBE_RTT in states
    assert model.queue_s == pytest.approx(0.0, abs=1e-6)


def test_persistent_congestion_begins_again_with_the_least_window() -> None:
    model = PathModel(CONFIG)
    now = fed(model, 12, rtt_s=0.1, packets=100)
    model.on_persistent()
    assert model.window_bytes == CONFIG.min_window_packets * PACKET
    assert (Phase(model.state), model.rate_bytes_per_s) == (Phase.STARTUP, 0.0)
    fed(model, 3, rtt_s=0.1, packets=100, now=now)
    assert model.rate_bytes_per_s > 0


def test_an_ack_without_a_sample_and_without_time_changes_no_rate() -> None:
    model = PathModel(CONFIG)
    packet = SentPacket(0, 0.0, PACKET, [])
    packet.snapshot = Snapshot(0, 0.0, 0.0, app_limited=False)
    model.on_ack([packet], None, 0, 0.0, used=True)
    assert model.rate_bytes_per_s == 0.0
    assert model.window_bytes < inf


def test_a_clock_that_stood_still_measures_the_shortest_path() -> None:
    model = PathModel(CONFIG)
    packet = SentPacket(0, 0.0, PACKET, [])
    packet.snapshot = model.on_sent(0, 0.0)
    model.on_ack([packet], 0.0, 0, 0.0, used=True)
    fed(model, 12, rtt_s=0.1, packets=100)
    assert Phase(model.state) == Phase.CRUISE
    assert model.pace(0.0) > 0
