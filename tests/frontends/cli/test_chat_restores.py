"""A conversation that is restored, as a chat in a terminal tells it."""

from chat_model import Chat
from chatnet_cli.hints import AS_VERBS
from chatnet_cli.news import News
from chatnet_client.client_events import EngineLost
from chatnet_client.words import ENGINE_DIED
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import RestoreMine, RestoreRow, RestoreTheirs
from local_world import LocalWorld


def lost(texts: int) -> LocalWorld:
    """A session whose history is gone, and the peer has so many texts of it."""
    world = LocalWorld()
    world.peer_sends_all([f"old {number}" for number in range(texts)])
    world.lose_history()
    world.until(lambda: world.peer().restore.mine == RestoreMine.POSSIBLE)
    return world


def test_asking_for_a_lost_conversation() -> None:
    world = lost(4)
    chat = Chat(world)
    assert chat.first_lines == [
        "-- bob · connected",
        "-- Part of your conversation with bob is missing here. (/restore asks for it)",
    ]
    assert chat.write("/restore") == [
        "-- Asked bob for the missing part of your conversation; bob has to consent."
        " (/restore stop takes that back)"
    ]
    assert any("bob has to consent" in line for line in chat.write("/status"))
    world.peer_asks(cmd.AnswerRestore(1, consent=True))
    world.until(lambda: world.peer().restore.mine == RestoreMine.DONE)
    assert chat.turn() == ["-- Your conversation with bob is restored: 4 messages."]
    assert "old 3" in chat.write("/history")[-2]
    chat.write("/restore stop")
    assert chat.seen(cmd.AskRestore) == [cmd.AskRestore(1), cmd.AskRestore(1, wanted=False)]
    assert chat.write("/restore now") == ["-- /restore stands alone, or /restore stop."]


def test_how_far_a_restore_is_stands_at_the_bottom() -> None:
    chat = Chat()
    chat.world.announce(ev.RestoreChanged(RestoreRow(1, RestoreMine.RUNNING, restored=4)))
    assert chat.turn() == ["-- Your conversation with bob is being restored: 4 messages so far."]
    assert "4 restored" in chat.model.status(80)[-1]
    chat.world.announce(ev.RestoreChanged(RestoreRow(1, RestoreMine.RUNNING, restored=5)))
    assert chat.turn() == [], "old messages do not scroll by as new ones"
    assert "5 restored" in chat.model.status(80)[-1]


def test_a_peer_that_asks_is_answered_by_slash() -> None:
    chat = Chat(LocalWorld(peers=2), peer="bob")
    chat.world.announce(ev.RestoreChanged(RestoreRow(2, theirs=RestoreTheirs.ASKED)))
    assert "peer2 has lost messages" in chat.turn()[0], "also of a peer that is not talked to"
    chat.world.peer_sends("before the loss")
    chat.world.lose_history(peer=1)
    chat.turn()
    chat.world.peer_asks(cmd.AskRestore(1))
    chat.world.until(lambda: chat.world.peer().restore.theirs == RestoreTheirs.ASKED)
    assert chat.turn()[-1].endswith("(/give sends it, /refuse does not)")
    assert chat.write("/give") == [
        "-- bob is receiving a copy of your conversation.",
        "-- bob has received a copy of your conversation.",
    ]
    assert chat.write("/refuse") == ["-- You declined to send bob the conversation."]
    answers = [cmd.AnswerRestore(1, consent=consent) for consent in (True, False)]
    assert chat.seen(cmd.AnswerRestore) == answers


def test_what_came_back_while_the_engine_was_away_is_not_printed() -> None:
    world = lost(3)
    chat = Chat(world)
    chat.engine_dies(EngineLost(ENGINE_DIED))
    world.boot()
    world.window_asks(cmd.AskRestore(1))
    world.run(1)
    world.peer_asks(cmd.AnswerRestore(1, consent=True))
    world.until(lambda: world.peer().restore.mine == RestoreMine.DONE)
    world.peer_sends("new")
    chat.machine.handle_connected(chat.now)
    lines = chat.turn()
    assert [line for line in lines if "old" in line] == []
    assert any("new" in line for line in lines)


def test_in_a_pipe_the_way_to_answer_is_a_verb() -> None:
    world = LocalWorld()
    world.announce(ev.RestoreChanged(RestoreRow(1, theirs=RestoreTheirs.ASKED)))
    (line,) = News(AS_VERBS).opening(world.peer())
    assert line.text.endswith("(answer: chatnet history --give, or --refuse)")
