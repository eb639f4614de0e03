"""What a trace may hold, how many there may be, and how an exception is described."""

import re

from chatnet_engine.trace import (
    MAX_TRACES_PER_TURN,
    Code,
    Kind,
    LinkTracer,
    Tag,
    Trace,
    Tracer,
    describe,
)


def test_traces_come_out_in_the_order_in_which_they_were_added_and_once() -> None:
    tracer = Tracer()
    tracer.add(1, Kind.PEER_ADDED, trust=Code("none"))
    LinkTracer(tracer, 2).add(Kind.SESSION_EXPIRED)
    assert tracer.take() == [
        Trace(1, Kind.PEER_ADDED, {"trust": Code("none")}),
        Trace(2, Kind.SESSION_EXPIRED, {}),
    ]
    assert tracer.take() == []


def test_too_many_traces_in_a_turn_are_counted_instead() -> None:
    tracer = Tracer()
    for _ in range(MAX_TRACES_PER_TURN + 3):
        tracer.add(0, Kind.OWN_ADDRESS)
    made = tracer.take()
    assert len(made) == MAX_TRACES_PER_TURN + 1
    assert made[-1] == Trace(0, Kind.TRACES_DROPPED, {"count": 3})
    assert tracer.take() == []


def test_without_a_tracer_nothing_is_kept_and_no_detail_is_wanted() -> None:
    nobody = LinkTracer()
    nobody.add(Kind.BLACK_HOLE, black_hole=True)
    assert not nobody.tracer.detail
    assert not nobody.tracer.take()
    assert LinkTracer(Tracer(detail=True)).tracer.detail


def test_a_tag_is_the_end_of_a_random_id() -> None:
    assert Tag.of(b"\1\2\3\4\5\6\7\x08") == 0x05060708


def test_kinds_are_named_after_qlog() -> None:
    assert all(re.fullmatch(r"[a-z]+:[a-z_]+", kind.value) for kind in Kind)


def test_an_exception_is_described_by_type_and_places_without_its_message() -> None:
    def inner() -> None:
        raise ValueError("what a person wrote")

    try:
        inner()
    except ValueError as error:
        text = describe(error)
    assert re.fullmatch(r"ValueError at test_trace\.py:\d+ inner < test_trace\.py:\d+ \w+", text)


def test_what_led_to_an_exception_is_described_too_and_assertions_speak() -> None:
    def fail() -> None:
        try:
            raise KeyError("somebody's name")
        except KeyError as error:
            raise AssertionError("no rule for this") from error

    try:
        fail()
    except AssertionError as error:
        text = describe(error)
    assert text.startswith("AssertionError: no rule for this at test_trace.py:")
    assert " because of KeyError at test_trace.py:" in text
    assert "somebody" not in text
