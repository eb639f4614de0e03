"""What failed half way is read again from the store, and front ends learn what they missed."""

from typing import Any

import pytest

from chatnet_engine.files.transfers import Transfers
from chatnet_engine.ledger import outgoing, people, reload
from chatnet_engine.node.front_ends.front_ends import FrontEnds
from chatnet_engine.node.links.traffic import Traffic
from chatnet_engine.node.messaging.conversation import Conversation
from chatnet_engine.node.node import Node
from chatnet_engine.node.people.inviting import Inviting
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import Notice
from chatnet_protocol.ipc.reasons import NoticeCode
from injection.scenario import World, link_count
from simworld.client import SimClient
from simworld.engine import SimEngine
from simworld.file_pair import OFFER, FilePair, states


@pytest.fixture
def world() -> World:
    return World()


def fails_once_at(world: World, kind: type, *, late: bool = False) -> None:
    """Handling the next command or result of this kind raises."""
    node = world.a.node
    assert node
    table: dict[type, Any] = node.commands if kind in node.commands else node.results
    original = table[kind]

    def failing(*args: Any) -> None:
        table[kind] = original
        if late:
            original(*args)
        raise ZeroDivisionError("injected")

    table[kind] = failing


def fails_once(
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    *,
    late: bool = False,
    of: object = None,
) -> None:
    """The next call raises. `late`: after it has done what it does. `of`: only of this object."""
    original = getattr(owner, name)

    def failing(*args: Any, **kwargs: Any) -> Any:
        if of is not None and args[0] is not of:
            return original(*args, **kwargs)
        monkeypatch.setattr(owner, name, original)
        if late:
            original(*args, **kwargs)
        raise ZeroDivisionError("injected")

    monkeypatch.setattr(owner, name, failing)


def node_of(engine: SimEngine) -> Node:
    return engine.node


def code_of(client: SimClient, request: int) -> str:
    """Of the failure that answered; empty: it was done."""
    failure = client.replies[request].failure
    return failure.code if failure else ""


def assert_shown_as_stored(engine: SimEngine, client: SimClient) -> None:
    assert client.view
    assert client.view.durable() == engine.ledger.load_view(engine.session())


@pytest.mark.parametrize(
    "act",
    [
        lambda world: world.at_a.say("committed and not shown at first", 1),
        lambda world: world.at_b.say("from the peer"),
        lambda world: world.at_a.ask(cmd.MarkRead(1, 1)),
        lambda world: world.at_a.ask(cmd.SetDraft(1, "half a sentence", 0)),
    ],
    ids=["own text", "their text", "marks", "draft"],
)
def test_what_was_committed_and_not_taken_in_is_shown_after_all(
    world: World, monkeypatch: pytest.MonkeyPatch, act: Any
) -> None:
    world.at_b.say("something to read")
    world.run(1)
    conversation = node_of(world.a).messaging.conversations[1]
    fails_once(monkeypatch, Conversation, "handle_result", of=conversation)
    act(world)
    world.run(2)
    assert len(world.a.problems) == 1
    assert world.problems() == []


def test_receipts_that_were_committed_and_not_taken_in_are_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.at_a.say("it is delivered", 1)
    world.run(0.01)
    original = Conversation.handle_result

    def failing(self: Conversation, result: Any, waiting: Any) -> None:
        if type(result).__name__ == "ReceiptsStored" and not world.a.problems and self.peer == 1:
            raise ZeroDivisionError("injected")
        original(self, result, waiting)

    monkeypatch.setattr(Conversation, "handle_result", failing)
    world.run(1)
    assert len(world.a.problems) == 1
    assert world.problems() == []
    assert world.at_a.view
    assert world.at_a.view.peers[0].delivered_seq == 1


def test_a_draft_that_was_stored_is_answered_though_showing_it_failed(world: World) -> None:
    fails_once_at(world, c.DraftStored)
    request = world.at_a.ask(cmd.SetDraft(1, "half a sentence", 0))
    world.run(1)
    assert code_of(world.at_a, request) == ""
    assert world.problems() == []
    assert world.at_a.view
    assert world.at_a.view.peers[0].draft == "half a sentence"


def test_a_peer_whose_state_is_read_again_is_not_typing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.at_b.ask(cmd.SetTyping(1, True))
    world.run(0.5)
    assert world.at_a.view
    assert world.at_a.view.peers[0].typing
    fails_once(monkeypatch, Conversation, "_arrived")
    world.at_b.say("now it is written")
    world.run(0.2)
    assert not world.at_a.view.peers[0].typing
    assert world.problems() == []


