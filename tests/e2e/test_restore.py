"""A lost history comes back from the peer, with real processes and the command line alone."""

import json
import os
import subprocess
from functools import partial
from pathlib import Path

from chatnet_client.client import Client
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import RestoreTheirs, TransferState
from realworld.engines import RealEngine, is_up, two_engines

WITHIN_S = 30.0
ROUNDS = 40


def delivered(client: Client) -> bool:
    peer = client.view.peers[0]
    return peer.last_seq > 0 and peer.delivered_seq == peer.last_seq


def talk(a: RealEngine, b: RealEngine, folder: Path) -> None:
    """Both sides say something in turns, and A sends a file."""
    path = folder / "photo.bin"
    path.write_bytes(os.urandom(100_000))
    with a.attach("a") as one, b.attach("b") as other:
        for number in range(ROUNDS):
            one.send_message(1, f"from a {number}\nüñí")
            other.send_message(1, f"from b {number}")
            if number == ROUNDS // 2:
                transfer, _ = one.offer_files(1, [str(path)])
        for client in (one, other):
            assert client.wait_until(partial(delivered, client), WITHIN_S)

        def arrived() -> bool:
            row = other.view.transfer(transfer)
            return row is not None and row.state == TransferState.DONE

        assert other.wait_until(arrived, WITHIN_S)


def lose_history(engine: RealEngine) -> None:
    """The disk is new, but for key and known peers."""
    engine.stop()
    for path in engine.database.parent.glob(f"{engine.database.name}*"):
        path.unlink()


def exported(engine: RealEngine) -> list[dict[str, object]]:
    """What both sides must have alike of every message, in the order of the export."""
    done = engine.cli("export")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    names = ("id", "author", "kind", "text", "lamport", "ack", "sent_ms")
    return [{name: row[name] for name in names} for row in rows if row["type"] == "message"]


def asks(client: Client) -> bool:
    return client.view.peers[0].restore.theirs == RestoreTheirs.ASKED


def finish(program: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = program.communicate(timeout=WITHIN_S)
    return program.returncode, out, err


def test_a_wiped_history_comes_back_from_the_peer(tmp_path: Path) -> None:
    with two_engines(tmp_path) as (a, b):
        talk(a, b, tmp_path)
        before = exported(b)
        assert before == exported(a)
        assert len(before) == 2 * ROUNDS + 1
        lose_history(b)
        b.start("127.0.0.1", str(a.port), "--without-history")
        assert exported(b) == []
        with a.attach("a") as one, b.attach("b") as other:
            assert other.wait_until(lambda: is_up(other), WITHIN_S)
            one.send_message(1, "are you there?")
            assert other.wait_until(lambda: len(other.view.peers[0].messages) == 1, WITHIN_S)
            other.send_message(1, "yes, but I know nothing any more")
            for client in (one, other):
                assert client.wait_until(partial(delivered, client), WITHIN_S)
            asking = b.spawn_cli("history", "--restore", "--timeout", str(WITHIN_S))
            assert one.wait_until(lambda: asks(one), WITHIN_S)
            assert "asks you for a copy of your conversation" in a.cli("status").stdout
            given = a.cli("history", "--give")
            assert (given.returncode, given.stdout) == (0, "sending the conversation · peer 1\n")
            code, out, err = finish(asking)
            assert (code, out) == (0, f"done · {len(before)} messages · peer 1\n"), err
            assert one.wait_until(
                lambda: one.view.peers[0].restore.theirs == RestoreTheirs.GIVEN, WITHIN_S
            )
        after = exported(b)
        assert after == exported(a)
        assert after[: len(before)] == before
        assert [row["text"] for row in after[len(before) :]] == [
            "are you there?",
            "yes, but I know nothing any more",
        ]
        history = [
            json.loads(line)
            for line in b.cli("history", "--json", "--limit", "500").stdout.splitlines()
        ]
        # Of two with one counter the peer's is first on screen; in an export the key decides.
        counters = [row["lamport"] for row in history]
        assert counters == sorted(counters)
        assert {row["id"] for row in history} == {row["id"] for row in after}
        assert {row["state"] for row in history if row["mine"]} <= {"delivered", "shown", "read"}
        fetch_again(b)


def fetch_again(engine: RealEngine) -> None:
    """The file of a record that came back is downloaded once more."""
    (listed,) = [json.loads(line) for line in engine.cli("transfers", "--json").stdout.splitlines()]
    assert (listed["state"], listed["mine"]) == ("failed", False)
    with engine.attach("files") as client:
        accepted = engine.cli("accept", str(listed["no"]))
        assert accepted.returncode == 0, accepted.stderr

        def done() -> bool:
            row = client.view.transfer(bytes.fromhex(listed["id"]))
            return row is not None and row.state == TransferState.DONE

        assert client.wait_until(done, WITHIN_S)
        row = client.view.transfer(bytes.fromhex(listed["id"]))
        assert row is not None
        assert Path(row.path).stat().st_size == 100_000


def test_a_peer_that_is_refused_is_told(tmp_path: Path) -> None:
    with two_engines(tmp_path) as (a, b), a.attach("a") as one:
        one.send_message(1, "hello")
        assert one.wait_until(lambda: delivered(one), WITHIN_S)
        lose_history(b)
        b.start("127.0.0.1", str(a.port), "--without-history")
        waiting = b.cli("history", "--restore", "--timeout", "0.5")
        assert waiting.returncode == 4
        assert waiting.stderr.endswith(
            "Not yet. The request stays open; chatnet history --restore --stop takes it back.\n"
        )
        assert one.wait_until(lambda: asks(one), WITHIN_S)
        assert a.cli("history", "--refuse").returncode == 0
        assert one.wait_until(lambda: not asks(one), WITHIN_S)
        with b.attach("b") as other:
            assert other.wait_until(lambda: other.view.peers[0].restore.mine == "refused", WITHIN_S)
        assert exported(b) == []
        again = b.spawn_cli("history", "--restore")
        assert one.wait_until(lambda: asks(one), WITHIN_S), "another wish needs another answer"
        one.request(cmd.AnswerRestore(1, consent=False))
        code, out, err = finish(again)
        assert (code, out) == (5, ""), err
        assert "declined to send you the conversation." in err
