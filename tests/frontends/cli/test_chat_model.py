"""The chat without a terminal: lines, marks, drafts, slash commands."""

from pathlib import Path

import msgspec
import pytest

from chat_model import Chat
from chatnet_cli import transcript
from chatnet_cli.chat_model import FIRST_ROWS, ChatModel
from chatnet_cli.hints import AS_VERBS
from chatnet_cli.slash import handle_line
from chatnet_client.client_events import Cause, EngineLost, Outage, Refused
from chatnet_client.words import ENGINE_DIED
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.reasons import LinkReason, reason
from chatnet_protocol.ipc.rows import LinkState, RestoreMine, RestoreTheirs, TransferState
from fake_engine import FakeCore, make_view


def test_opening_shows_the_newest_and_where_reading_stopped() -> None:
    core = FakeCore()
    for number in range(30):
        core.receive(1, f"text {number}")
    core.marks(1, my_read=29)
    lines = Chat(core).first_lines
    assert lines[0] == "-- bob · connected"
    assert len(lines) == 1 + FIRST_ROWS + 1
    assert lines[-2] == "-- new messages"
    assert lines[-1] == "22:13:50 bob: text 29  [ACK 30 · 10.0.0.1:5001]"


def test_what_is_shown_is_marked_once() -> None:
    chat = Chat()
    chat.core.receive(1, "a")
    chat.core.receive(1, "b")
    chat.turn()
    assert chat.core.peer(1).my_read == 2
    chat.turn()
    assert len(chat.seen(cmd.MarkRead)) <= 2


def test_without_a_terminal_nothing_counts_as_read() -> None:
    chat = Chat(watched=False)
    chat.core.receive(1, "a")
    chat.turn()
    assert chat.seen(cmd.MarkRead) == chat.seen(cmd.MarkShown) == []


def test_sending_shows_the_line_when_it_is_durable() -> None:
    chat = Chat()
    assert chat.write("hello") == ["22:13:21 me: hello"]
    assert chat.model.unanswered == 0
    assert "last ✓✓" in chat.model.status(80)[-1]
    assert chat.write("   ") == []
    assert "/quit" in chat.write("//quit")[0]


def test_a_message_that_was_not_queued_comes_back() -> None:
    chat = Chat()
    chat.core.refuse[cmd.SendMessage] = CommandError(ErrorCode.STORE, "the disk is full")
    assert chat.write("hello") == ["-- the disk is full"]
    assert chat.model.take_input() == "hello"
    assert chat.model.failed


def test_other_peers_are_announced_and_can_be_switched_to() -> None:
    chat = Chat(FakeCore(make_view(peers=2)), peer="bob")
    chat.core.receive(2, "psst")
    assert chat.turn() == ["-- New message from peer2 (1 unread): /peer 2"]
    assert "psst" in chat.write("/peer peer2")[-1]
    assert chat.core.peer(2).my_read == 1
    assert chat.write("/peers")[1].startswith("-- * 2 peer2")


def test_drafts_are_shared_both_ways() -> None:
    chat = Chat()
    chat.model.typed("hel", chat.now)
    chat.now += 1.0
    chat.turn()
    assert chat.core.peer(1).draft == "hel"
    chat.core.publish(ev.DraftChanged(1, 2, "hello", 99))
    chat.turn()
    assert chat.model.take_input() == "hello"
    chat.model.typed("hello!", chat.now)
    chat.core.publish(ev.DraftChanged(1, 3, "other", 99))
    assert chat.turn() == ["-- a draft is being written in another window; your line is unchanged"]
    assert chat.model.take_input() is None


def test_a_draft_that_was_there_is_gone_on_with() -> None:
    core = FakeCore()
    core.publish(ev.DraftChanged(1, 1, "unfinished", 0))
    chat = Chat(core)
    assert chat.model.take_input() == "unfinished"
    chat.write("unfinished business")
    assert core.peer(1).draft == ""


def test_another_windows_draft_is_shown_once_the_own_line_is_sent_or_emptied() -> None:
    chat = Chat()
    chat.model.typed("mine", chat.now)
    chat.core.publish(ev.DraftChanged(1, 1, "theirs", 99))
    assert chat.turn() == ["-- a draft is being written in another window; your line is unchanged"]
    chat.write("mine")
    assert chat.model.take_input() == "theirs"
    chat.model.typed("theirs, not", chat.now)
    chat.core.publish(ev.DraftChanged(1, 2, "theirs now", 99))
    chat.turn()
    chat.model.typed("", chat.now)
    assert chat.model.take_input() == "theirs now"
    assert chat.core.peer(1).draft == "theirs now"


def test_commands_are_not_shared() -> None:
    chat = Chat()
    chat.model.typed("/file secret", chat.now)
    chat.now += 9.0
    chat.turn()
    assert chat.seen(cmd.SetDraft) == chat.seen(cmd.SetTyping) == []


