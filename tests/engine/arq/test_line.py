"""The estimate of a line: how fast it follows a change, how bursts are told from random loss."""

from collections.abc import Iterator
from itertools import islice
from random import Random

import msgspec
import pytest

from chatnet_engine.arq.line import (
    BURSTY_ABOVE,
    FEW_PACKETS,
    KNOWN_PACKETS,
    KNOWN_PAIRS,
    LONG_GAIN,
    NEAR_S,
    KnownLine,
    LineEstimate,
)

GAP_S = 0.005


def feed(line: LineEstimate, fates: Iterator[bool], count: int, gap_s: float = GAP_S) -> None:
    for index, lost in enumerate(islice(fates, count)):
        line.judge(index * gap_s, lost)


def at_random(share: float, seed: int = 1) -> Iterator[bool]:
    random = Random(seed)
    while True:
        yield random.random() < share


def in_bursts(seed: int = 1) -> Iterator[bool]:
    """10 %, four packets long on average."""
    random, bad = Random(seed), False
    while True:
        bad = random.random() >= 0.25 if bad else random.random() < 0.1 * 0.25 / 0.9
        yield bad


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.2, 0.3])
def test_the_long_scale_is_steady(share: float) -> None:
    line = LineEstimate()
    fates = at_random(share)
    feed(line, fates, 500)
    for _ in range(50):
        feed(line, fates, 20)
        assert line.loss_rate == pytest.approx(share, abs=0.1)
        assert not line.bursty


def test_the_first_packets_are_averaged_and_a_deviation_is_added_while_they_are_few() -> None:
    line = LineEstimate()
    feed(line, iter([True, False, False, False, False]), 5)
    assert line.loss_rate == pytest.approx(0.2)
    assert line.likely_rate == pytest.approx(0.2 + (0.2 * 0.8 / 5) ** 0.5)
    assert not line.known
    feed(line, iter([False] * FEW_PACKETS), KNOWN_PACKETS - 5)
    assert line.known


def test_one_loss_on_a_clean_line_counts_at_once_and_is_soon_forgotten() -> None:
    line = LineEstimate()
    feed(line, at_random(0.0), 300)
    feed(line, iter([True]), 1)
    assert line.loss_rate == pytest.approx(LONG_GAIN)
    assert line.likely_rate > 0.06
    feed(line, at_random(0.0), 24)
    assert line.likely_rate < 0.01


def test_a_line_that_gets_clean_is_clean_after_a_run_that_chance_does_not_make() -> None:
    line = LineEstimate()
    feed(line, at_random(0.3), 500)
    feed(line, at_random(0.0), 60)
    assert line.likely_rate == 0.0
    assert line.known


@pytest.mark.parametrize("seed", range(10))
def test_bursts_are_told_from_random_loss(seed: int) -> None:
    bursty, random = LineEstimate(), LineEstimate()
    feed(bursty, in_bursts(seed), 600)
    feed(random, at_random(0.1, seed), 600)
    assert (bursty.bursty, random.bursty) == (True, False)
    assert 2 * GAP_S < bursty.burst_s < 8 * GAP_S


def test_packets_far_apart_say_nothing_of_bursts() -> None:
    line = LineEstimate()
    feed(line, in_bursts(), 600, 2 * NEAR_S)
    assert not line.bursty
    assert line.persistence == 0.0


def test_a_few_pairs_do_not_make_a_burst() -> None:
    line = LineEstimate()
    feed(line, iter([False] * 40 + [True] * KNOWN_PAIRS), 40 + KNOWN_PAIRS)
    assert not line.bursty
    line.judge((40 + KNOWN_PAIRS) * GAP_S, True)
    assert line.persistence - line.loss_rate > BURSTY_ABOVE


def test_a_loss_that_was_none_is_taken_back() -> None:
    line = LineEstimate()
    feed(line, at_random(0.0), 300)
    line.judge(0.0, True)
    line.on_spurious()
    assert line.likely_rate == 0.0


def test_the_next_link_begins_with_what_this_one_knew() -> None:
    line, random = LineEstimate(), LineEstimate()
    assert line.remember() is None
    feed(line, in_bursts(), 600)
    feed(random, at_random(0.2), 600)
    for old in (line, random):
        known = old.remember()
        assert known is not None
        new = LineEstimate()
        new.resume(known)
        assert new.known
        assert new.remember() == known
        assert (new.bursty, new.burst_s) == (old.bursty, old.burst_s)


def test_what_is_known_survives_coarsely_and_nonsense_is_nothing_known() -> None:
    known = KnownLine(loss_rate=0.2041, persistence=0.5, near_gap_s=0.0021, bursty=True)
    packed = known.pack()
    kept = KnownLine.unpack(packed)
    assert kept == KnownLine(loss_rate=0.2, persistence=0.5, near_gap_s=0.0021, bursty=True)
    assert kept.pack() == packed
    assert known.differs(None)
    assert not known.differs(kept)
    for other in ({"loss_rate": 0.14}, {"bursty": False}):
        assert known.differs(msgspec.structs.replace(known, **other))
    worst = KnownLine(loss_rate=1.0, persistence=1.0, near_gap_s=9.0, bursty=False)
    assert KnownLine.unpack(worst.pack()) is not None
    for nonsense in (
        b"",
        packed[:3],
        packed + b"x",
        b"\xff" * 4,
        bytes((20, 101, 0, 0)),
        bytes((20, 50, 0, 2)),
    ):
        assert KnownLine.unpack(nonsense) is None


def test_fates_that_come_together_count_as_one_by_one() -> None:
    fates = [False] * 30 + list(islice(at_random(0.1), 60)) + [False] * 300 + [True] + [False] * 9
    together, single = LineEstimate(), LineEstimate()
    for first in range(0, len(fates), 7):
        several = [(GAP_S * at, fates[at]) for at in range(first, min(first + 7, len(fates)))]
        together.judge_all(several)
        for sent_at, lost in several:
            single.judge(sent_at, lost)
        assert vars(together) == vars(single)
