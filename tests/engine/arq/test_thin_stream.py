"""The thin stream on bad lines: latency and packets a message, over seeds, in virtual time.

`scripts/bench thin` prints the whole table; here are bounds, with the worst of fewer messages.
"""

from random import Random
from statistics import median

import pytest

from chatnet_engine.arq.redundancy import MAX_GAP_S
from simworld.thin_stream import (
    DELAY_S,
    Model,
    RandomLoss,
    Result,
    Stream,
    changing,
    first_on_known_line,
    measured_lines,
    packet_bursts,
    random_loss,
    steady,
    time_bursts,
)

pytestmark = pytest.mark.statistics
SEEDS = range(1, 5)
LONG_BURST_S = 0.12
"""Six times as long as the bursts that the link has met."""


@pytest.mark.parametrize(
    ("share", "p99_ms", "packets"),
    [(0.0, 25.1, 1.1), (0.1, 35, 3.4), (0.2, 40, 4.3), (0.3, 45, 5.4)],
)
def test_loss_at_random_is_hardly_noticed(share: float, p99_ms: float, packets: float) -> None:
    results = [steady(random_loss(share), seed, 300) for seed in SEEDS]
    together = Result([ms for result in results for ms in result.latency_ms])
    assert together.percentile(0.99) <= p99_ms
    assert median(result.packets for result in results) <= packets


@pytest.mark.parametrize("model", [packet_bursts(), time_bursts()])
def test_bursts_cost_little_more_than_a_round_trip(model: Model) -> None:
    latencies: list[float] = []
    for seed in SEEDS:
        stream = Stream(model, seed)
        stream.send(100)  # bursts have to be met before they are known
        latencies += stream.send(300).latency_ms
    assert Result(latencies).percentile(0.99) <= 100


@pytest.mark.parametrize("seed", SEEDS)
def test_a_burst_longer_than_all_copies_is_waited_for_and_no_longer(seed: int) -> None:
    stream = Stream(time_bursts(), seed)
    stream.send(300)
    stream.settle()
    burst_ends_s = stream.pair.now + LONG_BURST_S
    usual = stream.pair.ab.drop
    assert usual
    stream.pair.ab.drop = lambda packet: stream.pair.now < burst_ends_s or usual(packet)
    stream.back.model = RandomLoss(0.0, Random(seed))
    stream.forward.model = RandomLoss(0.0, Random(seed))
    (latency_ms,) = stream.send(1).latency_ms
    assert latency_ms <= (LONG_BURST_S + DELAY_S + 2 * MAX_GAP_S) * 1e3


def test_the_first_messages_of_a_link_do_not_wait_for_an_estimate() -> None:
    links = [steady(random_loss(0.2), 100 + seed, 20, rest=False) for seed in range(50)]
    together = Result([ms for link in links for ms in link.latency_ms])
    assert together.percentile(0.99) <= 45


def test_the_first_messages_on_a_known_line_begin_with_what_is_known() -> None:
    lossy = random_loss(0.2)
    lines = measured_lines(lossy, 1)
    links = [first_on_known_line(lossy, lines, 100 + seed, 20) for seed in range(50)]
    together = Result([ms for link in links for ms in link.latency_ms])
    assert together.percentile(0.99) <= 42


def test_messages_written_at_once_do_not_wait_for_loss_detection() -> None:
    bursts = [steady(random_loss(0.2), seed, 200, at_once=20, rest=False) for seed in SEEDS]
    assert median(burst.percentile(0.99) for burst in bursts) <= 42


def test_copies_follow_a_line_that_changes_both_ways() -> None:
    up, down = [], []
    for seed in SEEDS:
        _, lossy, clean = [result for _, result in changing((0.0, 0.3, 0.0), 4.0, seed)]
        up.append(lossy.between(0.5, 4.0).percentile(0.95))
        down.append(clean.packets)
    assert median(up) <= 45
    assert max(down) <= 1.1
