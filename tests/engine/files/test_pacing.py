"""A paced file on simulated lines: it uses them, and its queue stays short."""

import pytest

from bottleneck import MSS, Bottleneck, Flow, FluidBbr
from chatnet_engine.files.line_meter import HISTORY_S, LineMeter, Sample
from chatnet_engine.files.pacing import FREE_RATE, LEAST_RATE, Decision, Pacer, Phase

ALLOWED_S = 0.006
"""Of queueing for the text beside a file."""


def line(
    mbit: float, *, rtt_s: float = 0.05, queue_s: float = 0.05, jitter_s: float = 0.0
) -> Bottleneck:
    return Bottleneck(lambda now: mbit, Flow(), rtt_s=rtt_s, queue_s=queue_s, jitter_s=jitter_s)


@pytest.mark.parametrize("queue_s", [0.05, 0.25])
def test_a_file_uses_the_line_and_keeps_its_queue_short(queue_s: float) -> None:
    world = line(100, queue_s=queue_s).run(9)
    assert world.share(0, 3, 9) > 0.95
    assert world.queue_s(3, 9) < ALLOWED_S


@pytest.mark.parametrize("rtt_s", [0.005, 0.025, 0.1])
def test_the_round_trip_makes_no_difference(rtt_s: float) -> None:
    world = line(100, rtt_s=rtt_s).run(7)
    assert world.share(0, 3, 7) > 0.95
    assert world.queue_s(3, 7) < ALLOWED_S


@pytest.mark.parametrize("mbit", [2, 10, 200])
def test_the_rate_makes_no_difference(mbit: float) -> None:
    world = line(mbit).run(7)
    assert world.share(0, 3, 7) > 0.95
    assert world.queue_s(3, 7) < max(ALLOWED_S, 2 * 1500 * 8 / (mbit * 1e6))


@pytest.mark.parametrize("window_bytes", [15e3, 60e3, 1e9])
def test_a_slow_line_with_a_short_round_trip_has_no_standing_queue(window_bytes: float) -> None:
    """TCP's initial window alone is 60 ms of queue there."""
    flow = Flow(window_bytes=window_bytes)
    world = Bottleneck(lambda now: 2, flow, rtt_s=0.005, queue_s=0.25).run(8)
    assert world.share(0, 3, 8) > 0.95
    assert world.queue_s(3, 8) < 2.5 * 1500 * 8 / 2e6


def test_an_estimate_that_was_never_tried_does_not_hide_a_queue() -> None:
    """The line falls to a fiftieth while the disk lets hardly anything through."""
    flow = Flow(held=lambda now: 0.2e6 if 3 < now < 5 else 1e9, window_bytes=40 * MSS)
    world = Bottleneck(lambda now: 100 if now < 4 else 2, flow, rtt_s=0.005, queue_s=0.25).run(9)
    assert world.queue_s(7, 9) < 2.5 * 1500 * 8 / 2e6


@pytest.mark.parametrize("mbit", [10, 100])
def test_a_kernel_that_follows_a_model_of_its_own_is_no_obstacle(mbit: float) -> None:
    flow = Flow(model=FluidBbr(0.05))
    world = Bottleneck(lambda now: mbit, flow, queue_s=0.25).run(20)
    assert world.share(0, 3, 20) > 0.95
    assert world.queue_s(3, 20) < ALLOWED_S


@pytest.mark.parametrize("queue_s", [0.05, 0.25])
def test_a_changed_rate_is_followed_within_three_seconds(queue_s: float) -> None:
    def mbit(now: float) -> float:
        return 20 if 4 <= now < 8 else 100

    world = Bottleneck(mbit, Flow(), queue_s=queue_s).run(13)
    for since_s in (7, 11):
        assert world.share(0, since_s, since_s + 0.9) > 0.92
        assert world.queue_s(since_s, since_s + 0.9) < ALLOWED_S


def test_the_start_is_one_short_bump() -> None:
    world = line(100, queue_s=0.25).run(3)
    assert world.share(0, 1.2, 3) > 0.9
    too_long = [when for when, wait_s in world.queues if wait_s > 2 * ALLOWED_S]
    assert max(too_long) - min(too_long) < 0.2
    assert world.queue_s(0, 3, 1.0) < 0.04


def test_jitter_is_not_taken_for_a_queue() -> None:
    world = line(100, jitter_s=0.005).run(8)
    assert world.share(0, 3, 8) > 0.8
    assert world.queue_s(3, 8) < 2 * ALLOWED_S


@pytest.mark.parametrize("begins", [1, 2])
def test_two_files_approach_equal_shares(begins: float) -> None:
    world = Bottleneck(lambda now: 100, Flow(), Flow(begins=begins)).run(16)
    shares = [world.share(flow, 12, 16) for flow in (0, 1)]
    assert min(shares) > 0.33
    assert sum(shares) > 0.95
    assert world.queue_s(6, 16) < 0.008


