"""A link that only keeps its path alive is seldom re-keyed, and its first text after that leaves at
once, whatever has happened meanwhile."""

import pytest

from chatnet_engine.secure.config import SecureConfig
from simworld.pair import Pair

CONFIG = SecureConfig()
QUIET_S = 1800.0
RESTING_S = CONFIG.rekey_after_s + CONFIG.rest_from_s + 60
"""From the start: HELLO was content, so the second session rests."""
UNANSWERED_S = 15.0


def rekeys(pair: Pair) -> int:
    """Handshakes so far."""
    return sum(each.node.endpoint.counters.handshakes_initiated for each in (pair.a, pair.b))


def sessions(pair: Pair) -> list[tuple[bytes | None, ...]]:
    """The handshake of each slot, at both ends."""
    found = [each.node.endpoint.peer_status(1) for each in (pair.a, pair.b)]
    return [status.slots for status in found if status]


def test_a_quiet_link_is_rekeyed_every_ten_minutes() -> None:
    pair = Pair(1)
    pair.run(CONFIG.rekey_responder_after_s)
    before = rekeys(pair)
    pair.run(QUIET_S)
    assert rekeys(pair) - before == QUIET_S // (CONFIG.rest_s + CONFIG.rekey_after_s)


def test_a_text_after_a_rest_arrives_before_the_rekey_that_it_brings_about() -> None:
    pair = Pair(2)
    pair.run(RESTING_S)
    before = sessions(pair)
    pair.at_a.say("after a rest")
    pair.run(1)
    pair.check(["after a rest"], [])
    assert sessions(pair) == before
    pair.run(CONFIG.rekey_responder_after_s - CONFIG.rest_from_s)
    _, current, _ = zip(*sessions(pair), strict=True)
    assert not set(current) & {each[1] for each in before}
    pair.run(CONFIG.reject_after_s - CONFIG.rest_from_s)
    assert not {one for each in sessions(pair) for one in each} & {each[1] for each in before}


def test_a_text_at_any_time_of_a_rest_arrives_at_once() -> None:
    pair = Pair(3)
    period_s = CONFIG.rest_s + CONFIG.reject_after_s + 7
    texts = []
    for number in range(4):
        pair.run(period_s * (number + 1) / 4)
        texts.append(f"text {number}")
        pair.at_a.say(texts[-1]) if number % 2 else pair.at_b.say(texts[-1])
        pair.settle(1)
    pair.check(texts[1::2], texts[::2])


@pytest.mark.parametrize("asleep_s", [20.0, 120.0, 800.0])
@pytest.mark.parametrize("sleeper", ["a", "b"])
def test_texts_of_both_arrive_soon_after_one_machine_was_suspended(
    sleeper: str, asleep_s: float
) -> None:
    pair = Pair(4)
    pair.run(RESTING_S)
    slept, awake = (pair.a, pair.b) if sleeper == "a" else (pair.b, pair.a)
    at_slept, at_awake = (pair.at_a, pair.at_b) if sleeper == "a" else (pair.at_b, pair.at_a)
    slept.sleep()
    pair.run(asleep_s / 2)
    at_awake.say("to the sleeper")
    pair.run(asleep_s / 2)
    at_slept.say("typed at the moment of waking")
    slept.wake()
    pair.settle(UNANSWERED_S + 2)
    assert pair.texts(awake, mine=False) == ["typed at the moment of waking"]
    assert pair.texts(slept, mine=False) == ["to the sleeper"]


@pytest.mark.parametrize("cut_s", [60.0, 300.0])
def test_texts_of_both_arrive_after_the_line_was_cut_during_a_rest(cut_s: float) -> None:
    pair = Pair(5)
    pair.run(RESTING_S)
    pair.set_line(loss=1.0)
    pair.at_a.say("one")
    pair.at_b.say("two")
    pair.run(cut_s)
    pair.set_line(loss=0.0)
    pair.settle(UNANSWERED_S)
    pair.check(["one"], ["two"])
