"""One conversation over lost, restored and replaced histories, long outboxes and odd answers."""

import sqlite3

import msgspec

from chatnet_engine.arq.line import KnownLine
from chatnet_engine.node.messaging.conversation import LINE_EVERY_S, Conversation
from chatnet_engine.node.waiting import Waiting
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import MarksMoved, MessagesDelivered, Notice
from chatnet_protocol.wire import messages as wire
from chatnet_protocol.wire.frames import Receipt
from simworld.engine import SimEngine
from simworld.pair import A, Pair


def talk_of(engine: SimEngine) -> Conversation:
    return engine.node.messaging.conversations[1]


def notices(pair: Pair) -> list[str]:
    events = [*pair.at_a.events, *pair.at_b.events]
    return [event.code for event in events if isinstance(event, Notice)]


def connected() -> Pair:
    pair = Pair(1)
    pair.run(1)
    return pair


def restore(engine: SimEngine, backup: bytes) -> None:
    """The engine dies and starts again on an old copy of its history; `` is an empty one."""
    engine.crash()
    engine.connection = sqlite3.connect(":memory:", isolation_level=None)
    if backup:
        engine.connection.deserialize(backup)
    engine.up()


def test_a_wiped_history_is_told_and_ack_numbers_and_marks_go_on() -> None:
    pair = connected()
    for number in range(5):
        pair.at_a.say(f"old{number}")
    pair.settle(5)
    pair.at_b.ask(cmd.MarkRead(1, 5))
    pair.run(0.5)
    restore(pair.b, b"")
    pair.b.dial(A)
    pair.at_a.say("new")
    pair.settle(60)
    assert pair.texts(pair.b, mine=False) == ["new"]
    assert pair.peer(pair.at_b).messages[-1].ack == 6
    assert pair.peer(pair.at_b).unread == 1
    assert {"history-gap", "peer-lost-history"} <= set(notices(pair))
    pair.at_b.ask(cmd.MarkRead(1, 6))
    pair.run(1)
    assert pair.peer(pair.at_a).peer_read == 6
    assert pair.peer(pair.at_b).unread == 0


def test_a_rolled_back_sender_learns_what_it_forgot_and_its_new_texts_come_after() -> None:
    pair = connected()
    pair.at_a.say("one")
    pair.settle(5)
    backup = pair.a.connection.serialize()
    for number in range(3):
        pair.at_a.say(f"lost {number}")
        pair.at_b.say(f"answer {number}")
    pair.settle(5)
    pair.set_line(cut=True)
    restore(pair.a, backup)
    pair.at_a.say("queued before it is known")
    pair.run(1)
    pair.set_line(cut=False)
    pair.settle(60)
    assert "own-history-lost" in notices(pair)
    lamports = [row.lamport for row in pair.peer(pair.at_b).messages]
    assert lamports[-1] > max(lamports[:-1])
    assert pair.texts(pair.b, mine=False)[-1] == "queued before it is known"
    own = [row.lamport for row in pair.peer(pair.at_a).messages if row.mine]
    assert own[-1] == lamports[-1]


def test_receipts_that_were_lost_with_their_sender_are_repeated_after_hello() -> None:
    pair = connected()
    pair.network.line("10.0.0.2", "10.0.0.1").cut = True
    pair.at_a.say("one")
    pair.at_a.say("two")
    pair.run(1)
    assert pair.texts(pair.b, mine=False) == ["one", "two"]
    assert pair.peer(pair.at_a).waiting == 2
    pair.b.crash()
    pair.b.up()
    pair.network.line("10.0.0.2", "10.0.0.1").cut = False
    pair.settle(30)
    pair.check(["one", "two"], [])


def test_a_long_outbox_is_read_in_pages() -> None:
    pair = connected()
    pair.b.crash()
    pair.run(20)
    texts = [f"{number}" for number in range(3000)]
    for text in texts:
        pair.at_a.say(text)
    pair.run(5)
    pair.a.crash()
    for engine in (pair.a, pair.b):
        engine.up()
    pair.settle(60)
    pair.check(texts, [])


def test_without_a_link_nothing_is_sent_about_typing() -> None:
    pair = connected()
    talk = talk_of(pair.a)
    talk.close_link()
    talk.set_typing(True)
    talk.fill()
    assert (talk.link, talk.streaming) == (None, False)


