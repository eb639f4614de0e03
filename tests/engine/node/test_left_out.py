"""A row of the history that cannot be read is left out at the start and named; the rest works."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatnet_engine.ledger.schema import open_file
from chatnet_engine.node.left_out import LeftOut
from chatnet_engine.node.messaging import messaging
from chatnet_engine.node.messaging.conversation import Conversation
from chatnet_engine.store_ops.commit import LeftOut as Row
from chatnet_engine.store_ops.commit import PeerState
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import Notice
from chatnet_protocol.ipc.reasons import NoticeCode
from chatnet_protocol.ipc.rows import LinkState
from injection.scenario import World
from simworld.client import SimClient

ID = bytes(15) + b"\x01"
TEXT = "CAST(x'62c328' AS TEXT)"  # "b", then what is no UTF-8
DETAIL = "x'c1'"
TRANSFER = (
    "INSERT INTO transfers (id, ended, peer, no, mine, state, name, files, size_bytes, done_bytes,"
    " by_whom, reason, path, changed_ms, detail, given) VALUES (x'{id}', 0, 1, 1, 0, {state},"
    " {name}, 1, 1, 0, '', '', '', 0, x'c1', x'')"
)
DAMAGED_PEERS = {
    "a name that is no text": f"UPDATE peers SET name = {TEXT} WHERE peer = 1",
    "a key of another length": "UPDATE peers SET key = x'010203' WHERE peer = 1",
    "an offered key of another length": "UPDATE peers SET offered_key = x'01' WHERE peer = 1",
    "refused keys that are none": "UPDATE peers SET refused_keys = x'01' WHERE peer = 1",
    "no such trust": "UPDATE peers SET trust = 'total' WHERE peer = 1",
    "counters that are gone": "DELETE FROM counters WHERE peer = 1",
    "an incarnation too long": (
        "UPDATE counters SET incarnation = x'ffffffffffffffffff' WHERE peer = 1"
    ),
    "a draft that is no text": f"REPLACE INTO drafts VALUES (1, 1, {TEXT})",
}
DAMAGED_TRANSFERS = {
    "a name that is no text": TRANSFER.format(id=ID.hex(), state="'offered'", name=TEXT),
    "no such state": TRANSFER.format(id=ID.hex(), state="'lost'", name="'a.txt'"),
    "a detail that is none": TRANSFER.format(id=ID.hex(), state="'offered'", name="'a.txt'"),
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Engine A's history is a file; it is down, and has talked."""
    world = World()
    world.at_b.say("from b")
    world.at_c.say("from c")
    world.at_a.say("to b", 1)
    world.run(1.0)
    world.a.crash()
    path = tmp_path / "history.db"
    copy = sqlite3.connect(path)
    world.a.connection.backup(copy)
    copy.close()
    world.a.connection.close()
    world.a.connection = open_file(str(path))
    yield world
    world.a.connection.close()


def start(world: World, *damage: str) -> SimClient:
    """Start engine A on its damaged history, with a new front end."""
    world.a.connection.execute("PRAGMA foreign_keys = OFF")
    for statement in damage:
        world.a.connection.execute(statement)
    world.a.clients.clear()
    world.a.up()
    client = world.at_a = world.a.attach("new")
    world.run(3.0)
    return client


def notices(client: SimClient) -> list[Notice]:
    return [
        event
        for event in client.events
        if isinstance(event, Notice) and event.code.startswith("left-out")
    ]


def assert_the_other_works(world: World) -> None:
    assert world.at_a.view
    other = world.at_a.view.peer(2)
    assert other
    assert other.link.state == LinkState.UP
    world.at_a.say("and to c", 2)
    world.run(1.0)
    assert "and to c" in world.texts(world.c, 1, mine=False)
    assert world.at_a.view.durable() == world.a.ledger.load_view(world.a.session())


@pytest.mark.parametrize("damage", DAMAGED_PEERS.values(), ids=DAMAGED_PEERS)
def test_a_peer_that_cannot_be_read_is_left_out_and_named(world: World, damage: str) -> None:
    client = start(world, damage)
    assert client.view
    assert [peer.info.peer for peer in client.view.peers] == [2]
    [left_out] = notices(client)
    assert (left_out.code, left_out.params[0]) == (NoticeCode.LEFT_OUT_PEER, "1")
    assert any(line.startswith("left out: peer of peer 1: ") for line in world.a.problems)
    requests = [
        client.ask(command)
        for command in (
            cmd.SetPeer(1, name="Bob"), cmd.RemovePeer(1), cmd.SetDraft(1, "a", 0),
            cmd.SendMessage(ID, 1, "to nobody"), cmd.AskRestore(1, True),
        )
    ]  # fmt: skip
    world.run(0.5)
    for request in requests:
        failure = client.replies[request].failure
        assert failure
        assert failure.code == ErrorCode.UNKNOWN_PEER, failure.text
        assert "is left out" in failure.text
    assert_the_other_works(world)


