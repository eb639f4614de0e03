"""What a mistyped command line gets: a sentence, a guess, and the short usage."""

import io
from pathlib import Path

import pytest

from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import TransferState
from cli_shell import Shell
from local_engine import LocalEngine
from local_world import LocalWorld


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("sned", "x"), "'sned' is not a chatnet command. Did you mean \"send\"?"),
        (("qqq",), "'qqq' is not a chatnet command."),
        (("peer", "ad", "h", "1"), "'ad' is not a chatnet peer command. Did you mean \"add\"?"),
        (("send", "x", "--jsn"), "There is no option '--jsn'. Did you mean \"--json\"?"),
        (("send", "x", "\x1b"), "Unexpected argument '\\x1b'; quote text that has spaces."),
        (("send",), "TEXT|- is missing."),
        (("send", "x", "--timeout", "lots"), "--timeout: 'lots' is not a number of seconds."),
        (
            ("send", "x", "--wait", "deliverd"),
            "--wait: 'deliverd' is not one of queued, delivered, read. Did you mean \"delivered\"?",
        ),
        (("peer", "add", "10.0.0.9"), "PORT is missing."),
        (
            ("peer", "add", "10.0.0.300:99"),
            "HOST: '10.0.0.300' is no IPv4 address: that is four numbers from 0 to 255, as in "
            "10.0.0.7.",
        ),
        (("12345", "10.0.0.9:99", "99"), "Unexpected argument '99'; quote text that has spaces."),
        (("12345", "[::1]:x"), "PEER_PORT: 'x' is not a valid port (1 to 65535)."),
        (("peer", "add", "h", "99999"), "PORT: '99999' is not a valid port (1 to 65535)."),
        (("history", "--limit", "abc"), "--limit: 'abc' is not a number."),
        (("peer", "auto-accept", "bob", "lots"), "SIZE: 'lots' is not a size (try 500MB or 1GiB)."),
    ],
)
def test_a_mistake_is_a_sentence_and_then_the_short_usage(
    shell: Shell, words: tuple[str, ...], sentence: str
) -> None:
    assert shell.run(*words) == 2
    first, *usage = shell.err.splitlines()
    assert first == sentence
    assert usage[0].startswith("usage: chatnet")
    assert 2 <= len(usage) <= 3
    assert usage[-1].startswith("More: chatnet")
    assert usage[-1].endswith("--help")


def test_help_on_a_full_disk_is_a_failure(shell: Shell) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    shell.stdout = Full()
    assert shell.run("--help") == 1
    assert shell.err == "No space left on device.\n"


@pytest.mark.parametrize(
    "action", ["verify", "trust", "keep", "retry", "remove", "name", "auto-accept"]
)
def test_peer_is_taken_wherever_advice_names_it(shell: Shell, home: Path, action: str) -> None:
    more = {"name": ["new"], "auto-accept": ["1GB"], "verify": ["--yes"], "trust": ["--replace"]}
    with LocalEngine(home, LocalWorld(peers=3)) as engine:
        if action not in ("name", "auto-accept"):
            assert shell.run("peer", action, *more.get(action, [])) == 2
            assert "Use --peer NAME." in shell.err
        wanted = 1 if action in ("trust", "keep") else 0  # nobody has another key here
        for words in (
            ["peer", action, *more.get(action, []), "--peer", "peer2"],
            ["peer", "--peer", "2", action, *more.get(action, [])],
            ["--peer", "2", "peer", action, *more.get(action, [])],
        ):
            assert shell.run(*words) == wanted, shell.err
            if action == "remove":
                break
        peers = [getattr(command, "peer", None) for command in engine.world.seen]
        assert set(peers) <= {2, None}
        assert shell.run("peer", action, "peer3", "x", "--peer", "2") == 2


def test_an_invite_with_several_unreached_peers_is_for_somebody_new(
    shell: Shell, local: LocalEngine
) -> None:
    for name, port in (("carol", "98"), ("dave", "99")):
        assert shell.run("peer", "add", "10.0.0.9", port, "--name", name) == 0
    assert shell.run("invite") == 0
    assert local.seen(cmd.MakeInvite) == [cmd.MakeInvite(0)]
    assert "carol (2), dave (3): chatnet invite --peer NAME" in shell.err
    assert shell.run("invite", "--peer", "dave") == 0
    assert local.seen(cmd.MakeInvite)[-1] == cmd.MakeInvite(3)


def test_an_ambiguous_name_lists_ten(shell: Shell, home: Path) -> None:
    world = LocalWorld()
    for number in range(2, 41):
        world.do(cmd.AddPeer(f"10.0.0.{number}", 5000 + number, f"peer{number}"))
    with LocalEngine(home, world):
        assert shell.run("send", "x", "--peer", "peer") == 2
    assert shell.err.count("peer") == 1 + 10
    assert "and 29 more" in shell.err


def test_files_are_found_by_name(shell: Shell, local: LocalEngine) -> None:
    local.do(lambda world: world.peer_offers("report.pdf"))
    local.do(lambda world: world.peer_sends("something else"))
    assert shell.run("history", "--search", "Report.pdf") == 0
    assert "[file report.pdf, 1.0 kB · offer 1]" in shell.out
    assert shell.run("history", "--search", "nowhere") == 0
    assert (shell.out, shell.err) == ("", "No message and no file name matches.\n")


@pytest.mark.parametrize("wait", [False, True])
def test_an_offer_as_json(shell: Shell, local: LocalEngine, tmp_path: Path, wait: bool) -> None:
    path = tmp_path / "a.txt"
    path.write_text("abc")
    local.do(lambda world: world.peer_asks(cmd.SetPeer(1, auto_accept_bytes=0)))
    more = ["--wait", "accepted", "--timeout", "0"] if wait else []
    status = shell.run("send-file", str(path), "--json", *more)
    if wait:
        assert status == 4
        assert all(each["state"] == TransferState.OFFERED for each in shell.objects())
        return
    (value,) = shell.objects()
    assert status == 0
    assert (value["type"], value["state"], value["no"]) == ("transfer", TransferState.OFFERED, 1)
    assert value["id"] == local.seen(cmd.OfferFiles)[0].id.hex()
    assert (value["name"], value["size_bytes"]) == ("a.txt", 3)


def test_a_start_that_was_refused_leaves_no_session(shell: Shell, home: Path) -> None:
    left = home / "sessions" / "17001"
    left.mkdir(parents=True)
    (left / "ended").write_text("{}")
    (left / "lock").touch()
    assert shell.run("sessions") == 0
    assert shell.out == ""
    assert shell.run("doctor") == 0
    assert "17001" not in shell.out
    (left / "identity.key").touch()
    assert shell.run("sessions") == 0
    assert shell.out == "17001 · not running\n"
