"""Real engines and command lines in processes of their own, each in a home of its own.

Nothing here waits by sleeping: an engine is up when it says so on standard error, and everything
else is waited for through an attached client.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Self

from chatnet_client.client import Client
from chatnet_protocol.ipc.rows import ClientRole, LinkState
from chatnet_protocol.ipc.session_files import (
    CONNECTION_FILE,
    ConnectionFile,
    decode_connection_file,
    session_dir,
)
from realworld.guard import MARK

START_S = 60.0
STOP_S = 60.0


def environment(root: Path, name: str) -> dict[str, str]:
    """An environment in which all state of `name` lies below `root`."""
    home = root / name
    (home / "Downloads").mkdir(parents=True, exist_ok=True)
    run = root / "run"
    run.mkdir(mode=0o700, exist_ok=True)
    inherited = ("PATH", "LANG", "LC_ALL", "TZ", MARK)
    kept = {key: os.environ[key] for key in inherited if key in os.environ}
    return kept | {
        "HOME": str(home),
        "CHATNET_HOME": str(home / "state"),
        "XDG_RUNTIME_DIR": str(run),
        "PYTHONHASHSEED": "0",
        "QT_QPA_PLATFORM": "offscreen",
    }


class RealEngine:
    """`python -m chatnet_engine PORT …`, to be started and killed as often as the test likes."""

    python = sys.executable
    """What runs engines and command lines; where ChatNet is installed for it is what is tested."""

    def __init__(
        self, root: Path, name: str, *args: str, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.args = args
        self.env = environment(root, name) | dict(env or {})
        self.port = 0
        self.within: tuple[str, ...] = ()
        """A command that runs the engine's somewhere else, as in a network namespace."""
        self.program: tuple[str, ...] = ("chatnet_engine",)
        """The module that is run, and what it is given before the engine's own arguments."""
        self.process: subprocess.Popen[str] | None = None
        self.said: deque[str] = deque(maxlen=1000)
        """What the engine printed on standard error."""
        self._ear: threading.Thread | None = None

    def start(self, *more: str) -> Self:
        """Start it, on any free port the first time and on the same one afterwards."""
        self.launch(*more)
        return self.wait_up()

    def launch(self, *more: str) -> None:
        """Start the process without waiting for anything."""
        command = [*self.within, self.python, "-P", "-m", *self.program, str(self.port)]
        command += ["--session", self.name, *more, *self.args]
        self.process = subprocess.Popen(
            command,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._ear = None

    def wait_up(self) -> Self:
        """Until the launched engine says that it runs."""
        assert self.process
        assert self.process.stderr
        first = self.process.stderr.readline()
        self.said.append(first)
        if not first.startswith("session"):
            rest = self.process.stderr.read()
            raise AssertionError(f"the engine did not start: {first}{rest}")
        self._ear = threading.Thread(target=self._listen, args=(self.process,), daemon=True)
        self._ear.start()
        self.port = self.connection.port
        return self

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr
        for line in process.stderr:
            self.said.append(line)

    @property
    def connection_path(self) -> str:
        """Where its connection file is."""
        return f"{session_dir(self.env['CHATNET_HOME'], self.name)}/{CONNECTION_FILE}"

    @property
    def connection(self) -> ConnectionFile:
        """What its connection file says."""
        return decode_connection_file(Path(self.connection_path).read_bytes())

    @property
    def database(self) -> Path:
        """Its history."""
        return Path(self.connection_path).with_name("history.db")

    @property
    def key(self) -> bytes:
        """Its public key."""
        with self.attach("key") as client:
            return client.view.session.key

    def attach(
        self, name: str = "test", *, role: str = ClientRole.FULL, since_no: int | None = None
    ) -> Client:
        """An attached client."""
        return Client.attach(self.connection_path, name=name, role=role, since_no=since_no)

    def kill(self) -> None:
        """SIGKILL, and its children with it when they notice."""
        assert self.process
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._reap()

    def _reap(self) -> int:
        assert self.process
        code = self.process.wait(STOP_S)
        if self._ear:
            self._ear.join(STOP_S)
        if self.process.stderr:
            self.process.stderr.close()
        return code

    def cli(self, *args: str, **kwargs: object) -> "subprocess.CompletedProcess[str]":
        """Run one command line to its end in this engine's environment."""
        options: dict[str, object] = {
            "env": self.env,
            "text": True,
            "capture_output": True,
            "timeout": 60,
            "stdin": subprocess.DEVNULL,
        }
        if "input" in kwargs:
            options.pop("stdin")
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            [self.python, "-P", "-m", "chatnet_cli", *args], check=False, **(options | kwargs)
        )

    def spawn_cli(self, *args: str) -> "subprocess.Popen[str]":
        """A command line that goes on, its output to be read."""
        return subprocess.Popen(
            [self.python, "-P", "-m", "chatnet_cli", *args],
            env=self.env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def is_up(client: Client) -> bool:
    """Whether the link to the first peer is up."""
    return bool(client.view.peers) and client.view.peers[0].link.state == LinkState.UP


def free_port() -> int:
    """One that nobody uses for UDP or TCP at the moment."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        ):
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(udp.getsockname())
            except OSError:
                continue
            return int(udp.getsockname()[1])


@contextmanager
def two_engines(root: Path, *args: str) -> Iterator[tuple[RealEngine, RealEngine]]:
    """Two engines that have typed each other's address."""
    a = RealEngine(root, "a", "--bind", "127.0.0.1", *args)
    b = RealEngine(root, "b", "--bind", "127.0.0.1", *args)
    with linked(a, b):
        yield a, b


@contextmanager
def linked(a: RealEngine, b: RealEngine) -> Iterator[None]:
    """Start two engines of this machine that type each other's address."""
    try:
        # Both know the other before it calls: else it would be a pending stranger at first, and
        # the number of the typed peer depend on who is quicker.
        b.port = b.port or free_port()
        a.start("127.0.0.1", str(b.port))
        b.start("127.0.0.1", str(a.port))
        for engine in (a, b):  # one of them knows it a round trip before the other
            with engine.attach("introduce") as client:
                assert client.wait_until(partial(is_up, client), START_S), "the link is not up"
        yield
    finally:
        for engine in (a, b):
            if engine.process and engine.process.poll() is None:
                engine.stop()
