"""The chat without a terminal: lines, marks, drafts, slash commands."""

import pytest

from chat_model import Chat
from chatnet_cli import transcript
from chatnet_cli.chat_model import FIRST_ROWS, ChatModel
from chatnet_cli.slash import handle_line
from chatnet_client.client_events import Cause, EngineLost, Outage, Refused
from chatnet_client.words import ENGINE_DIED
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.reasons import LinkReason, reason
from chatnet_protocol.ipc.rows import LinkRow, LinkState
from local_world import LocalWorld, link_gauge

LOST = EngineLost("gone")


def test_opening_shows_the_newest_and_where_reading_stopped() -> None:
    world = LocalWorld()
    world.peer_sends_all([f"text {number}" for number in range(30)])
    world.do(cmd.MarkRead(1, 29))
    world.run(1)
    lines = Chat(world).first_lines
    assert lines[0] == "-- bob · connected"
    assert len(lines) == 1 + FIRST_ROWS + 1
    assert lines[-2] == "-- new messages"
    assert lines[-1] == "22:30:00 bob: text 29  [ACK 30 · 10.0.0.1:5001]"


def test_what_is_shown_is_marked_once() -> None:
    chat = Chat()
    chat.world.peer_sends_all(["a", "b"])
    chat.turn()
    assert chat.world.peer().my_read == 2
    chat.turn()
    assert len(chat.seen(cmd.MarkRead)) <= 2


def test_without_a_terminal_nothing_counts_as_read() -> None:
    chat = Chat(watched=False)
    chat.world.peer_sends("a")
    assert any("bob: a" in line for line in chat.turn())
    assert [*chat.seen(cmd.MarkRead), *chat.seen(cmd.MarkShown)] == []


def test_sending_shows_the_line_when_it_is_durable() -> None:
    chat = Chat()
    assert chat.write("hello") == ["22:30:00 me: hello"]
    assert chat.model.unanswered == 0
    assert "last ✓✓" in chat.model.status(80)[-1]
    assert chat.write("   ") == []
    assert "/quit" in chat.write("//quit")[0]


def test_a_message_that_was_not_queued_comes_back() -> None:
    chat = Chat()
    chat.world.instead[cmd.SendMessage] = CommandError(ErrorCode.STORE, "the disk is full")
    assert chat.write("hello") == ["-- the disk is full"]
    assert chat.model.take_input() == "hello"
    assert chat.model.failed


def test_other_peers_are_announced_and_can_be_switched_to() -> None:
    chat = Chat(LocalWorld(peers=2), peer="bob")
    chat.world.peer_sends("psst", 2)
    assert chat.turn() == ["-- New message from peer2 (1 unread): /peer 2"]
    assert "psst" in chat.write("/peer peer2")[-1]
    assert chat.world.peer(2).my_read == 1
    assert chat.write("/peers")[1].startswith("-- * 2 peer2")


def draft(chat: Chat, text: str) -> list[str]:
    """Another window writes this; the lines that were printed."""
    chat.world.window_asks(cmd.SetDraft(1, text, chat.world.peer().draft_revision))
    return chat.turn()


CONFLICT = "-- a draft is being written in another window; your line is unchanged"


def test_drafts_are_shared_both_ways() -> None:
    chat = Chat()
    chat.model.typed("hel", chat.now)
    chat.now += 1.0
    chat.turn()
    assert chat.world.peer().draft == "hel"
    assert draft(chat, "hello") == []
    assert chat.model.take_input() == "hello"
    chat.model.typed("hello!", chat.now)
    assert draft(chat, "other") == [CONFLICT]
    assert chat.model.take_input() is None


def test_a_draft_that_was_there_is_gone_on_with() -> None:
    world = LocalWorld()
    world.window_asks(cmd.SetDraft(1, "unfinished", 0))
    chat = Chat(world)
    assert chat.model.take_input() == "unfinished"
    chat.write("unfinished business")
    assert world.peer().draft == ""


def test_another_windows_draft_is_shown_once_the_own_line_is_sent_or_emptied() -> None:
    chat = Chat()
    chat.model.typed("mine", chat.now)
    assert draft(chat, "theirs") == [CONFLICT]
    chat.write("mine")
    assert chat.model.take_input() == "theirs"
    chat.model.typed("theirs, not", chat.now)
    draft(chat, "theirs now")
    chat.model.typed("", chat.now)
    assert chat.model.take_input() == "theirs now"
    assert chat.world.peer().draft == "theirs now"


