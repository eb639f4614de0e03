"""How a Connection ends: said once, repeated to those who did not hear, by both sides at once."""

from random import Random

import pytest

from chatnet_engine.arq.connection import Connection
from chatnet_engine.arq.events import Closed
from chatnet_protocol.errors import LocalProtocolError
from chatnet_protocol.wire import frames


def test_close_is_said_once_and_again_to_those_who_did_not_hear() -> None:
    a, b = (Connection(now=0.0, random=Random(n).randbytes) for n in (1, 2))
    a.set_hello(b"hi")
    a.close(1, "bye")
    a.close(2, "ignored")
    (lost,) = a.take_packets(0.0, 10)
    assert frames.decode(lost.payload) == [frames.Close(1, "bye")]
    with pytest.raises(LocalProtocolError, match="closed"):
        a.queue(1, [b"late"])
    answers = []
    for number in range(9):
        a.handle_packet(number, frames.encode_ping(), 1.0 + number)
        answers += a.take_packets(1.0 + number, 10)
    assert len(answers) == 4
    assert a.next_timeout() is None
    b.handle_packet(answers[0].number, answers[0].payload, 2.0)
    assert b.take_events() == [Closed(1, "bye")]
    assert b.take_packets(2.0, 10) == []
    assert b.next_timeout() is None
    b.handle_packet(99, frames.encode_ping(), 3.0)
    b.handle_timeout(99.0)
    assert b.take_events() == []


def test_both_sides_may_close_at_once() -> None:
    a = Connection(now=0.0, random=Random(1).randbytes)
    a.close(1, "bye")
    a.take_packets(0.0, 10)
    a.handle_packet(0, frames.encode_close(2, "me too"), 0.0)
    assert a.take_events() == [Closed(2, "me too")]
    assert a.take_packets(0.0, 10) == []
    a.handle_packet(1, frames.encode_close(2, "me too"), 1.0)
    a.handle_packet(2, frames.encode_ping(), 1.0)
    assert a.take_events() == []
    assert a.take_packets(1.0, 10) == []