def test_a_stranger_with_the_key_of_a_peer_left_out_changes_nothing(world: World) -> None:
    start(world, DAMAGED_PEERS["a name that is no text"])
    world.at_b.say("is anybody there?")
    world.run(20.0)
    assert world.at_a.view
    assert [peer.info.peer for peer in world.at_a.view.peers] == [2]
    assert_the_other_works(world)


def test_a_row_that_is_mended_is_there_again_with_what_waited(world: World) -> None:
    start(world, DAMAGED_PEERS["a name that is no text"])
    world.at_b.say("said meanwhile")
    world.a.crash()
    world.a.connection.execute("UPDATE peers SET name = 'b' WHERE peer = 1")
    world.at_a.events.clear()
    world.a.up()
    world.run(90.0)
    assert "said meanwhile" in world.texts(world.a, 1, mine=False)
    assert notices(world.at_a) == []


@pytest.mark.parametrize("damage", DAMAGED_TRANSFERS.values(), ids=DAMAGED_TRANSFERS)
def test_a_transfer_that_cannot_be_read_is_left_out_and_named(world: World, damage: str) -> None:
    client = start(world, damage)
    [left_out] = notices(client)
    assert (left_out.code, left_out.peer) == (NoticeCode.LEFT_OUT_TRANSFER, 1)
    requests = [
        client.ask(command)
        for command in (cmd.AcceptTransfer(ID, ""), cmd.CancelTransfer(ID), cmd.PauseTransfer(ID))
    ]
    world.run(0.5)
    for request in requests:
        failure = client.replies[request].failure
        assert failure
        assert failure.code == ErrorCode.UNKNOWN_TRANSFER
        assert "is left out" in failure.text
    assert_the_other_works(world)
    world.at_b.say("the peer of it is as before")
    world.run(1.0)
    assert "the peer of it is as before" in world.texts(world.a, 1, mine=False)


def test_a_message_that_cannot_be_read_is_left_out_and_named(world: World) -> None:
    client = start(world, f"UPDATE messages SET source = {TEXT} WHERE peer = 1 AND author != 0")
    [left_out] = notices(client)
    assert (left_out.code, left_out.peer) == (NoticeCode.LEFT_OUT_MESSAGE, 1)
    assert client.view
    shown = client.view.peer(1)
    assert shown
    assert [row.text for row in shown.messages] == ["to b"]
    request = client.ask(cmd.FetchHistory(1))
    world.run(0.5)
    page = client.replies[request].result
    assert isinstance(page, cmd.HistoryPage)
    assert [row.text for row in page.rows] == ["to b"]
    assert_the_other_works(world)


def test_an_offer_that_is_none_is_left_out_and_named(world: World) -> None:
    client = start(
        world, "UPDATE messages SET kind = 2, body = x'c1' WHERE peer = 1 AND author != 0"
    )
    [left_out] = notices(client)
    assert (left_out.code, left_out.peer) == (NoticeCode.LEFT_OUT_MESSAGE, 1)
    assert_the_other_works(world)


@pytest.mark.parametrize("values", ["'perhaps', 1, 0, x'', 0, 'none'", "'none', 1, 0, x'', 0, ''"])
def test_a_wish_that_cannot_be_read_is_left_out_and_named(world: World, values: str) -> None:
    columns = "peer, mine, want, after, after_id, restored, theirs, their_want"
    client = start(world, f"INSERT INTO restores ({columns}) VALUES (1, {values}, 0)")
    [left_out] = notices(client)
    assert (left_out.code, left_out.peer) == (NoticeCode.LEFT_OUT_RESTORE, 1)
    assert_the_other_works(world)


def test_a_peer_whose_conversation_cannot_be_made_is_left_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Conversation

    def failing(state: PeerState, *args: Any) -> Conversation:
        if state.peer == 1:
            raise ZeroDivisionError("injected")
        return original(state, *args)

    monkeypatch.setattr(messaging, "Conversation", failing)
    client = start(world)
    [left_out] = notices(client)
    assert (left_out.code, left_out.params[0]) == (NoticeCode.LEFT_OUT_PEER, "1")
    world.at_a.say("and to c", 2)
    world.run(1.0)
    assert "and to c" in world.texts(world.c, 1, mine=False)


def test_many_damaged_rows_are_counted(world: World) -> None:
    world.a.connection.execute("PRAGMA foreign_keys = OFF")
    rows = [TRANSFER.format(id=f"{n:032x}", state="'lost'", name="'a'") for n in range(1, 12)]
    client = start(world, *rows)
    said = notices(client)
    assert len(said) == 9
    assert (said[-1].code, said[-1].params) == (NoticeCode.LEFT_OUT_MORE, ["3"])


@pytest.mark.parametrize(("name", "called"), [("Bob", "Bob (peer 1) is"), ("", "Peer 1 is")])
def test_who_is_left_out_is_named_if_the_name_can_be_read(name: str, called: str) -> None:
    with pytest.raises(CommandError) as caught:
        LeftOut([Row(Row.PEER, 1, name, error="")]).check(cmd.RemovePeer(1))
    assert str(caught.value.detail).startswith(called)
