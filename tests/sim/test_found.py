"""Mistakes that the simulator found, each told again without chance."""

import sqlite3

import pytest

from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import LinkState, TransferState
from chatnet_protocol.limits import CLIENT_TIMEOUT_S
from simworld.disk import FAULTS
from simworld.engine import COMMIT_S, SimEngine
from simworld.file_pair import OFFER, FilePair
from simworld.pair import A, B, Pair


def die_after(engine: SimEngine, kind: type[c.OpBase]) -> None:
    """The process dies when a transaction with such an operation is committed and not heard of."""
    perform = engine.commit

    def dies_after(commit: c.Commit) -> None:
        if any(isinstance(op, kind) and has_offer(op) for op in commit.ops):
            engine.commit = perform  # type: ignore[method-assign]
            engine.ledger.apply(commit)
            engine.crash()
        else:
            perform(commit)

    engine.commit = dies_after  # type: ignore[method-assign]


def has_offer(op: c.OpBase) -> bool:
    rows = op.rows if isinstance(op, c.QueueMessages | c.AcceptMessages) else []
    return any(row.id == OFFER for row in rows)


@pytest.mark.parametrize("kind", [c.QueueMessages, c.AcceptMessages])
def test_an_offer_is_a_transfer_even_if_the_engine_dies_right_after_its_commit(
    kind: type[c.OpBase],
) -> None:
    pair = FilePair(1)
    engine = pair.a if kind is c.QueueMessages else pair.b
    die_after(engine, kind)
    pair.offer()
    pair.run(2)
    assert not engine.is_up
    engine.up()
    assert pair.clock.run(pair.clock.now_s + 60, pair.done)


def test_a_receiver_rolled_back_into_a_transfer_gets_it_again_and_the_link_stays() -> None:
    pair = FilePair(5)
    pair.offer()

    def active() -> bool:
        rows = [stored.row for stored in pair.b.ledger.load().transfers]
        return bool(rows) and rows[0].state == TransferState.ACTIVE

    assert pair.clock.run(pair.clock.now_s + 10, active)
    image = pair.b.connection.serialize()
    assert pair.clock.run(pair.clock.now_s + 60, pair.done)
    pair.b.crash()
    pair.b.connection = sqlite3.connect(":memory:", isolation_level=None)
    pair.b.connection.deserialize(image)
    pair.b.up()
    pair.at_a.say("still friends")
    pair.settle(10)
    assert pair.peer(pair.at_b).link.state == LinkState.UP
    pair.run(5)
    assert pair.at_b.view
    assert [row.state for row in pair.at_b.view.transfers] == [TransferState.DONE]


def test_a_peer_that_calls_while_its_row_is_being_stored_is_no_stranger() -> None:
    pair = Pair(6)
    pair.run(2)
    pair.a.crash()
    pair.a.connection = sqlite3.connect(":memory:", isolation_level=None)
    pair.a.commit_s = (4.0, 4.0)
    pair.a.up()
    pair.a.dial(B)
    pair.run(30)
    assert [row.key for row in pair.a.ledger.load().peers] == [pair.b.session().key]
    pair.at_b.say("it is me")
    pair.settle(30)


def test_an_ack_number_whose_commit_waits_for_the_disk_is_not_given_again() -> None:
    pair = Pair(7)
    pair.at_a.say("one")
    pair.settle(5)
    pair.at_a.say("two")
    pair.run(0.005)
    pair.a.commit_s = (8.0, 8.0)
    pair.run(1)
    assert pair.texts(pair.b, mine=False) == ["one", "two"]
    pair.b.crash()
    pair.b.connection = sqlite3.connect(":memory:", isolation_level=None)
    pair.b.up()
    pair.b.dial(A)
    pair.run(5)
    pair.a.commit_s = COMMIT_S
    pair.at_a.say("three")
    pair.settle(60)
    assert [row.ack for row in pair.peer(pair.at_a).messages] == [1, 2, 3]


def test_an_engine_that_stops_while_its_disk_fails_does_not_spin() -> None:
    pair = Pair(2)
    pair.run(1)
    pair.set_line(cut=True)
    pair.at_a.say("unanswered")
    pair.run(6)
    pair.a.disk.failing = next(iter(FAULTS))
    pair.at_a.ask(cmd.SetDraft(1, "not stored", 0))
    pair.a.node.stop("test", pair.a.now)
    pair.a.turn()
    steps = pair.clock.steps
    pair.run(5)
    assert pair.a.stopped == "test"
    assert pair.clock.steps - steps < 100


def test_a_message_committed_while_the_engine_stops_waits_for_the_next_start() -> None:
    pair = Pair(3)
    pair.run(1)
    pair.a.commit_s = (0.5, 0.5)
    pair.at_a.say("late")
    pair.a.node.stop("test", pair.a.now)
    pair.a.turn()
    pair.run(3)
    assert pair.a.stopped == "test"
    pair.a.up()
    pair.settle(10)
    pair.check(["late"], [])


@pytest.mark.parametrize("start_s", [0.1, 0.3, 0.7, 1e5 / 3])
def test_a_silent_front_end_is_given_up_at_its_deadline_and_not_a_rounding_later(
    start_s: float,
) -> None:
    pair = Pair(4)
    pair.run(start_s)
    pair.at_a.gone = True
    steps = pair.clock.steps
    pair.run(CLIENT_TIMEOUT_S + 10)
    assert not pair.a.node.front_ends.clients
    assert pair.clock.steps - steps < 2000