def test_a_draft_lost_to_a_faster_one_is_told() -> None:
    chat = Chat()
    chat.core.answer, answer = (
        lambda routing_id, command: (  # type: ignore[method-assign]
            cmd.DraftSet(False, 9, "theirs")
            if isinstance(command, cmd.SetDraft)
            else answer(routing_id, command)
        ),
        chat.core.answer,
    )
    chat.model.typed("mine", chat.now)
    chat.now += 1.0
    assert chat.turn() == ["-- a draft is being written in another window; your line is unchanged"]


def test_the_own_line_outlives_the_engine() -> None:
    chat = Chat()
    chat.model.typed("mine", chat.now)
    chat.core.start_boot()
    chat.core.publish(ev.DraftChanged(1, 1, "theirs", 0))
    chat.core.publications.clear()
    chat.machine.handle_connected(chat.now)
    chat.turn()
    assert chat.model.take_input() is None
    assert chat.write("mine")[0] == "22:13:21 me: mine"
    assert chat.core.peer(1).draft == "theirs", "what another window writes stays there"


def test_waiting_and_typing_in_the_toolbar() -> None:
    chat = Chat()
    chat.core.auto_deliver = False
    chat.write("hello")
    chat.core.publish(ev.TypingChanged(1, True))
    chat.turn()
    assert chat.model.status(80)[-1] == "bob · connected · 1 waiting · last · queued · typing …"
    chat.core.publish(ev.PeerRemoved(1, 0))
    chat.turn()
    assert chat.model.status(80)[-1] == "this peer was removed"
    chat.model.switch(7)
    assert chat.turn() == []


def test_in_a_pipe_delivery_is_a_line() -> None:
    chat = Chat(watched=False)
    assert chat.write("hello") == ["22:13:21 me: hello", "-- ✓✓ delivered up to ACK 1001"]


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
    chat.core.set_link(1, LinkState.REFUSED, reason(LinkReason.PEER_REFUSED, "no\x1b"))
    full = ev.Notice("warning", "store-failed", ["disk \x1bfull."])
    chat.core.publish(full, ev.MessageFailed(1, 7, "too old"))
    assert chat.turn() == [
        "-- bob · refused: bob closed the connection: no\\x1b.",
        "-- The history cannot be written: disk \\x1bfull. Nothing is lost; trying again.",
        "-- message 7 was not sent: too old",
    ]
    chat.model.handle_event(EngineLost("gone"))
    assert chat.turn() == ["-- The engine was stopped (gone)."]
    assert "engine not running" in chat.model.status(80)[-1]


def test_why_the_engine_is_away_and_how_to_start_it_is_said_once() -> None:
    chat = Chat()
    chat.turn()
    chat.model.handle_event(EngineLost(ENGINE_DIED))
    assert chat.turn() == []
    chat.model.handle_event(EngineLost("", Outage(Cause.RESTARTING, command="chatnet engine 1 -d")))
    assert chat.turn() == ["-- The engine crashed and is being started again …"]
    chat.model.handle_event(EngineLost("", Outage(Cause.GAVE_UP, "SIGKILL", "chatnet engine 1 -d")))
    assert chat.turn()[-1] == "-- Start it with: chatnet engine 1 -d"
    chat.core.start_boot()
    row = msgspec.structs.replace(chat.core.view.session, restarts=2, died_of="SIGABRT")
    chat.core.view.session = row
    chat.machine.handle_connected(chat.now)
    assert "-- The engine crashed (killed by SIGABRT) and was started again." in chat.turn()


def test_after_a_restart_only_what_was_missed_is_printed() -> None:
    chat = Chat()
    chat.core.receive(1, "one")
    chat.turn()
    chat.core.start_boot()
    chat.core.receive(1, "two")
    chat.core.publications.clear()
    chat.machine.handle_connected(chat.now)
    assert chat.turn() == ["22:13:22 bob: two  [ACK 2 · 10.0.0.1:5001]"]


def test_a_refusal_for_good_ends_the_chat() -> None:
    chat = Chat()
    chat.model.handle_event(Refused(ErrorCode.BUSY, "full", False))
    assert not chat.model.done
    chat.model.handle_event(Refused(ErrorCode.VERSION, "upgrade", True))
    assert chat.model.done
    assert chat.model.failed


def test_a_peer_that_is_not_there_ends_the_chat() -> None:
    assert Chat(peer="nobody").model.done
    assert Chat(FakeCore(make_view(peers=0))).model.failed


def test_transfers_by_slash(tmp_path: Path) -> None:
    chat = Chat()
    assert chat.write("/accept") == ["-- There is no such transfer now."]
    first = chat.core.offer(1, "a.bin", 1000)
    chat.core.offer(1, "b.bin", 1000)
    chat.turn()
    assert chat.write("/accept") == ["-- Several are possible: 1, 2. Use /accept NUMBER."]
    assert "Receiving" in chat.write("/accept 1")[0]
    chat.core.transfer_gauge(first, 500, 100.0)
    chat.turn()
    assert "a.bin, 1.0 kB · 50% · 100 B/s · 0:05 left" in chat.model.status(120)[0]
    assert len(chat.model.status(40)[0]) == 40
    assert "Paused" in chat.write("/pause")[0]
    assert "Receiving" in chat.write("/resume")[0]
    assert "Declined" in chat.write("/reject")[0]
    assert "Cancelled" in chat.write("/cancel")[0]
    path = tmp_path / "c.txt"
    path.write_text("abc")
    assert "c.txt" in chat.write(f"/file {path}")[0]
    assert chat.core.view.transfers[-1].state == TransferState.OFFERED
    assert chat.write("/file /does/not/exist") == ["-- /does/not/exist does not exist."]
    assert "takes the path" in chat.write("/file")[0]
    assert "There is no transfer" in chat.write("/cancel 99")[0]


