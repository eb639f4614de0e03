"""Deadlines of many things: each counts once, as it was put last."""

import random

from chatnet_engine.deadlines import STALE_DUES, TICK_S, Deadlines, next_tick, whole_second


def test_what_is_due_comes_in_order_and_once() -> None:
    deadlines: Deadlines[int] = Deadlines()
    assert deadlines.next_timeout() is None
    assert deadlines.take_due(9.0) == []
    for key, due_s in ((1, 3.0), (2, 1.0), (3, 2.0), (4, float("inf"))):
        deadlines.put(key, due_s)
    assert len(deadlines) == 3
    assert deadlines.next_timeout() == 1.0
    assert deadlines.first_due(0.9) is None
    assert [deadlines.first_due(1.0), deadlines.first_due(1.0)] == [2, 2]
    assert deadlines.take_due(2.0) == [2, 3]
    assert deadlines.take_due(2.0) == []
    assert deadlines.next_timeout() == 3.0


def test_the_last_word_about_a_key_holds() -> None:
    deadlines: Deadlines[bytes] = Deadlines()
    deadlines.put(b"a", 1.0)
    deadlines.put(b"a", 5.0)
    deadlines.put(b"b", 2.0)
    deadlines.put(b"b", None)
    deadlines.put(b"c", None)
    assert deadlines.take_due(4.0) == []
    deadlines.put(b"a", 3.0)
    assert deadlines.take_due(9.0) == [b"a"]


def test_the_same_as_a_plain_table_whatever_is_put() -> None:
    draw = random.Random(4)
    deadlines: Deadlines[int] = Deadlines()
    plain: dict[int, float] = {}
    for step in range(3000):
        key, due_s = draw.randrange(40), float(draw.randrange(step, step + 100))
        if draw.random() < 0.2:
            deadlines.put(key, None)
            plain.pop(key, None)
        else:
            deadlines.put(key, due_s)
            plain[key] = due_s
        assert deadlines.next_timeout() == min(plain.values(), default=None)
        assert deadlines.due_of(key) == plain.get(key)
        if draw.random() < 0.1:
            due = sorted((at, key) for key, at in plain.items() if at <= step)
            assert [(plain.pop(key), key) for key in deadlines.take_due(step)] == due
        assert len(deadlines._heap) <= 2 * len(plain) + STALE_DUES + 1


def test_a_tick_is_at_most_a_quarter_of_a_second_late_and_never_early() -> None:
    draw = random.Random(5)
    for _ in range(1000):
        due_s = draw.uniform(0.0, 1e9)
        tick_s = next_tick(due_s)
        assert due_s <= tick_s < due_s + TICK_S
        assert next_tick(tick_s) == tick_s
    assert next_tick(float("inf")) == float("inf")


def test_what_is_due_once_a_second_is_due_at_ticks_and_never_at_once() -> None:
    for now_s in (1000.0, 1000.25, 1000.999):
        due_s = whole_second(now_s + 1.0)
        assert now_s < due_s <= now_s + 1.0
        assert due_s == next_tick(due_s)