def test_a_small_file_beside_two_large_ones_is_quick() -> None:
    flows = (Flow(), Flow(begins=1), Flow(begins=4))
    Bottleneck(lambda now: 100, *flows).run(7)
    assert next(when for when, acked in flows[2].history if acked > 1e6) < 4 + 2


def test_a_file_stays_in_the_background_of_cubic() -> None:
    world = Bottleneck(lambda now: 100, Flow(), Flow(begins=3, paced=False)).run(14)
    assert world.share(1, 8, 14) > 0.6
    assert 0 < world.share(0, 8, 14) < 0.4


def test_a_longer_path_is_no_queue() -> None:
    ours = Flow()
    longer = Bottleneck(lambda now: 20, ours, longer_s=lambda now: 0.1 if now > 3 else 0.0)
    longer.run(10)
    assert ours.pacer is not None
    assert ours.pacer.line.base_s == pytest.approx(0.15, abs=0.003)
    assert longer.share(0, 8, 10) > 0.9


def test_a_line_without_a_bottleneck_is_not_paced() -> None:
    pacer = Pacer(0.0, sample(0.0, rtt_s=0.00005))
    assert pacer.rate is not None
    assert pacer.rate > FREE_RATE
    decision = pacer.handle_sample(0.01, sample(0.01, rtt_s=0.00005))
    assert decision == Decision(None)
    assert pacer.phase is Phase.FREE


def test_a_slow_disk_does_not_raise_the_rate_for_ever() -> None:
    slow = Flow(held=lambda now: 1e6)
    Bottleneck(lambda now: 100, slow).run(6)
    assert slow.rate is not None
    assert slow.rate < 4e6


def test_a_flow_that_the_kernel_holds_back_is_not_slowed_down_further() -> None:
    now, sent, acks, smoothed_s = 0.0, 0, 0, 0.05
    pacer = Pacer(now, Sample(smoothed_s, acks, sent, sent, 1448))
    while now < 6:  # two packets each round trip, now and then acknowledged late
        now += 0.01
        if round(now * 100) % 5 == 0:
            sent, acks = sent + 2896, acks + 1
            late_s = 0.04 if round(now * 100) % 100 < 10 else 0.0
            smoothed_s += (0.05 + late_s - smoothed_s) / 8
        pacer.handle_sample(now, Sample(smoothed_s, acks, sent, sent, 1448))
    assert pacer.rate is not None
    assert pacer.rate > 2 * 2896 / 0.05


def test_a_congestion_control_with_an_old_model_is_begun_afresh() -> None:
    stuck = Flow(held=lambda now: 2.4e6 if 3 < now < 4.5 else 1e9)
    Bottleneck(lambda now: 20 if now < 3 else 100, stuck).run(5)
    assert stuck.restarts >= 1


def test_a_flow_that_makes_room_goes_on() -> None:
    crowded = Flow()
    Bottleneck(lambda now: 5, crowded, *(Flow(begins=2, paced=False) for _ in range(4))).run(8)
    assert crowded.rate is not None
    assert crowded.rate >= LEAST_RATE
    assert crowded.history[-1][1] > crowded.history[-200][1]


def test_the_kernels_smoothing_is_taken_back() -> None:
    meter = LineMeter(0.0, Sample(0.05, 0, 0, 0, 1448))
    smoothed_s = 0.05
    for tick in range(1, 6):
        smoothed_s += (0.07 - smoothed_s) / 8  # one acknowledgement a tick, each of 70 ms
        meter.handle_sample(tick / 100, Sample(smoothed_s, tick, 0, 0, 1448))
    assert smoothed_s < 0.061
    assert meter.queue_s > 0.017


def test_a_reading_without_an_acknowledgement_repeats_the_newest_round_trip() -> None:
    meter = LineMeter(0.0, Sample(0.05, 0, 0, 0, 1448))
    risen = 0.05 + 0.02 / 8  # one acknowledgement, of 70 ms
    meter.handle_sample(0.01, Sample(risen, 1, 0, 0, 1448))
    first_s = meter.rtt_s
    meter.handle_sample(0.02, Sample(risen, 1, 0, 0, 1448))
    assert 0.05 < first_s < meter.rtt_s < 0.07


def test_a_reading_after_a_long_pause_has_nothing_to_compare_with() -> None:
    meter = LineMeter(0.0, Sample(0.05, 0, 0, 0, 1448))
    meter.handle_sample(HISTORY_S + 1, Sample(0.05, 9, 30_000, 30_000, 1448))
    assert meter.base_s == pytest.approx(0.05)


def sample(now: float, *, rtt_s: float) -> Sample:
    """Of a line that delivers 1 MB/s, whatever is asked for."""
    done = int(1e6 * now)
    return Sample(rtt_s, int(now * 345), done, done, 1448)
