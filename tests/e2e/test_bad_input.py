"""Bad input of every kind: one clear sentence or a counter, the documented exit code, and the
conversation goes on."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import zmq

from realworld.engines import RealEngine, two_engines

USAGE, FAILED, NOT_RUNNING = 2, 1, 3


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealEngine, RealEngine]]:
    """Two engines that stay up through all of this."""
    root = Path(os.path.realpath("/tmp")) / f"cnbad-{os.getpid()}"
    root.mkdir()
    with two_engines(root) as engines:
        yield engines


@pytest.fixture
def alone(tmp_path: Path) -> RealEngine:
    """An environment in which nothing runs."""
    return RealEngine(tmp_path, "alone")


def talks(pair: tuple[RealEngine, RealEngine]) -> bool:
    """Whether a message still gets through."""
    a, b = pair
    text = f"still here {Random(1).random()} {os.urandom(4).hex()}"
    sent = a.cli("send", text, "--wait", "delivered", "--timeout", "20")
    return sent.returncode == 0 and text in b.cli("history", "--limit", "1").stdout


def one_sentence(text: str) -> bool:
    return text.count("\n") == 1 and "Traceback" not in text and text.strip().endswith(".")


def test_a_busy_port(alone: RealEngine) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        done = alone.cli("engine", port, "--bind", "127.0.0.1")
    assert done.returncode == FAILED
    assert one_sentence(done.stderr), done.stderr
    assert port in done.stderr


def test_no_session(alone: RealEngine) -> None:
    for command in (["send", "x"], ["status"], ["history"], ["stop"], ["events"]):
        done = alone.cli(*command)
        assert done.returncode == NOT_RUNNING, command
        assert done.stdout == ""
        assert "Traceback" not in done.stderr


def test_a_session_that_runs_already(pair: tuple[RealEngine, RealEngine]) -> None:
    a, _ = pair
    done = a.cli("engine", str(a.port), "--session", "a")
    assert done.returncode == FAILED
    assert one_sentence(done.stderr), done.stderr
    assert talks(pair)


def test_two_sessions_and_none_named(tmp_path: Path) -> None:
    a, b = RealEngine(tmp_path, "a"), RealEngine(tmp_path, "b")
    b.env = a.env
    a.start()
    b.start()
    try:
        done = a.cli("status")
        assert done.returncode == USAGE
        assert "--session" in done.stderr
        assert a.cli("status", "--session", "b").returncode == 0
    finally:
        a.stop()
        b.stop()


def test_an_unknown_host_is_said_and_retried(alone: RealEngine) -> None:
    alone.start("no-such-host.invalid", "5000")
    try:
        with alone.attach() as client:
            assert client.wait_until(
                lambda: any(
                    why.param(0) == "no-such-host.invalid"
                    for peer in client.view.peers
                    if (why := peer.link.reason)
                ),
                20,
            )
        assert alone.cli("send", "waits for the peer").returncode == 0
    finally:
        alone.stop()


@pytest.mark.parametrize("command", [["frobnicate"], ["send"], ["1", "2"], ["12", "host", "x"]])
def test_wrong_usage(alone: RealEngine, command: list[str]) -> None:
    done = alone.cli(*command)
    assert done.returncode == USAGE
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_random_datagrams_and_random_tcp_bytes(pair: tuple[RealEngine, RealEngine]) -> None:
    a, _ = pair
    random = Random(7)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(100_000):
            data = random.randbytes(random.randint(0, 200))
            sender.sendto(bytes([random.randint(0, 6)]) + data, ("127.0.0.1", a.port))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stranger:
        stranger.settimeout(5)
        try:
            stranger.connect(("127.0.0.1", a.port))
            stranger.sendall(random.randbytes(100_000))
        except OSError:
            pass  # closed in our face is as good as ignored
    assert talks(pair)
    facts = json.loads(a.cli("status", "--json").stdout)["facts"]
    assert facts["udp_dropped_malformed"] > 1000
    assert len(a.cli("peers").stdout.splitlines()) == 1, "no peer was made of garbage"


def test_random_frames_on_both_ipc_sockets(pair: tuple[RealEngine, RealEngine]) -> None:
    a, _ = pair
    random = Random(8)
    context = zmq.Context()
    try:
        for endpoint, kind in (
            (a.connection.commands, zmq.DEALER),
            (a.connection.events, zmq.SUB),
        ):
            with context.socket(kind) as stranger:
                stranger.linger = 0
                stranger.connect(endpoint)
                if kind == zmq.SUB:
                    stranger.subscribe(random.randbytes(1000))
                    continue
                for parts in range(1, 8):
                    for _ in range(200):
                        frames = [random.randbytes(random.randint(0, 300)) for _ in range(parts)]
                        stranger.send_multipart(frames)
        for endpoint in (a.connection.commands, a.connection.events):
            with socket.socket(socket.AF_UNIX) as raw:
                raw.connect(endpoint.removeprefix("ipc://"))
                try:
                    raw.sendall(random.randbytes(20_000))
                except OSError:
                    pass  # the engine hung up, as it may
    finally:
        context.term()
    assert talks(pair)


@pytest.mark.parametrize("what", ["missing", "unreadable", "fifo"])
def test_a_file_that_cannot_be_sent(
    pair: tuple[RealEngine, RealEngine], tmp_path: Path, what: str
) -> None:
    path = tmp_path / "file"
    if what == "unreadable":
        path.symlink_to("/proc/self/mem/nothing")
    elif what == "fifo":
        os.mkfifo(path)
    done = pair[0].cli("send-file", str(path))
    assert done.returncode == FAILED
    assert one_sentence(done.stderr), done.stderr
    assert talks(pair)


def test_a_folder_and_an_empty_file_are_sent(
    pair: tuple[RealEngine, RealEngine], tmp_path: Path
) -> None:
    folder = tmp_path / "holiday"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "größe.txt").write_text("ä" * 1000)
    (folder / "empty").touch()
    a, b = pair
    done = a.cli("send-file", str(folder), "--wait", "done", "--timeout", "30")
    assert done.returncode == 0, done.stderr
    landed = Path(b.env["HOME"]) / "Downloads" / "ChatNet" / "holiday"
    assert (landed / "deep" / "größe.txt").read_text() == "ä" * 1000
    assert (landed / "empty").read_bytes() == b""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_at_the_receiver(tmp_path: Path) -> None:
    with two_engines(tmp_path) as (a, b):
        inbox = Path(b.env["HOME"]) / "Downloads" / "ChatNet"
        inbox.mkdir(parents=True, exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(inbox)]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("no mounts here")
        try:
            big = tmp_path / "big"
            big.write_bytes(b"x" * 8_000_000)
            done = a.cli("send-file", str(big), "--wait", "done", "--timeout", "10")
            assert done.returncode in (1, 4)
            row = json.loads(b.cli("transfers", "--json").stdout.splitlines()[0])
            assert row["reason"]["code"] in ("no-space", "disk-full"), row
            assert not (inbox / "big").exists()
            sent = a.cli("send", "still here", "--wait", "delivered", "--timeout", "10")
            assert sent.returncode == 0
        finally:
            b.stop()
            subprocess.run(["umount", str(inbox)], check=True)