def test_a_control_message_waits_for_nobody_when_the_window_is_full() -> None:
    pair = connected()
    talk = talk_of(pair.a)
    assert talk.link
    credit = talk.link.credit(wire.CHANNEL_CONTROL)
    talk.link.send(wire.CHANNEL_CONTROL, bytes(credit + 1))
    assert talk.link.credit(wire.CHANNEL_CONTROL) == credit


def test_typing_is_told_once_and_ends_with_a_text_or_a_word() -> None:
    pair = connected()
    for typing in (False, True, True, False, True):
        pair.at_a.ask(cmd.SetTyping(1, typing))
        pair.run(0.2)
        assert pair.peer(pair.at_b).typing == typing
    pair.at_a.say("done")
    pair.settle(5)
    assert not pair.peer(pair.at_b).typing


def test_a_state_that_brings_other_marks_is_told_to_front_ends() -> None:
    pair = connected()
    pair.at_b.say("hello")
    pair.settle(5)
    talk = talk_of(pair.a)
    before = len([e for e in pair.at_a.events if isinstance(e, MarksMoved)])
    talk.resume(talk.state)
    talk.resume(msgspec.structs.replace(talk.state, my_shown=1, my_read=1))
    pair.a.turn()
    moved = [e for e in pair.at_a.events if isinstance(e, MarksMoved)]
    assert len(moved) == before + 1
    assert (moved[-1].my_shown, moved[-1].my_read) == (1, 1)


def test_receipts_told_twice_and_answers_of_a_former_link_change_nothing() -> None:
    pair = connected()
    pair.at_a.say("hello")
    pair.settle(5)
    talk = talk_of(pair.a)
    delivered = len([e for e in pair.at_a.events if isinstance(e, MessagesDelivered)])
    again = c.ReceiptsStored(1, talk.state.delivered_seq, talk.state.acked_total, [])
    talk.handle_result(again, Waiting(c.StoreReceipts(1, [])))
    late = c.AcceptMessages(1, 12345, 1, [], "10.0.0.2:5002", 0)
    state = talk.state
    talk.handle_result(c.MessagesAccepted(1, [], [Receipt(1, 1, 1)], 99), Waiting(late))
    pair.a.turn()
    assert talk.state == state
    assert len([e for e in pair.at_a.events if isinstance(e, MessagesDelivered)]) == delivered


def learned(pair: Pair) -> None:
    """`a` knows a line that loses a fifth."""
    link = talk_of(pair.a).link
    assert link is not None
    known = KnownLine(loss_rate=0.2, persistence=0.0, near_gap_s=0.0, bursty=False)
    link.connection.line.resume(known)


def copies_after_a_restart(pair: Pair) -> int:
    pair.a.up()
    pair.run(3)
    link = talk_of(pair.a).link
    assert link is not None
    return link.connection.stats.copies


def test_a_known_line_is_known_after_a_restart_of_the_engine() -> None:
    pair = connected()
    learned(pair)
    pair.run(2 * LINE_EVERY_S)
    assert talk_of(pair.a).state.line
    pair.a.crash()
    assert copies_after_a_restart(pair) == 3


def test_the_end_of_a_link_stores_what_it_knew() -> None:
    pair = connected()
    learned(pair)
    pair.b.crash()
    pair.b.up()
    pair.run(LINE_EVERY_S / 2)
    assert talk_of(pair.a).state.line
    pair.a.crash()
    assert copies_after_a_restart(pair) == 3


def test_a_line_that_stays_as_it_is_is_stored_once() -> None:
    pair = connected()
    learned(pair)
    statements: list[str] = []
    pair.a.connection.set_trace_callback(statements.append)
    pair.run(5 * LINE_EVERY_S)
    assert sum("SET line" in statement for statement in statements) == 1


def test_a_new_link_begins_with_what_the_last_one_knew_of_the_line() -> None:
    pair = connected()
    conversation = talk_of(pair.a)
    known = KnownLine(loss_rate=0.2, persistence=0.0, near_gap_s=0.0, bursty=False)
    old = conversation.link
    assert old is not None
    old.connection.line.resume(known)
    pair.b.crash()
    pair.b.up()
    pair.run(60)
    new = conversation.link
    assert new is not None
    assert new is not old
    assert new.connection.stats.copies == 3