def test_history_search_status_help() -> None:
    chat = Chat()
    for number in range(5):
        chat.core.receive(1, f"text {number}")
    chat.turn()
    lines = chat.write("/history 2")
    assert [line.split(": ")[1][:6] for line in lines[:2]] == ["text 3", "text 4"]
    assert lines[2] == "-- 2 messages, and more before"
    assert chat.write("/search TEXT 0")[1] == "-- 1 message"
    chat.core.link_gauge(1, rtt_ms=31.0, loss=0.1)
    chat.turn()
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
    chat.core.auto_deliver = False
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
    assert asked == [chat.core.history[1][1].id, chat.core.history[2][1].id]
    assert "✗" in chat.model.status(80)[-1]


def test_what_was_sent_meanwhile_is_not_taken_back() -> None:
    chat = Chat()
    chat.core.auto_deliver = False
    chat.write("hello")
    late = CommandError(ErrorCode.NOT_ALLOWED, "It may have been sent.")
    chat.core.refuse[cmd.WithdrawMessage] = late
    assert chat.write("/withdraw") == ["-- It may have been sent."]
    assert chat.model.take_input() is None


def test_asking_for_a_lost_conversation() -> None:
    core = FakeCore()
    core.move_restore(1, mine=RestoreMine.POSSIBLE)
    chat = Chat(core)
    assert chat.first_lines == [
        "-- bob · connected",
        "-- Part of your conversation with bob is missing here. (/restore asks for it)",
    ]
    assert chat.write("/restore") == [
        "-- Asked bob for the missing part of your conversation; bob has to consent."
        " (/restore stop takes that back)"
    ]
    assert any("bob has to consent" in line for line in chat.write("/status"))
    core.restore(1, ["old"] * 3)
    assert chat.turn() == ["-- Your conversation with bob is being restored: 3 messages so far."]
    core.restore(1, ["older"])
    assert chat.turn() == [], "old messages do not scroll by as new ones"
    assert "4 restored" in chat.model.status(80)[-1]
    core.move_restore(1, mine=RestoreMine.DONE)
    assert chat.turn() == ["-- Your conversation with bob is restored: 4 messages."]
    assert "older" in chat.write("/history")[-2]
    chat.write("/restore stop")
    assert chat.seen(cmd.AskRestore) == [cmd.AskRestore(1), cmd.AskRestore(1, wanted=False)]
    assert chat.write("/restore now") == ["-- /restore stands alone, or /restore stop."]


def test_a_peer_that_asks_is_answered_by_slash() -> None:
    chat = Chat(FakeCore(make_view(peers=2)), peer="bob")
    chat.core.move_restore(2, theirs=RestoreTheirs.ASKED)
    assert "peer2 has lost messages" in chat.turn()[0], "also of a peer that is not talked to"
    chat.core.move_restore(1, theirs=RestoreTheirs.ASKED)
    assert chat.turn()[0].endswith("(/give sends it, /refuse does not)")
    assert chat.write("/give") == ["-- bob is receiving a copy of your conversation."]
    chat.core.move_restore(1, theirs=RestoreTheirs.GIVEN)
    assert chat.turn() == ["-- bob has received a copy of your conversation."]
    assert chat.write("/refuse") == ["-- You declined to send bob the conversation."]
    answers = [cmd.AnswerRestore(1, consent=consent) for consent in (True, False)]
    assert chat.seen(cmd.AnswerRestore) == answers
    chat.core.publish(ev.PeerRemoved(1, 0))
    chat.turn()


def test_what_came_back_while_the_engine_was_away_is_not_printed() -> None:
    chat = Chat()
    chat.core.start_boot()
    chat.core.restore(1, ["old"])
    chat.core.receive(1, "new")
    chat.core.publications.clear()
    chat.machine.handle_connected(chat.now)
    lines = chat.turn()
    assert [line for line in lines if "old" in line] == []
    assert any("new" in line for line in lines)


def test_in_a_pipe_the_way_to_answer_is_a_verb() -> None:
    piped = ChatModel(None, watched=False, new_id=bytes, has_line=False, hints=AS_VERBS)
    core = FakeCore()
    core.move_restore(1, theirs=RestoreTheirs.ASKED)
    (line,) = piped._news.opening(core.peer(1))
    assert line.text.endswith("(answer: chatnet history --give, or --refuse)")


def test_leaving_and_stopping() -> None:
    chat = Chat()
    chat.write("/quit")
    assert chat.model.done
    assert not chat.core.stopped
    chat.write("/stop")
    assert chat.core.stopped


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
