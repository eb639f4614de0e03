"""Crashes, partitions, lost histories: nothing lost, nothing doubled, by seed."""

import sqlite3

import pytest

from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import LinkChanged, Notice
from chatnet_protocol.ipc.rows import LinkState
from chatnet_protocol.ipc.view import message_state
from simworld.network import Line
from simworld.pair import B, Pair

BAD_LINE = Line(loss=0.2, duplicate=0.05, jitter_s=0.02, reorder=0.1)


def notices(pair: Pair) -> list[str]:
    events = pair.at_a.events + pair.at_b.events
    return [event.code for event in events if isinstance(event, Notice)]


def test_a_partition_is_shown_and_healed_within_two_seconds() -> None:
    pair = Pair(1)
    pair.at_a.say("before")
    pair.settle(5)
    pair.set_line(cut=True)
    pair.at_a.say("during")
    pair.run(60)
    assert pair.peer(pair.at_a).link.state == LinkState.SILENT
    arrived = pair.network.counts["sent"]
    pair.set_line(cut=False)
    pair.settle(3)
    assert pair.network.counts["sent"] > arrived
    assert pair.peer(pair.at_a).link.state == LinkState.UP
    pair.check(["before", "during"], [])


@pytest.mark.parametrize("seed", range(20))
def test_crashes_lose_and_double_nothing(seed: int) -> None:
    pair = Pair(seed, BAD_LINE)
    random = pair.clock.random
    said: dict[str, list[str]] = {"a": [], "b": []}
    for number in range(60):
        for engine, client in ((pair.a, pair.at_a), (pair.b, pair.at_b)):
            if random.random() < 0.05:
                engine.crash()
                pair.run(random.choice([0, 0.05, 2]))
                engine.up()
                pair.run(0.02)
            text = f"{engine.name}{number}"
            message_id = text.encode().rjust(16)
            said[engine.name].append(text)
            client.insist(text, message_id)
        pair.run(random.choice([0, 0, 0.01, 0.2]))
    pair.clock.run(pair.clock.now_s + 5, pair.all_queued)
    pair.settle()
    pair.check(said["a"], said["b"])
    assert pair.a.crashes + pair.b.crashes > 0


def test_a_peer_with_a_wiped_history_is_told_and_acks_go_on() -> None:
    pair = Pair(3)
    for number in range(5):
        pair.at_a.say(f"old{number}")
    pair.settle(5)
    pair.b.crash()
    pair.b.connection = sqlite3.connect(":memory:", isolation_level=None)
    pair.b.up()
    pair.b.dial(("10.0.0.1", 5001))
    pair.at_a.say("new")
    pair.settle(60)
    assert pair.texts(pair.b, mine=False) == ["new"]
    (row,) = [m for m in pair.peer(pair.at_b).messages if not m.mine]
    assert row.ack == 6
    assert {"history-gap", "peer-lost-history"} <= set(notices(pair))
    assert pair.peer(pair.at_b).unread == 1


@pytest.mark.parametrize("seed", range(10))
def test_a_rolled_back_history_gets_what_it_forgot_if_the_peer_still_has_it_queued(
    seed: int,
) -> None:
    pair = Pair(seed, BAD_LINE)
    pair.at_a.say("one")
    pair.settle()
    backup = pair.b.connection.serialize()
    pair.at_a.say("two")
    pair.at_b.say("from b")
    pair.settle()
    pair.b.crash()
    restored = sqlite3.connect(":memory:", isolation_level=None)
    restored.deserialize(backup)
    pair.b.connection = restored
    pair.b.up()
    pair.at_a.say("three")
    pair.at_b.say("again from b")
    pair.settle()
    assert pair.texts(pair.b, mine=False) == ["one", "three"]
    assert pair.texts(pair.a, mine=False) == ["from b", "again from b"]
    assert pair.texts(pair.a, mine=True) == ["one", "two", "three"]
    assert "history-gap" in notices(pair)


