"""What a unit of work wanted to send is taken back when the unit raises."""

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.outputs import (
    STATEMENT_INTERVAL_S,
    STATEMENTS_AT_ONCE,
    Outputs,
    PeerLink,
)
from chatnet_protocol.wire import control as ct
from file_pair import ID


def test_what_came_since_the_mark_is_taken_back_newest_first() -> None:
    out, undone = Outputs(), []
    out.ready = True
    unit = out.begin()
    out.say(1, ct.Accept(ID))
    out.ask(pw.Stop(1))
    out.undo.append(lambda: undone.append("first"))
    part = out.mark()
    out.say(1, ct.Unreachable(ID))
    out.ask(pw.Stop(2))
    out.undo.append(lambda: undone.append("second"))
    out.undo.append(lambda: undone.append("third"))
    out.roll_back(part)
    assert undone == ["third", "second"]
    assert (len(out.controls), len(out.frames)) == (1, 1)
    out.roll_back(unit)
    assert undone == ["third", "second", "first"]
    assert (out.controls, out.frames) == ([], [])


def test_a_new_unit_begins_with_nothing_to_take_back() -> None:
    out = Outputs()
    out.undo.append(lambda: 1 / 0)
    out.roll_back(out.begin())


def test_nothing_is_asked_of_a_process_that_does_not_listen() -> None:
    out = Outputs()
    out.ask(pw.Stop(1))
    assert out.frames == []


def test_the_port_that_the_peer_named_is_tried_first_at_every_address() -> None:
    link = PeerLink()
    link.came_up([("192.0.2.1", 5001), ("192.0.2.2", 5002)], 1, ct.Suite.CHACHA)
    link.tcp_port = 6000
    assert link.tcp_addrs() == [
        ("192.0.2.1", 6000), ("192.0.2.2", 6000), ("192.0.2.1", 5001), ("192.0.2.2", 5002),
    ]  # fmt: skip


def test_transfers_are_stated_a_few_times_at_once_and_then_once_a_second() -> None:
    link = PeerLink()
    assert [link.may_state(100.0) for _ in range(STATEMENTS_AT_ONCE + 1)] == [
        *[True] * STATEMENTS_AT_ONCE, False,
    ]  # fmt: skip
    assert not link.may_state(100.0 + 0.9 * STATEMENT_INTERVAL_S)
    assert link.may_state(100.0 + STATEMENT_INTERVAL_S)
    assert not link.may_state(100.0 + STATEMENT_INTERVAL_S)
