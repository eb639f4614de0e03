"""Real engines whose TCP port nobody reaches: files arrive on the link, and text beside them."""

import json
import socket
from pathlib import Path
from random import Random

from realworld.engines import RealEngine, linked

SIZE = 40_000_000


def held_port() -> socket.socket:
    """A TCP port that is taken, so that an engine gets no listener on it."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


def test_a_file_arrives_without_tcp(tmp_path: Path) -> None:
    a = RealEngine(tmp_path, "a", "--bind", "127.0.0.1")
    b = RealEngine(tmp_path, "b", "--bind", "127.0.0.1")
    with held_port() as held_a, held_port() as held_b:
        a.port, b.port = held_a.getsockname()[1], held_b.getsockname()[1]
        source = tmp_path / "photo.jpg"
        source.write_bytes(Random(1).randbytes(SIZE))
        with linked(a, b):
            sent = a.cli(
                "send-file", str(source), "--json", "--session", "a",
                "--wait", "done", "--timeout", "60",
            )  # fmt: skip
            assert sent.returncode == 0, sent.stderr
            said = [json.loads(line) for line in sent.stdout.splitlines()]
            assert any(one.get("on_link") for one in said)
            assert a.cli("send", "and text", "--wait", "delivered").returncode == 0
    (arrived,) = (tmp_path / "b").rglob("photo.jpg")
    assert arrived.read_bytes() == source.read_bytes()
