"""A text that answers a message, on both sides: the reference is an id, and need not be known."""

import pytest

from chatnet_client.quotes import Quotes
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import LinkState, MessageRow
from local_world import LocalWorld
from simworld.disk import memory

UNKNOWN = bytes(range(16))


def quoted(world: LocalWorld, row: MessageRow, peer: int = 1) -> str:
    """What front ends show above an answer: a text, or that the message is not here."""
    quotes = Quotes(peer)
    quotes.want([row])
    asked = quotes.take_command()
    assert asked is not None
    quotes.handle_page(world.page(asked))
    assert quotes.is_known(row)
    found = quotes.find(row)
    return found.text if found else "message not here"


def at_the_peer(world: LocalWorld, message_id: bytes) -> MessageRow:
    """The same message in the other person's history."""
    client = world.peers[1].client
    assert client.view
    (row,) = [row for row in client.view.peers[0].messages if row.id == message_id]
    return row


def test_an_answer_arrives_with_its_reference() -> None:
    world = LocalWorld()
    question = world.peer_sends("at six?")
    answer = world.send("at seven", reply_to=question.id)
    world.until(lambda: world.peer().delivered_seq == answer.seq)
    assert at_the_peer(world, answer.id).reply_to == question.id
    again = world.peer_sends("fine", reply_to=answer.id)
    assert quoted(world, again) == "at seven"
    assert quoted(world, answer) == "at six?"


def test_a_reference_that_is_no_id_is_refused() -> None:
    world = LocalWorld()
    with pytest.raises(CommandError) as refused:
        world.send("x", reply_to=b"short")
    assert refused.value.code == ErrorCode.INVALID
    assert world.history == []


def test_an_unknown_message_is_not_here_for_either_side() -> None:
    world = LocalWorld()
    theirs = world.peer_sends("about that", reply_to=UNKNOWN)
    ours = world.send("which?", reply_to=UNKNOWN)
    world.until(lambda: world.peer().delivered_seq == ours.seq)
    assert theirs.reply_to == ours.reply_to == at_the_peer(world, ours.id).reply_to == UNKNOWN
    assert quoted(world, theirs) == quoted(world, ours) == "message not here"


def test_a_message_of_another_conversation_is_not_here() -> None:
    world = LocalWorld(peers=2)
    secret = world.send("for the second alone", peer=2)
    row = world.peer_sends("what did you mean?", reply_to=secret.id)
    assert row.reply_to == secret.id
    assert quoted(world, row) == "message not here"
    assert quoted(world, row, peer=2) == "for the second alone"


def test_a_withdrawn_message_is_not_here() -> None:
    world = LocalWorld()
    world.peer_leaves()
    withdrawn = world.send("never sent")
    answer = world.send("I meant", reply_to=withdrawn.id)
    world.do(cmd.WithdrawMessage(withdrawn.id, 1))
    world.peer_returns()
    world.until(lambda: world.peer().delivered_seq == answer.seq)
    assert quoted(world, answer) == "message not here"
    assert at_the_peer(world, answer.id).reply_to == withdrawn.id


def test_a_message_that_a_restore_brings_back_is_here_then() -> None:
    world = LocalWorld()
    question = world.peer_sends("from before")
    world.crash()
    world.engine.connection = memory()
    world.boot()
    world.do(cmd.AddPeer("10.0.0.1", 5001, "bob"))
    world.until(lambda: world.view.peer(1) is not None)
    world.until(lambda: world.peer().link.state == LinkState.UP)
    answer = world.peer_sends("and?", reply_to=question.id)
    assert quoted(world, answer) == "message not here"
    world.do(cmd.AskRestore(1))
    world.run(1.0)
    world.peer_asks(cmd.AnswerRestore(1, True))
    world.until(lambda: any(row.id == question.id for _, row in world.history))
    assert quoted(world, answer) == "from before"
    (kept,) = [row for _, row in world.history if row.id == answer.id]
    assert kept.reply_to == question.id