def test_a_new_peer_that_could_not_be_taken_in_is_read_from_the_store(world: World) -> None:
    fails_once_at(world, c.PeerStored)
    request = world.at_a.ask(cmd.AddPeer("10.0.0.9", 9, "late"))
    world.run(1)
    assert code_of(world.at_a, request) == ""
    assert world.at_a.view
    assert [peer.info.name for peer in world.at_a.view.peers][2:] == ["late"]
    assert world.problems() == []


def test_a_removal_that_was_committed_is_taken_in_from_the_store(world: World) -> None:
    before = link_count(world.at_a, 2)
    fails_once_at(world, c.PeerForgotten)
    request = world.at_a.ask(cmd.RemovePeer(1))
    world.run(3)
    assert code_of(world.at_a, request) == ""
    assert world.at_a.view
    assert [peer.info.peer for peer in world.at_a.view.peers] == [2]
    assert_shown_as_stored(world.a, world.at_a)
    assert link_count(world.at_a, 2) == before
    again = world.at_a.ask(cmd.RemovePeer(1))
    world.run(1)
    assert code_of(world.at_a, again) == ErrorCode.UNKNOWN_PEER


@pytest.mark.parametrize("command", [cmd.RemovePeer(1), cmd.SetPeer(1, name="Bob")])
def test_a_command_that_fails_at_its_end_leaves_the_peer_as_it_was(
    world: World, command: cmd.Command
) -> None:
    fails_once_at(world, type(command), late=True)
    request = world.at_a.ask(command)
    world.run(1)
    assert code_of(world.at_a, request) == ErrorCode.INTERNAL
    assert world.at_a.view
    assert world.at_a.view.peers[0].info.name != "Bob"
    world.at_b.say("still linked")
    assert world.problems() == []
    assert_shown_as_stored(world.a, world.at_a)


def test_of_two_texts_at_once_the_one_that_fails_is_taken_back_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = world.at_a.ask_text("the first", 1)
    fails_once(monkeypatch, Conversation, "queue", late=True)
    second = world.at_a.ask_text("the second", 1)
    third = world.at_a.ask_text("the third", 1)
    world.run(2)
    assert [code_of(world.at_a, one) for one in (first, second, third)] == [
        "", ErrorCode.INTERNAL, "",
    ]  # fmt: skip
    assert world.problems() == []
    assert world.texts(world.b, 1, mine=False) == ["the first", "the third"]