def test_an_engine_that_stops_says_goodbye_and_messages_wait() -> None:
    pair = Pair(4)
    pair.run(2)
    pair.b.node.stop("test", pair.b.now)
    pair.b.turn()
    pair.run(0.5)
    assert pair.b.stopped == "test"
    link = pair.peer(pair.at_a).link
    assert link.state == LinkState.DIALLING
    pair.at_a.say("are you there?")
    pair.run(30)
    pair.b.up()
    pair.settle(5)
    pair.check(["are you there?"], [])


def test_a_refusal_that_comes_late_ends_nothing() -> None:
    """The first refusal is lost; it is repeated after the other side has dialled us itself."""
    pair = Pair(1, Line(delay_s=0.03), both_dial=False)
    pair.run(0.035)
    back = pair.network.line("10.0.0.2", "10.0.0.1")
    back.loss = 1.0
    pair.run(0.03)
    back.loss = 0.0
    pair.b.dial(("10.0.0.1", 5001))
    pair.run(5)
    pair.at_a.say("still here")
    pair.settle(2)
    assert pair.texts(pair.b, mine=False) == ["still here"]
    assert pair.network.counts["lost"] > 0
    refused = [e for e in pair.at_a.events if isinstance(e, LinkChanged)]
    assert LinkState.PENDING not in [event.row.state for event in refused]


def test_a_peer_that_moves_is_followed() -> None:
    pair = Pair(5)
    pair.at_b.say("from home")
    pair.settle(5)
    links = pair.peer(pair.at_a).link.links
    pair.network.rebind(B, ("10.9.9.9", 40000))
    pair.at_b.say("from the train")
    pair.settle(5)
    pair.check([], ["from home", "from the train"])
    assert pair.peer(pair.at_a).messages[-1].source == "10.9.9.9:40000"
    assert pair.peer(pair.at_a).link.links == links


def test_a_failing_store_is_told_and_receipts_nothing() -> None:
    pair = Pair(6)
    pair.run(2)
    pair.b.store_fails = "The disk is full."
    pair.at_a.say("waits for room")
    asked = pair.at_b.ask_text("not stored")
    pair.run(3)
    assert pair.peer(pair.at_a).delivered_seq == 0
    failure = pair.at_b.replies[asked].failure
    assert failure
    assert failure.code == "store"
    assert "store-failed" in notices(pair)
    pair.b.store_fails = ""
    pair.settle(30)
    pair.check(["waits for room"], [])
    assert "store-works" in notices(pair)


@pytest.mark.parametrize("seed", range(4))
def test_what_arrives_before_a_slow_hello_is_applied_does_not_wait_for_more(seed: int) -> None:
    """The message is acknowledged at once and taken as soon as the HELLO is committed, although
    nothing else is sent or arrives."""
    pair = Pair(seed)
    pair.run(2)
    pair.a.crash()
    pair.b.crash()
    pair.b.commit_s = (0.6, 0.6)
    pair.a.up()
    pair.at_a.say("hello")
    pair.run(0.5)
    pair.b.up()
    pair.run(0.1)
    pair.settle(3)
    pair.check(["hello"], [])


def test_a_text_is_withdrawn_unless_a_link_was_given_it() -> None:
    pair = Pair(8)
    sent = pair.at_a.say("on its way")
    pair.run(1)
    pair.b.crash()
    pair.run(30)
    waits = pair.at_a.say("never mind")
    pair.at_a.say("still true")
    pair.a.crash()
    pair.a.up()
    pair.run(1)
    asked = [pair.at_a.ask(cmd.WithdrawMessage(one, 1)) for one in (sent, waits, waits, b"x" * 16)]
    pair.run(0.1)
    codes = [failure.code if (failure := pair.at_a.replies[n].failure) else "" for n in asked]
    assert codes == ["not-allowed", "", "", "not-allowed"]
    shown = pair.peer(pair.at_a)
    assert [message_state(row, shown) for row in shown.messages] == [
        "delivered",
        "failed",
        "queued",
    ]
    pair.b.up()
    pair.settle(30)
    assert pair.texts(pair.b, mine=False) == ["on its way", "still true"]
    shown = pair.peer(pair.at_a)
    states = [message_state(row, shown) for row in shown.messages]
    assert states == ["delivered", "failed", "delivered"]
    assert pair.at_a.view
    assert pair.at_a.view.durable() == pair.a.ledger.load_view(pair.a.session())
