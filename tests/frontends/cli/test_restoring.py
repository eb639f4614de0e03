"""`chatnet history --restore`, `--give`, `--refuse` against an engine."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chatnet_client.client import Client
from chatnet_client.client_events import ClientEvent
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import RestoreMine, RestoreRow, RestoreTheirs, Trust
from cli_shell import Shell
from local_engine import LocalEngine
from local_world import LocalWorld

STANDS = "The request stays open; chatnet history --restore --stop takes it back."


def restore(world: LocalWorld, mine: str = "none", theirs: str = "none", restored: int = 0) -> None:
    """Announce that the conversation with the first peer is restored so far, one way or both."""
    world.announce(ev.RestoreChanged(RestoreRow(1, mine, theirs, restored)))


def lost(local: LocalEngine, *texts: str) -> None:
    """The history here is gone; the peer has these texts of it."""

    def lose(world: LocalWorld) -> None:
        world.peer_sends_all(texts)
        world.lose_history()
        world.until(lambda: world.peer().restore.mine == RestoreMine.POSSIBLE)

    local.do(lose)


def answer(consent: bool) -> Callable[[LocalWorld], None]:
    """What the other person does once asked."""

    def act(world: LocalWorld) -> None:
        world.run(1)
        world.peer_asks(cmd.AnswerRestore(1, consent=consent))
        world.run(5)

    return act


def test_asking_waits_until_everything_is_back(shell: Shell, local: LocalEngine) -> None:
    lost(local, "one", "two", "three")
    local.world.then[cmd.AskRestore] = answer(consent=True)
    assert shell.run("history", "--restore") == 0
    assert shell.out == "done · 3 messages · peer 1\n"
    assert shell.err == "bob has to consent; bob is asked until then, also if this command ends.\n"
    assert local.seen(cmd.AskRestore) == [cmd.AskRestore(1)]


def test_a_terminal_shows_how_far_it_is(shell: Shell, local: LocalEngine) -> None:
    lost(local, "one")

    def slowly(world: LocalWorld) -> None:
        restore(world, RestoreMine.RUNNING, restored=1)
        answer(consent=True)(world)

    shell.stderr_is_tty = True
    local.world.then[cmd.AskRestore] = slowly
    assert shell.run("history", "--restore", "--peer", "bob") == 0
    assert "\r\x1b[KAsked bob for the missing part of your conversation" in shell.err
    assert "\r\x1b[KYour conversation with bob is being restored: 1 message so far." in shell.err
    assert shell.err.endswith("so far.\n")


def test_what_an_earlier_request_came_to_is_not_this_ones_end(
    shell: Shell, local: LocalEngine
) -> None:
    local.do(lambda world: restore(world, RestoreMine.DONE, restored=9))
    assert shell.run("history", "--restore", "--timeout", "0.2") == 4
    assert shell.err.endswith(f"Not yet. {STANDS}\n")
    assert shell.out == ""


def test_an_offer_that_comes_late_is_not_taken_for_a_withdrawal(
    shell: Shell, local: LocalEngine
) -> None:
    def late(command: cmd.Command) -> None:
        restore(local.world, RestoreMine.POSSIBLE)

    local.world.instead[cmd.AskRestore] = late
    assert shell.run("history", "--restore", "--timeout", "0.2") == 4


def test_a_refusal_says_so(shell: Shell, local: LocalEngine) -> None:
    lost(local, "one")
    local.world.then[cmd.AskRestore] = answer(consent=False)
    assert shell.run("history", "--restore") == 5
    assert shell.err.endswith("bob declined to send you the conversation.\n")


def test_a_peer_that_is_away_is_told(shell: Shell, local: LocalEngine) -> None:
    local.do(lambda world: world.fall_silent())
    assert shell.run("history", "--restore", "--timeout", "0") == 4
    assert "bob is not answering now; it is asked once connected." in shell.err


def test_the_request_can_be_taken_back(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("history", "--restore", "--stop") == 0
    assert shell.out == "stopped asking · peer 1\n"
    assert local.seen(cmd.AskRestore) == [cmd.AskRestore(1, wanted=False)]
    local.do(lambda world: world.fall_silent())
    stop = cmd.AskRestore(1, wanted=False)
    local.world.then[cmd.AskRestore] = lambda world: world.window_asks(stop)
    assert shell.run("history", "--restore") == 1
    assert shell.err.endswith("The request was taken back.\n")


def once_asked(
    local: LocalEngine, monkeypatch: pytest.MonkeyPatch, act: Callable[[LocalWorld], object]
) -> None:
    """Something happens once, while the answer to AskRestore is known and is waited on."""
    next_event = Client.next_event
    acts = [act]

    def then_act(client: Client, timeout_s: float) -> ClientEvent | None:
        asked = local.seen(cmd.AskRestore)
        if acts and asked:
            local.do(acts.pop())
        return next_event(client, timeout_s)

    monkeypatch.setattr(Client, "next_event", then_act)


def test_a_request_that_was_made_before_is_followed(
    shell: Shell, local: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.do(lambda world: restore(world, RestoreMine.RUNNING, restored=7))
    local.world.instead[cmd.AskRestore] = cmd.Done()
    once_asked(local, monkeypatch, restore)
    shell.stderr_is_tty = True
    assert shell.run("history", "--restore") == 1
    assert "being restored: 7 messages so far." in shell.err
    assert shell.err.endswith("The request was taken back.\n")


def test_ctrl_c_leaves_the_request_standing(
    shell: Shell, local: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(client: Client, timeout_s: float) -> None:
        if local.seen(cmd.AskRestore):
            raise KeyboardInterrupt

    monkeypatch.setattr(Client, "next_event", interrupted)
    assert shell.run("history", "--restore") == 130
    assert shell.err.endswith(f"\n{STANDS}\n")
    assert [command.wanted for command in local.seen(cmd.AskRestore)] == [True]


def test_an_engine_that_stops_ends_the_waiting(
    shell: Shell, local: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    once_asked(local, monkeypatch, lambda world: world.announce(ev.EngineStopping("bye")))
    assert shell.run("history", "--restore") == 3
    assert STANDS in shell.err


def test_a_peer_that_is_removed_ends_the_waiting(shell: Shell, local: LocalEngine) -> None:
    local.do(lambda world: world.fall_silent())
    local.world.then[cmd.AskRestore] = lambda world: world.do(cmd.RemovePeer(1))
    assert shell.run("history", "--restore") == 1
    assert shell.err.endswith("The peer was removed.\n")


def peer_asks(world: LocalWorld, peer: int) -> None:
    """A peer whose history is gone asks for the conversation."""
    world.peer_sends("before the loss", peer)
    world.lose_history(peer)
    world.peer_asks(cmd.AskRestore(1), peer)
    world.until(lambda: world.peer(peer).restore.theirs == RestoreTheirs.ASKED)


def test_the_peer_that_asks_is_answered(shell: Shell, home: Path) -> None:
    with LocalEngine(home, LocalWorld(peers=2)) as local:
        assert shell.run("history", "--give") == 2, "two are known and none asks"
        assert shell.run("history", "--give", "--peer", "bob") == 1
        assert shell.err == "bob has not asked for your conversation.\n"
        local.do(lambda world: peer_asks(world, 2))
        assert shell.run("history", "--give") == 0
        assert shell.out == "sending the conversation · peer 2\n"
        assert shell.err == "You have not verified peer2: chatnet peer verify 2\n"
        assert shell.run("history", "--refuse", "--peer", "2") == 0
        assert shell.out == "refused · peer 2\n"
        assert local.seen(cmd.AnswerRestore) == [
            cmd.AnswerRestore(2, consent=True),
            cmd.AnswerRestore(2, consent=False),
        ]


def test_a_verified_peer_is_answered_without_a_reminder(shell: Shell, local: LocalEngine) -> None:
    local.do(lambda world: peer_asks(world, 1))
    local.do(lambda world: world.do(cmd.TrustPeer(1, "verified", world.peer().info.key)))
    local.do(lambda world: world.run(0.1))
    assert local.do(lambda world: world.peer().info.trust) == Trust.VERIFIED
    assert shell.run("history", "--give") == 0
    assert shell.err == ""


@pytest.mark.parametrize(
    "words", [("--stop",), ("--timeout", "3"), ("--give", "--refuse"), ("--restore", "--give")]
)
def test_options_that_do_not_go_together(
    shell: Shell, local: LocalEngine, words: tuple[str, ...]
) -> None:
    assert shell.run("history", *words) == 2
    assert [*local.seen(cmd.AskRestore), *local.seen(cmd.AnswerRestore)] == []


def test_an_engine_that_cannot_is_believed(shell: Shell, local: LocalEngine) -> None:
    refusal = CommandError(ErrorCode.NOT_ALLOWED, "Not this one.")
    local.world.instead[cmd.AskRestore] = refusal
    assert shell.run("history", "--restore") == 5
    assert shell.err == "Not this one.\n"


def test_status_shows_what_is_open(shell: Shell, local: LocalEngine) -> None:
    local.do(lambda world: restore(world, RestoreMine.POSSIBLE))
    assert shell.run("status") == 0
    assert (
        "  Part of your conversation with bob is missing here. (chatnet history --restore asks"
        in shell.out
    )
    local.do(lambda world: restore(world, RestoreMine.DONE))
    assert shell.run("status") == 0
    assert "conversation" not in shell.out, "what has ended is no news"
    local.do(lambda world: restore(world, theirs=RestoreTheirs.ASKED))
    assert shell.run("status") == 0
    assert (
        "asks you for a copy of your conversation. (answer: chatnet history --give, or --refuse)"
        in shell.out
    )
    assert shell.run("status", "--json") == 0
    (status,) = shell.objects()
    assert status["peers"][0]["restore"]["theirs"] == "asked"


def test_a_restored_message_is_marked_and_stands_in_its_place(
    shell: Shell, local: LocalEngine
) -> None:
    lost(local, "old one", "old two")
    local.do(lambda world: world.peer_sends("after the loss"))
    local.world.then[cmd.AskRestore] = answer(consent=True)
    assert shell.run("history", "--restore") == 0
    assert shell.run("history", "--json") == 0
    rows = shell.objects()
    assert [row["text"] for row in rows] == ["old one", "old two", "after the loss"]
    assert [row.get("restored") for row in rows] == [True, True, None]
    assert shell.run("history", "--limit", "2") == 0
    assert [line.split(": ")[1][:7] for line in shell.out.splitlines()] == ["old two", "after t"]


def test_files_that_the_view_lists_no_longer_can_be_fetched(
    shell: Shell, local: LocalEngine
) -> None:
    transfer = local.do(lambda world: world.peer_offers("old.bin"))
    local.do(lambda world: world.peer_sends("a text"))
    local.do(lambda world: world.view.transfers.clear())
    assert shell.run("accept", "2") == 1
    assert shell.err == "There is no transfer '2'. See: chatnet transfers\n"
    assert shell.run("accept", "0") == 1
    gone = CommandError(ErrorCode.NOT_ALLOWED, "Bob took it back.")
    local.world.instead[cmd.AcceptTransfer] = gone
    assert shell.run("accept", "1") == 5
    assert [command.id for command in local.seen(cmd.AcceptTransfer)] == [transfer]