def test_a_text_that_the_store_fails_at_is_refused_and_the_next_one_queued(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_once(monkeypatch, outgoing, "queue")
    request = world.at_a.ask_text("never stored", 1)
    world.run(1)
    assert code_of(world.at_a, request) == ErrorCode.INTERNAL
    world.at_a.say("stored", 1)
    assert world.problems() == []
    assert world.texts(world.b, 1, mine=False) == ["stored"]


def test_a_peer_that_the_store_fails_to_add_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_once(monkeypatch, people, "store")
    request = world.at_a.ask(cmd.AddPeer("10.0.0.9", 9, "nobody"))
    world.run(1)
    assert code_of(world.at_a, request) == ErrorCode.INTERNAL
    again = world.at_a.ask(cmd.AddPeer("10.0.0.9", 9, "somebody"))
    world.run(1)
    assert world.at_a.replies[again].result == cmd.PeerAdded(3)
    assert world.problems() == []


def test_a_peer_that_cannot_be_read_again_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = link_count(world.at_a, 2)
    fails_once(monkeypatch, reload, "load_peer")
    fails_once(monkeypatch, Conversation, "_arrived")
    world.at_b.say("taken in at last")
    world.run(30)
    assert [problem.partition(": ZeroDivisionError at ")[0] for problem in world.a.problems] == [
        "contained: peer 1", "contained: peer 1 cannot be read",
    ]  # fmt: skip
    assert world.notices()[-1].code == NoticeCode.PEER_UNREADABLE
    assert world.problems() == []
    assert world.texts(world.a, 1, mine=False) == ["taken in at last"]
    assert link_count(world.at_a, 2) == before


@pytest.fixture
def reading(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in which A has asked its store for peer 1 again; a transaction takes a second."""
    fails_once(monkeypatch, Conversation, "_arrived")
    world.a.commit_s = (1.0, 1.0)
    world.at_b.say("in between")
    assert world.clock.run(world.clock.now_s + 5, lambda: is_read(world))
    return world


def is_read(world: World) -> bool:
    return 1 in world.a.node.links.reloading


def test_a_row_that_is_changed_while_the_peer_is_read_is_built_upon(reading: World) -> None:
    reading.at_a.ask(cmd.SetPeer(1, name="Bob"))
    reading.run(1.2)
    assert not is_read(reading)
    reading.at_a.ask(cmd.SetPeer(1, auto_accept_bytes=5))
    reading.run(5)
    assert reading.at_a.view
    row = reading.at_a.view.peers[0].info
    assert (row.name, row.auto_accept_bytes) == ("Bob", 5)


def test_messages_stored_while_a_peer_is_about_to_be_read_are_shown_in_the_order_of_all_peers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_once(monkeypatch, Conversation, "_arrived")
    world.a.commit_s = (1.0, 1.0)
    world.at_a.say("to the one that is read again", 1)
    world.at_a.say("to somebody else", 2)
    world.at_b.say("in between")
    assert world.clock.run(world.clock.now_s + 0.5, lambda: is_read(world))
    world.run(30)
    assert [(no, text) for no, _, text in world.at_a.texts] == [
        (1, "to the one that is read again"), (2, "to somebody else"), (3, "in between"),
    ]  # fmt: skip


def test_a_peer_that_is_removed_while_it_is_read_is_gone_at_once(reading: World) -> None:
    reading.at_a.ask(cmd.RemovePeer(1))
    reading.run(1.2)
    assert not is_read(reading)
    late = reading.at_a.ask(cmd.SetPeer(1, name="Bob"))
    reading.run(0.1)
    assert code_of(reading.at_a, late) == ErrorCode.UNKNOWN_PEER


def test_an_event_of_the_endpoint_that_fails_costs_its_peer_the_link(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = link_count(world.at_a, 2)
    world.b.crash()
    fails_once(monkeypatch, Traffic, "_link_up", of=node_of(world.a).traffic)
    world.b.up()
    world.run(3)
    assert world.a.problems[0].startswith("contained: peer 1: ZeroDivisionError at ")
    world.at_b.say("linked again")
    assert world.problems() == []
    assert link_count(world.at_a, 2) == before


def test_an_answer_that_fails_is_a_failure_of_its_command(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_once(monkeypatch, FrontEnds, "handle_read", of=node_of(world.a).front_ends)
    request = world.at_a.ask(cmd.FetchHistory(1))
    world.run(1)
    assert code_of(world.at_a, request) == ErrorCode.INTERNAL
    again = world.at_a.ask(cmd.FetchHistory(1))
    world.run(1)
    assert code_of(world.at_a, again) == ""


def test_an_invite_that_cannot_be_made_ready_costs_nobody_a_link(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = link_count(world.at_a, 1), link_count(world.at_a, 2)
    fails_once(monkeypatch, Inviting, "handle_stretched")
    world.at_a.ask(cmd.MakeInvite())
    world.run(3)
    assert len(world.a.problems) == 1
    assert (link_count(world.at_a, 1), link_count(world.at_a, 2)) == before
    assert world.problems() == []


# --- transfers ---


@pytest.fixture
def pair() -> FilePair:
    """A large file is on its way from A to B, whose engine contains what raises."""
    pair = FilePair(3, 400_000)
    pair.b.crash()
    pair.b.contain = True
    pair.b.up()
    pair.run(2)
    pair.offer()
    pair.run(0.5)
    return pair


def contained(client: SimClient) -> list[str]:
    notices = [event for event in client.events if isinstance(event, Notice)]
    return [notice.code for notice in notices if notice.code.startswith("contained")]


def test_a_transfer_whose_command_fails_is_read_again_and_goes_on(
    pair: FilePair, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_once(monkeypatch, Transfers, "act", late=True)
    request = pair.at_b.ask(cmd.PauseTransfer(OFFER))
    pair.run(0.5)
    assert code_of(pair.at_b, request) == ErrorCode.INTERNAL
    assert_shown_as_stored(pair.b, pair.at_b)
    assert pair.clock.run(pair.clock.now_s + 300, pair.done), states(pair.at_b)


def test_transfers_that_fail_at_what_was_stored_are_read_again_and_go_on(
    pair: FilePair, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_once(monkeypatch, Transfers, "handle_stored", of=node_of(pair.b).transfers.transfers)
    assert pair.clock.run(pair.clock.now_s + 300, pair.done), states(pair.at_b)
    [problem] = pair.b.problems
    assert problem.startswith("contained: transfers: ZeroDivisionError at ")
    assert contained(pair.at_b) == [NoticeCode.CONTAINED_TRANSFERS]


def test_a_peer_that_is_read_again_keeps_its_transfers(
    pair: FilePair, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_once(monkeypatch, Conversation, "_arrived")
    pair.at_a.say("in between")
    assert pair.clock.run(pair.clock.now_s + 300, pair.done), states(pair.at_b)
    assert len(pair.b.problems) == 1


def test_files_for_a_peer_that_is_removed_while_they_are_listed_are_not_offered() -> None:
    pair = FilePair(4)
    request = pair.offer()
    removed = pair.at_a.ask(cmd.RemovePeer(1))
    pair.run(1)
    assert code_of(pair.at_a, request) == ErrorCode.UNKNOWN_PEER
    assert code_of(pair.at_a, removed) == ""
    assert states(pair.at_a) == states(pair.at_b) == []
