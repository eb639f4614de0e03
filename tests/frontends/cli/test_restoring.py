"""`chatnet history --restore`, `--give`, `--refuse` against a fake engine."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chatnet_client.client import Client
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import LinkState, RestoreMine, RestoreTheirs, Trust
from cli_shell import Shell
from fake_engine import FakeCore, FakeEngine, make_view

STANDS = "The request stays open; chatnet history --restore --stop takes it back."


def once_asked(engine: FakeEngine, *steps: Callable[[FakeCore], object]) -> None:
    """What the peer does when it is asked, in order, right after the answer."""
    answer = engine.core.answer

    def answered(routing_id: bytes, command: cmd.Command) -> cmd.Result:
        result = answer(routing_id, command)
        if isinstance(command, cmd.AskRestore):
            for step in steps:
                step(engine.core)
        return result

    engine.core.answer = answered  # type: ignore[method-assign]


def test_asking_waits_until_everything_is_back(shell: Shell, engine: FakeEngine) -> None:
    once_asked(
        engine,
        lambda core: core.restore(1, ["one", "two"]),
        lambda core: core.restore(1, ["three"]),
        lambda core: core.move_restore(1, mine=RestoreMine.DONE),
    )
    assert shell.run("history", "--restore") == 0
    assert shell.out == "done · 3 messages · peer 1\n"
    assert shell.err == "bob has to consent; bob is asked until then, also if this command ends.\n"
    assert engine.seen(cmd.AskRestore) == [cmd.AskRestore(1)]


def test_a_terminal_shows_how_far_it_is(shell: Shell, engine: FakeEngine) -> None:
    shell.stderr_is_tty = True
    once_asked(
        engine,
        lambda core: core.restore(1, ["one"]),
        lambda core: core.move_restore(1, mine=RestoreMine.DONE),
    )
    assert shell.run("history", "--restore", "--peer", "bob") == 0
    assert "\r\x1b[KAsked bob for the missing part of your conversation" in shell.err
    assert "\r\x1b[KYour conversation with bob is being restored: 1 message so far." in shell.err
    assert shell.err.endswith("so far.\n")


def test_what_an_earlier_request_came_to_is_not_this_ones_end(
    shell: Shell, engine: FakeEngine
) -> None:
    engine.do(lambda core: core.move_restore(1, mine=RestoreMine.DONE, restored=9))
    assert shell.run("history", "--restore", "--timeout", "0.2") == 4
    assert shell.err.endswith(f"Not yet. {STANDS}\n")
    assert shell.out == ""


def test_an_offer_that_comes_late_is_not_taken_for_a_withdrawal(
    shell: Shell, engine: FakeEngine
) -> None:
    answer = engine.core.answer

    def answered(routing_id: bytes, command: cmd.Command) -> cmd.Result:
        if isinstance(command, cmd.AskRestore):
            engine.core.move_restore(1, mine=RestoreMine.POSSIBLE)
        return answer(routing_id, command)

    engine.core.answer = answered  # type: ignore[method-assign]
    assert shell.run("history", "--restore", "--timeout", "0.2") == 4


def test_a_refusal_says_so(shell: Shell, engine: FakeEngine) -> None:
    once_asked(
        engine,
        lambda core: core.move_restore(1, mine=RestoreMine.REFUSED),
    )
    assert shell.run("history", "--restore") == 5
    assert shell.err.endswith("bob declined to send you the conversation.\n")


def test_a_peer_that_is_away_is_told(shell: Shell, engine: FakeEngine) -> None:
    engine.do(lambda core: core.set_link(1, LinkState.SILENT))
    assert shell.run("history", "--restore", "--timeout", "0") == 4
    assert "bob is not answering now; it is asked once connected." in shell.err


def test_the_request_can_be_taken_back(shell: Shell, engine: FakeEngine) -> None:
    assert shell.run("history", "--restore", "--stop") == 0
    assert shell.out == "stopped asking · peer 1\n"
    assert engine.seen(cmd.AskRestore) == [cmd.AskRestore(1, wanted=False)]
    once_asked(engine, lambda core: core.move_restore(1, mine=RestoreMine.NONE))
    assert shell.run("history", "--restore") == 1
    assert shell.err.endswith("The request was taken back.\n")


def test_a_request_that_was_made_before_is_followed(
    shell: Shell, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_event = Client.next_event
    steps = [RestoreMine.NONE]

    def then_taken_back(client: Client, timeout_s: float) -> object:
        if steps and engine.seen(cmd.AskRestore):
            engine.do(lambda core: core.move_restore(1, mine=steps.pop()))
        return next_event(client, timeout_s)

    engine.do(lambda core: core.move_restore(1, mine=RestoreMine.RUNNING, restored=7))
    core, answer = engine.core, engine.core.answer
    core.answer = lambda routing_id, command: (  # type: ignore[method-assign]
        cmd.Done() if isinstance(command, cmd.AskRestore) else answer(routing_id, command)
    )
    monkeypatch.setattr(Client, "next_event", then_taken_back)
    shell.stderr_is_tty = True
    assert shell.run("history", "--restore") == 1
    assert "being restored: 7 messages so far." in shell.err
    assert shell.err.endswith("The request was taken back.\n")


def test_ctrl_c_leaves_the_request_standing(
    shell: Shell, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(client: Client, timeout_s: float) -> None:
        if engine.seen(cmd.AskRestore):
            raise KeyboardInterrupt

    monkeypatch.setattr(Client, "next_event", interrupted)
    assert shell.run("history", "--restore") == 130
    assert shell.err.endswith(f"\n{STANDS}\n")
    assert [command.wanted for command in engine.seen(cmd.AskRestore)] == [True]


def test_an_engine_that_stops_ends_the_waiting(
    shell: Shell, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_event = Client.next_event
    stopping = [ev.EngineStopping("bye")]

    def then_stop(client: Client, timeout_s: float) -> object:
        if stopping and engine.seen(cmd.AskRestore):
            engine.do(lambda core: core.publish(stopping.pop()))
        return next_event(client, timeout_s)

    monkeypatch.setattr(Client, "next_event", then_stop)
    assert shell.run("history", "--restore") == 3
    assert STANDS in shell.err


def test_a_peer_that_is_removed_ends_the_waiting(shell: Shell, engine: FakeEngine) -> None:
    once_asked(engine, lambda core: core.publish(ev.PeerRemoved(1)))
    assert shell.run("history", "--restore") == 1
    assert shell.err.endswith("The peer was removed.\n")


def test_the_peer_that_asks_is_answered(shell: Shell, home: Path) -> None:
    with FakeEngine(home, FakeCore(make_view(peers=2))) as engine:
        assert shell.run("history", "--give") == 2, "two are known and none asks"
        assert shell.run("history", "--give", "--peer", "bob") == 1
        assert shell.err == "bob has not asked for your conversation.\n"
        engine.do(lambda core: core.move_restore(2, theirs=RestoreTheirs.ASKED))
        assert shell.run("history", "--give") == 0
        assert shell.out == "sending the conversation · peer 2\n"
        assert shell.err == "You have not verified peer2: chatnet peer verify 2\n"
        assert shell.run("history", "--refuse", "--peer", "2") == 0
        assert shell.out == "refused · peer 2\n"
        assert engine.seen(cmd.AnswerRestore) == [
            cmd.AnswerRestore(2, consent=True),
            cmd.AnswerRestore(2, consent=False),
        ]


def test_a_verified_peer_is_answered_without_a_reminder(shell: Shell, engine: FakeEngine) -> None:
    engine.do(lambda core: core.move_restore(1, theirs=RestoreTheirs.ASKED))
    engine.do(lambda core: core.change_peer(cmd.TrustPeer(1, "verified")))
    assert engine.core.peer(1).info.trust == Trust.VERIFIED
    assert shell.run("history", "--give") == 0
    assert shell.err == ""


@pytest.mark.parametrize(
    "words", [("--stop",), ("--timeout", "3"), ("--give", "--refuse"), ("--restore", "--give")]
)
def test_options_that_do_not_go_together(
    shell: Shell, engine: FakeEngine, words: tuple[str, ...]
) -> None:
    assert shell.run("history", *words) == 2
    assert engine.seen(cmd.AskRestore) == engine.seen(cmd.AnswerRestore) == []


def test_an_engine_that_cannot_is_believed(shell: Shell, engine: FakeEngine) -> None:
    engine.core.refuse[cmd.AskRestore] = CommandError(ErrorCode.NOT_ALLOWED, "Not this one.")
    assert shell.run("history", "--restore") == 5
    assert shell.err == "Not this one.\n"


def test_status_shows_what_is_open(shell: Shell, engine: FakeEngine) -> None:
    engine.do(lambda core: core.move_restore(1, mine=RestoreMine.POSSIBLE))
    assert shell.run("status") == 0
    assert (
        "  Part of your conversation with bob is missing here. (chatnet history --restore asks"
        in shell.out
    )
    engine.do(lambda core: core.move_restore(1, mine=RestoreMine.DONE))
    assert shell.run("status") == 0
    assert "conversation" not in shell.out, "what has ended is no news"
    engine.do(lambda core: core.move_restore(1, mine="none", theirs=RestoreTheirs.ASKED))
    assert shell.run("status") == 0
    assert (
        "asks you for a copy of your conversation. (answer: chatnet history --give, or --refuse)"
        in shell.out
    )
    assert shell.run("status", "--json") == 0
    (status,) = shell.objects()
    assert status["peers"][0]["restore"]["theirs"] == "asked"


def test_a_restored_message_is_marked_and_stands_in_its_place(
    shell: Shell, engine: FakeEngine
) -> None:
    engine.do(lambda core: core.receive(1, "after the loss"))
    engine.do(lambda core: core.restore(1, ["old one", "old two"]))
    assert shell.run("history", "--json") == 0
    rows = shell.objects()
    assert [row["text"] for row in rows] == ["old one", "old two", "after the loss"]
    assert [row.get("restored") for row in rows] == [True, True, None]
    assert shell.run("history", "--limit", "2") == 0
    assert [line.split(": ")[1][:7] for line in shell.out.splitlines()] == ["old two", "after t"]


def test_files_that_the_view_lists_no_longer_can_be_fetched(
    shell: Shell, engine: FakeEngine
) -> None:
    transfer = engine.do(lambda core: core.offer(1, "old.bin"))
    engine.do(lambda core: core.receive(1, "a text"))
    engine.core.view.transfers.clear()
    assert shell.run("accept", "2") == 1
    assert shell.err == "There is no transfer '2'. See: chatnet transfers\n"
    assert shell.run("accept", "0") == 1
    engine.core.refuse[cmd.AcceptTransfer] = CommandError(
        ErrorCode.NOT_ALLOWED, "Bob took it back."
    )
    assert shell.run("accept", "1") == 5
    assert [command.id for command in engine.seen(cmd.AcceptTransfer)] == [transfer]