def test_commands_are_not_shared() -> None:
    chat = Chat()
    chat.model.typed("/file secret", chat.now)
    chat.now += 9.0
    chat.turn()
    assert [*chat.seen(cmd.SetDraft), *chat.seen(cmd.SetTyping)] == []


def test_a_draft_lost_to_a_faster_one_is_told() -> None:
    chat = Chat()
    chat.model.typed("mine", chat.now)
    chat.now += 1.0
    chat.world.window_asks(cmd.SetDraft(1, "theirs", 0))
    assert chat.turn() == [CONFLICT]
    assert [command.text for command in chat.seen(cmd.SetDraft)] == ["mine"]


def test_the_own_line_outlives_the_engine() -> None:
    chat = Chat()
    chat.model.typed("mine", chat.now)
    chat.engine_dies(LOST)
    chat.world.boot()
    chat.world.window_asks(cmd.SetDraft(1, "theirs", 0))
    chat.machine.handle_connected(chat.now)
    chat.turn()
    assert chat.model.take_input() is None
    assert "22:30:00 me: mine" in chat.write("mine")
    assert chat.world.peer().draft == "theirs", "what another window writes stays there"


def test_waiting_and_typing_in_the_toolbar() -> None:
    chat = Chat()
    chat.world.cut()
    chat.write("hello")
    assert chat.model.status(80)[-1] == "bob · connected · 1 waiting · last · queued"
    chat.world.heal()
    chat.world.peer_asks(cmd.SetTyping(1, True))
    chat.turn()
    assert chat.model.status(80)[-1] == "bob · connected · last ✓✓ delivered · typing …"
    chat.world.do(cmd.RemovePeer(1))
    chat.turn()
    assert chat.model.status(80)[-1] == "this peer was removed"
    chat.model.switch(7)
    assert chat.turn() == []


def test_in_a_pipe_delivery_is_a_line() -> None:
    chat = Chat(watched=False)
    assert chat.write("hello") == ["22:30:00 me: hello", "-- ✓✓ delivered up to ACK 1"]


def test_typing_is_told_now_and_then() -> None:
    chat = Chat()
    for text in ("h", "he", "hel"):
        chat.model.typed(text, chat.now)
    chat.model.typed("", chat.now)
    chat.model.typed("/help", chat.now)
    chat.turn()
    assert chat.seen(cmd.SetTyping) == [cmd.SetTyping(1, True), cmd.SetTyping(1, False)]


def test_link_changes_notices_failures_and_losses_are_quiet_lines() -> None:
    chat = Chat()
    refused = LinkRow(1, LinkState.REFUSED, 0, reason=reason(LinkReason.PEER_REFUSED, "no\x1b"))
    full = ev.Notice("warning", "store-failed", ["disk \x1bfull."])
    chat.world.announce(ev.LinkChanged(refused), full, ev.MessageFailed(1, 7, "too old"))
    assert chat.turn() == [
        "-- bob · refused: bob closed the connection: no\\x1b.",
        "-- The history cannot be written: disk \\x1bfull. Nothing is lost; trying again.",
        "-- message 7 was not sent: too old",
    ]
    assert chat.engine_dies(LOST) == ["-- The engine was stopped (gone)."]
    assert "engine not running" in chat.model.status(80)[-1]


def test_why_the_engine_is_away_and_how_to_start_it_is_said_once() -> None:
    chat = Chat()
    assert chat.engine_dies(EngineLost(ENGINE_DIED)) == []
    chat.model.handle_event(EngineLost("", Outage(Cause.RESTARTING, command="chatnet engine 1 -d")))
    assert chat.turn() == ["-- The engine crashed and is being started again …"]
    chat.model.handle_event(EngineLost("", Outage(Cause.GAVE_UP, "SIGKILL", "chatnet engine 1 -d")))
    assert chat.turn()[-1] == "-- Start it with: chatnet engine 1 -d"
    chat.world.engine.restarts, chat.world.engine.died_of = 2, "SIGABRT"
    lines = chat.engine_returns()
    assert "-- The engine crashed (killed by SIGABRT) and was started again." in lines


