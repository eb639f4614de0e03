"""Each verb against an engine: results on stdout, the rest on stderr."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from chatnet_cli.verbs import doctor
from chatnet_cli.verbs import session as session_verbs
from chatnet_client.invite_line import parse_contact
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import TransferState
from cli_shell import Shell
from local_engine import LocalEngine
from local_world import LocalWorld


def away(local: LocalEngine) -> None:
    """What is sent from now on waits here; the link seems up."""
    local.do(lambda world: world.cut())


INVITE_CODE = "abcd-efgh-ijkl-mnop"


# --- send ---------------------------------------------------------------------------------------


def test_send_is_done_when_queued(shell: Shell, local: LocalEngine) -> None:
    away(local)
    assert shell.run("send", "hello") == 0
    assert shell.out.startswith("queued · no 1 · ")
    assert local.do(lambda world: world.history[0][1].text) == "hello"


def test_send_waits_for_delivery_and_reading(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("send", "-", "--wait", "delivered", "--json", stdin="from\nstdin\n") == 0
    (message,) = shell.objects()
    assert (message["text"], message["state"], message["ack"]) == ("from\nstdin", "delivered", 1)
    local.world.then[cmd.SendMessage] = lambda world: world.peer_reads()
    assert shell.run("send", "x", "--wait", "read", "--timeout", "9") == 0
    assert shell.out.startswith("read · no 2 · ACK 2 · ")


def test_send_gives_up_waiting_when_told_to(shell: Shell, local: LocalEngine) -> None:
    away(local)
    assert shell.run("send", "x", "--wait", "delivered", "--timeout", "0.05") == 4
    assert shell.out == ""


def test_send_ends_when_the_message_or_the_engine_does(shell: Shell, local: LocalEngine) -> None:
    away(local)
    local.world.then[cmd.SendMessage] = lambda world: world.announce(
        ev.MessageFailed(1, 1, "withdrawn")
    )
    assert shell.run("send", "x", "--wait", "delivered") == 1
    assert shell.err == "Not sent: Withdrawn before it was sent.\n"
    local.world.then[cmd.SendMessage] = lambda world: world.announce(ev.EngineStopping("bye"))
    assert shell.run("send", "x", "--wait", "delivered") == 3


def test_send_refuses_nothing_and_too_much(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("send", "-") == 2
    assert shell.run("send", "-", stdin="x" * 70000) == 1
    assert shell.run("send", "\udcff") == 2
    assert local.seen(cmd.SendMessage) == []


def test_send_needs_to_know_to_whom(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("send", "x", "--peer", "nobody") == 1
    assert "Known: bob (1)" in shell.err
    assert shell.run("peer-add", "10.0.0.9", "99", "--name", "bobby") == 0
    assert shell.run("send", "x") == 2
    assert "Use --peer NAME." in shell.err
    assert shell.run("send", "x", "--peer", "BOB") == 0, "an exact name wins"
    assert shell.run("send", "x", "--peer", "bo") == 2
    assert shell.run("send", "x", "--peer", "10.0.0.9:99") == 0
    assert shell.run("send", "x", "--peer", "2") == 0
    assert [command.peer for command in local.seen(cmd.SendMessage)] == [1, 2, 2]


# --- send-file ----------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 1000)
    return str(path)


def test_send_file_is_done_when_offered(shell: Shell, local: LocalEngine, file: str) -> None:
    assert shell.run("send-file", file) == 0
    assert shell.out.startswith("offered · no 1 · ")
    assert local.seen(cmd.OfferFiles)[0].paths == [file]


@pytest.mark.parametrize(
    ("state", "wait", "status"),
    [
        (TransferState.ACTIVE, "accepted", 0),
        (TransferState.DONE, "done", 0),
        (TransferState.REJECTED, "done", 5),
        (TransferState.CANCELLED, "accepted", 1),
        (TransferState.FAILED, "done", 1),
        (TransferState.ACTIVE, "done", 4),
    ],
)
def test_send_file_waits(
    shell: Shell, local: LocalEngine, file: str, state: TransferState, wait: str, status: int
) -> None:
    local.do(lambda world: world.peer_asks(cmd.SetPeer(1, auto_accept_bytes=0)))
    local.world.then[cmd.OfferFiles] = lambda world: world.announce_transfer(
        world.view.transfers[0].id, state, by="peer"
    )
    shell.stderr_is_tty = True
    assert shell.run("send-file", file, "--wait", wait, "--timeout", "0.3") == status
    assert "\r\x1b[K1 → a.txt, 1.0 kB" in shell.err or status in (1, 5)
    assert (f"{state} · no 1" in shell.out) == (status == 0)


def test_send_file_looks_first(shell: Shell, local: LocalEngine, tmp_path: Path) -> None:
    assert shell.run("send-file", str(tmp_path / "none\x1b")) == 1
    assert shell.err.endswith("none\\x1b does not exist.\n")
    assert shell.run("send-file", "/dev/null") == 1
    assert "neither a file nor a folder" in shell.err
    assert shell.run("send-file", str(tmp_path)) == 0


# --- events and history -------------------------------------------------------------------------


def test_history_pages_back_as_far_as_asked(shell: Shell, local: LocalEngine) -> None:
    local.do(lambda world: world.peer_sends_all([f"text {n}" for n in range(300)]))
    assert shell.run("history", "--limit", "280", "--json") == 0
    assert [message["no"] for message in shell.objects()] == list(range(21, 301))
    assert shell.run("history", "--search", "TEXT 29", "--limit", "20") == 0
    assert len(shell.out.splitlines()) == 11
    assert shell.out.splitlines()[0].endswith("bob: text 29  [ACK 30 · 10.0.0.1:5001]")
    assert shell.run("history", "--peer", "bob", "--limit", "0") == 0
    assert shell.out == ""
    assert local.seen(cmd.MarkRead) == []


def events_until(shell: Shell, local: LocalEngine, last: str, *words: str) -> list[str]:
    """Run `events` until a line with `last` was printed, then end it by a closed pipe."""
    import io

    lines: list[str] = []
    ready = threading.Event()

    class Reader(io.StringIO):
        def write(self, text: str) -> int:
            if text.strip():
                lines.append(text.rstrip("\n"))
                ready.set()
            if last in text:
                raise BrokenPipeError
            return len(text)

    shell.stdout = Reader()
    assert shell.run("events", *words) == 0
    assert ready.is_set()
    return lines


def test_events_since_a_number_over_a_restart(shell: Shell, local: LocalEngine) -> None:
    import json

    local.do(lambda world: world.peer_sends_all([f"old {n}" for n in range(5)]))

    joined = threading.Event()
    local.world.then[cmd.FetchHistory] = lambda world: joined.set()

    def world() -> None:
        assert joined.wait(60)
        local.restart()
        local.do(lambda world: world.peer_sends("the end"))

    timer = threading.Thread(target=world)
    timer.start()
    lines = events_until(shell, local, "the end", "--json", "--since", "2")
    timer.join()
    objects = [json.loads(line) for line in lines]
    assert [o["no"] for o in objects if o["type"] == "message"] == [3, 4, 5, 6]
    assert {o["type"] for o in objects} >= {"attached", "message"}


def test_events_for_people(shell: Shell, local: LocalEngine) -> None:
    def happens(world: LocalWorld) -> None:
        world.peer_sends("hello\x1b")
        world.peer_offers("a.bin")
        world.fall_silent()
        world.announce(ev.MessageFailed(1, 1, "old"), ev.Notice("info", "note"))
        world.announce(ev.EngineStopping("bye"))

    local.world.then[cmd.FetchHistory] = happens
    local.do(lambda world: world.peer_sends("before"))
    lines = events_until(shell, local, "bye", "--since", "0")
    assert [line.split(" ", 1)[1] for line in lines] == [
        "bob: before  [ACK 1 · 10.0.0.1:5001]",
        "bob: hello\\x1b  [ACK 2 · 10.0.0.1:5001]",
        "bob: [file a.bin, 1.0 kB · offer 3]  [ACK 3 · 10.0.0.1:5001]",
        "3 ← a.bin, 1.0 kB: Offered: chatnet accept 3, or reject 3 "
        "(You are asked about all files of bob.)",
        "bob · not answering: bob has not answered for a while. Your messages will be sent when "
        "the connection is back.",
        "message 1 was not sent: old",
        "note",
        "bye; waiting for the engine",
    ]


def test_events_of_one_peer(shell: Shell, local: LocalEngine) -> None:
    local.do(lambda world: world.add_peer(2))

    def happens(world: LocalWorld) -> None:
        world.peer_sends("from peer2", 2)
        world.peer_asks(cmd.SetTyping(1, True), 2)
        world.peer_sends("from bob")

    local.world.then[cmd.FetchHistory] = happens
    local.do(lambda world: world.peer_sends("before"))
    lines = events_until(shell, local, "from bob", "--json", "--since", "0", "--peer", "bob")
    assert not any("peer2" in line or "TypingChanged" in line for line in lines)


# --- transfers and peers ------------------------------------------------------------------------


def test_transfers_by_number_and_by_id(shell: Shell, local: LocalEngine, tmp_path: Path) -> None:
    offers = local.do(lambda world: [world.peer_offers(f"{n}.bin") for n in range(2)])
    ids = [offer.hex() for offer in offers]
    local.do(lambda world: world.files.cut(frozen=True))
    assert shell.run("accept", "1", "--folder", str(tmp_path)) == 0
    assert local.seen(cmd.AcceptTransfer)[0].folder == str(tmp_path)
    assert shell.run("pause", ids[0]) == 0
    assert shell.run("resume", ids[0].upper()) == 0
    assert shell.run("cancel", "1") == 0
    assert shell.run("reject", "2") == 0
    assert shell.run("cancel", "9") == 1
    assert shell.run("cancel", ids[0][:4]) == 2
    assert shell.run("transfers") == 0
    assert shell.out.splitlines()[0] == "1 ← 0.bin, 1.0 kB: Cancelled by you"
    assert shell.run("transfers", "--json", "--peer", "bob") == 0
    assert [row["state"] for row in shell.objects()] == ["cancelled", "rejected"]


def test_peers_are_added_named_listed_removed(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("peer", "add", "10.0.0.9", "99", "--name", "carol") == 0
    assert shell.out == "added · peer 2\n"
    assert shell.run("peer", "name", "carol", "Carol C", "--session", "12345") == 0
    assert shell.run("peer", "retry", "2") == 0
    local.do(lambda world: world.peer_sends("x"))
    assert shell.run("peers") == 0
    bob, carol = shell.out.splitlines()
    assert bob == "1 · bob · 10.0.0.1:5001 · connected · pinned · 1 unread"
    assert carol.startswith("2 · Carol C · 10.0.0.9:99 · ")
    assert carol.endswith(" · none")
    assert shell.run("peers", "--json") == 0
    assert [peer["name"] for peer in shell.objects()] == ["bob", "Carol C"]
    assert shell.run("peer", "remove", "2") == 0
    assert local.do(lambda world: len(world.view.peers)) == 1


def test_an_invite_is_printed_for_whoever_has_no_key(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("invite") == 0
    line = shell.out.strip()
    assert re.fullmatch("(?:[a-z2-7]{4}-){3}[a-z2-7]{4}", parse_contact(line).code)
    assert {port for _, port in parse_contact(line).addresses} == {12345}
    assert "chatnet peer add HOST 12345 --invite" in shell.err
    assert shell.run("peer", "remove", "2") == 0
    shell.run("peer", "add", "10.0.0.9", "99", "--name", "carol")
    assert shell.run("invite") == 0
    assert shell.run("invite", "--peer", "bob") == 5, "who is known needs none"
    assert [command.peer for command in local.seen(cmd.MakeInvite)] == [0, 3, 1]


def until_entered(local: LocalEngine) -> None:
    """The code is stretched after the answer; until then there can be no other."""
    local.do(lambda world: world.run(5.0))


def test_an_invite_is_taken_whole_or_as_an_address(shell: Shell, local: LocalEngine) -> None:
    line = f"chatnet:1/{INVITE_CODE}/10.0.0.9:99,[::1]:99/Carol%20C"
    assert shell.run("join", line) == 0
    until_entered(local)
    assert shell.run("join", "-", stdin=f"{line}\n") == 0, shell.err
    until_entered(local)
    assert shell.run("join", "10.0.0.8:98") == 0
    asked = local.seen(cmd.AddPeer)
    assert asked[0] == asked[1] == cmd.AddPeer("10.0.0.9", 99, "Carol C", INVITE_CODE)
    assert asked[2] == cmd.AddPeer("10.0.0.8", 98)
    assert shell.run("join", "chatnet:1/abc") == 1
    assert "incomplete" in shell.err
    assert shell.run("peer", "add", "10.0.0.9", "99", "--invite-file", "-", stdin=line) == 0
    assert local.seen(cmd.AddPeer)[-1].invite == INVITE_CODE


def test_a_code_is_asked_for_or_read_and_never_an_argument(
    shell: Shell, local: LocalEngine, tmp_path: Path
) -> None:
    file = tmp_path / "code"
    file.write_text(f"{INVITE_CODE}\n")
    add = ("peer", "add", "10.0.0.9", "99")
    assert shell.run(*add, "--invite-file", str(file)) == 0
    until_entered(local)
    assert shell.run(*add, "--invite-file", "-", stdin=f"{INVITE_CODE}\n") == 0
    assert "Invite code" not in shell.err
    until_entered(local)
    shell.stdin_is_tty = True
    assert shell.run(*add, "--invite", stdin=f" {INVITE_CODE} \n") == 0
    assert "Invite code: " in shell.err
    assert {command.invite for command in local.seen(cmd.AddPeer)} == {INVITE_CODE}
    assert shell.run(*add, "--invite", stdin="\n") == 1
    assert shell.run(*add, "--invite-file", str(tmp_path / "none")) == 1
    assert shell.run(*add, "--invite", INVITE_CODE) == 2
    assert shell.run(*add, "--invite", "--invite-file", "-") == 2


# --- session ------------------------------------------------------------------------------------


def test_status(shell: Shell, local: LocalEngine) -> None:
    local.do(lambda world: world.peer_offers("a.bin"))
    assert shell.run("status") == 0
    assert "session 12345 · port 12345" in shell.out
    assert "  link connected · 10.0.0.1:5001" in shell.out
    assert "transfer 1 ← a.bin" in shell.out
    assert shell.out.endswith("log /tmp/engine.log\n")
    assert shell.run("status", "--json") == 0
    (value,) = shell.objects()
    assert value["session"]["name"] == "12345"
    assert value["peers"][0]["link"]["state"] == "up"


def test_sessions(shell: Shell, home: Path, local: LocalEngine) -> None:
    (home / "sessions" / "asleep").mkdir()
    (home / "sessions" / "asleep" / "identity.key").touch()
    assert shell.run("sessions") == 0
    assert shell.out.splitlines()[1] == "asleep · not running"
    assert shell.run("sessions", "--json") == 0
    assert [(s["name"], s["running"]) for s in shell.objects()] == [
        ("12345", True), ("asleep", False),
    ]  # fmt: skip


def test_stop_waits_for_the_end(
    shell: Shell, local: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shell.run("stop") == 0
    assert shell.out == "stopped · session 12345\n"
    assert not local.world.engine.is_up
    assert shell.run("stop") == 3


def test_stop_waits_for_what_can_still_leave(shell: Shell, local: LocalEngine) -> None:
    away(local)
    shell.run("send", "hello")
    local.world.then[cmd.FetchStatus] = lambda world: world.heal()
    assert shell.run("stop", "--timeout", "30") == 0
    assert shell.out == "stopped · session 12345\n"


def test_stop_says_what_stays_for_whom(shell: Shell, local: LocalEngine) -> None:
    away(local)
    shell.run("send", "one")
    shell.run("send", "two")
    assert shell.run("stop", "--timeout", "0.01") == 0
    stays = "2 messages for bob still wait and will be sent next time"
    assert shell.out == f"{stays}\nstopped · session 12345\n"


def test_stop_does_not_wait_for_a_peer_that_is_away(shell: Shell, local: LocalEngine) -> None:
    away(local)
    shell.run("send", "one")
    local.do(lambda world: world.fall_silent())
    assert shell.run("stop", "--timeout", "600") == 0
    assert shell.out.startswith("1 message for bob still waits")


def test_a_second_stop_ends_it_at_once(shell: Shell, local: LocalEngine) -> None:
    away(local)
    shell.run("send", "one")
    folder = Path(local.connection_file).parent
    with (folder / session_verbs.STOP_LOCK).open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        assert shell.run("stop", "--timeout", "600") == 0
    assert shell.out.endswith("stopped · session 12345\n")


def test_stop_between_two_lives_ends_the_supervisor(shell: Shell, home: Path) -> None:
    folder = home / "sessions" / "12345"
    folder.mkdir(parents=True)
    (folder / "identity.key").touch()
    program = (
        "import fcntl, os, sys, time; file = open(sys.argv[1], 'w');"
        "file.write(str(os.getpid())); file.flush(); fcntl.flock(file, fcntl.LOCK_SH);"
        "print(flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-S", "-c", program, str(folder / "supervisor.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        try:
            supervisor.stdout.readline()
            assert shell.run("stop") == 0
            assert supervisor.wait(20) == -signal.SIGTERM
        finally:
            supervisor.kill()
    assert shell.out == "stopped · session 12345\n"
    assert shell.run("stop") == 3


def test_status_says_that_the_engine_was_started_again(shell: Shell, local: LocalEngine) -> None:
    local.stop()
    local.world.engine.restarts, local.world.engine.died_of = 2, "SIGKILL"
    local.start()
    assert shell.run("status") == 0
    assert "The engine crashed (killed by SIGKILL) and was started again. Restarts: 2." in shell.out


def test_stop_says_when_it_does_not_end(
    shell: Shell, local: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_verbs, "STOP_TIMEOUT_S", 0.1)
    monkeypatch.setattr(session_verbs, "ask_to_stop", lambda *_, **__: None)
    assert shell.run("stop") == 4
    assert "has not ended yet" in shell.err
    monkeypatch.undo()


def test_doctor_finds_it_neither_good_nor_bad_that_no_window_can_open(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"PyQt5"}
    monkeypatch.setattr(doctor, "find_spec", lambda name: name in known or None)
    assert shell.run("doctor") == 0
    assert "--  the window cannot open here: there is no display" in shell.out
    shell.environ["DISPLAY"] = ":0"
    assert shell.run("doctor") == 0
    assert "ok  the window can open" in shell.out
    known.clear()
    assert shell.run("doctor") == 0
    assert "--  the window cannot open here: PyQt5 is not installed" in shell.out


def test_doctor(shell: Shell, home: Path, local: LocalEngine) -> None:
    assert shell.run("doctor") == 0
    assert "ok  session 12345, bob: connected" in shell.out
    local.do(lambda world: world.peer_leaves())
    left = home / "sessions" / "killed"
    left.mkdir()
    (left / "connection.json").write_text("{}")
    assert shell.run("doctor") == 1
    assert "BAD session 12345, bob: connecting: " in shell.out
    assert "10.0.0.1" in shell.out
    assert "BAD session killed: its engine was killed" in shell.out
    home.chmod(0o777)
    assert shell.run("doctor") == 1
    assert "chmod go-w" in shell.out


def test_doctor_says_which_state_files_are_lost(
    shell: Shell, home: Path, local: LocalEngine
) -> None:
    folder = home / "sessions" / "lost"
    folder.mkdir()
    assert shell.run("doctor") == 0
    (folder / "known_peers").touch()
    (folder / "history.db").touch()
    assert shell.run("doctor") == 1
    assert "BAD session lost: identity.key is missing; put it back " in shell.out
    assert "BAD session lost: history.db is empty" in shell.out
    (folder / "history.db").write_bytes(b"x")
    os.mkfifo(folder / "identity.key")
    assert shell.run("doctor") == 1
    assert "BAD session lost: identity.key is not a regular file" in shell.out
    assert "history.db" not in shell.out


@pytest.mark.parametrize("words", [("send", " \t "), ("send", "-")])
def test_blanks_alone_are_not_sent(
    shell: Shell, local: LocalEngine, words: tuple[str, ...]
) -> None:
    assert shell.run(*words, stdin=" \r\n\n") == 2
    assert "There is no text to send." in shell.err
    assert local.seen(cmd.SendMessage) == []


def test_a_text_from_a_pipe_ends_its_lines_with_lf(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("send", "-", stdin="one\r\ntwo\r\n") == 0
    assert local.seen(cmd.SendMessage)[0].text == "one\ntwo"