def test_after_a_restart_only_what_was_missed_is_printed() -> None:
    chat = Chat()
    chat.world.peer_sends("one")
    chat.turn()
    chat.engine_dies(EngineLost(ENGINE_DIED))
    chat.world.boot()
    chat.world.peer_sends("two")
    chat.machine.handle_connected(chat.now)
    assert [line for line in chat.turn() if "bob:" in line] == [
        "22:30:00 bob: two  [ACK 2 · 10.0.0.1:5001]"
    ]


def test_a_refusal_for_good_ends_the_chat() -> None:
    chat = Chat()
    chat.model.handle_event(Refused(ErrorCode.BUSY, "full", False))
    assert not chat.model.done
    chat.model.handle_event(Refused(ErrorCode.VERSION, "upgrade", True))
    assert chat.model.done
    assert chat.model.failed


def test_a_peer_that_is_not_there_ends_the_chat() -> None:
    assert Chat(peer="nobody").model.done
    assert Chat(LocalWorld(peers=0)).model.failed


def test_history_search_status_help() -> None:
    chat = Chat()
    chat.world.peer_sends_all([f"text {number}" for number in range(5)])
    chat.turn()
    lines = chat.write("/history 2")
    assert [line.split(": ")[1][:6] for line in lines[:2]] == ["text 3", "text 4"]
    assert lines[2] == "-- 2 messages, and more before"
    assert chat.write("/search TEXT 0")[1] == "-- 1 message"
    chat.gauge(link_gauge(rtt_ms=31.0, loss=0.1))
    status = chat.write("/status")
    assert "session 12345" in status[0]
    assert "RTT 31 ms · loss 10%" in status[2]
    assert "31 ms · loss 10%" in chat.model.status(80)[-1]
    assert any("/file" in line for line in chat.write("/help"))
    for bad in ("/history x", "/search", "/nonsense \x1b", "/peer nobody"):
        assert len(chat.write(bad)) == 1
        assert not chat.model.done


def test_a_text_that_was_never_sent_is_taken_back() -> None:
    chat = Chat()
    assert chat.write("/withdraw") == ["-- No text of yours waits to be sent."]
    chat.write("sent")
    chat.world.peer_leaves()
    chat.turn()
    chat.write("first")
    chat.write("second")
    assert chat.write("/withdraw 1") == ["-- No text of yours waits as message 1."]
    assert chat.write("/withdraw 2") == ["-- message 2 was not sent: Withdrawn before it was sent."]
    assert chat.model.take_input() == "first"
    chat.model.typed("another", chat.now)
    assert "message 3" in chat.write("/withdraw")[0]
    assert chat.model.take_input() is None, "what is being written stays"
    assert chat.write("/withdraw 3") == ["-- No text of yours waits as message 3."]
    asked = [command.id for command in chat.seen(cmd.WithdrawMessage)]
    assert asked == [row.id for _, row in chat.world.history[1:]]
    assert "✗" in chat.model.status(80)[-1]


def test_what_was_sent_meanwhile_is_not_taken_back() -> None:
    chat = Chat()
    chat.world.peer_leaves()
    chat.turn()
    chat.write("hello")
    late = CommandError(ErrorCode.NOT_ALLOWED, "It may have been sent.")
    chat.world.instead[cmd.WithdrawMessage] = late
    assert chat.write("/withdraw") == ["-- It may have been sent."]
    assert chat.model.take_input() is None


def test_leaving_and_stopping() -> None:
    chat = Chat()
    chat.write("/quit")
    assert chat.model.done
    assert chat.world.engine.is_up
    chat.write("/stop")
    assert not chat.world.engine.is_up


def test_before_anything_is_known() -> None:
    model = ChatModel(None, watched=True, new_id=bytes)
    handle_line(model, "hello", bytes)
    handle_line(model, "/status", bytes)
    assert [line.style for line in model.take_lines()] == ["error", "error"]
    assert model.status(80)[-1] == "connecting to the engine …"
    assert model.take_input() == "hello", "the text is not lost"
    model.typed("x", 0.0)
    assert model.take_commands() == []
    assert model.next_timeout() is None


def test_lines_nobody_takes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "MAX_LINES", 3)
    model = ChatModel(None, watched=True, new_id=bytes)
    for number in range(9):
        model.say(str(number))
    assert [line.text for line in model.take_lines()] == ["-- 6", "-- 7", "-- 8"]
