import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from chatnet_engine.io import engine as engine_module
from chatnet_engine.io.engine import Engine, EngineConfig
from chatnet_engine.io.impair import parse_impair
from chatnet_protocol import codec
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import Attach, Command, FetchStatus, Status, StopEngine
from chatnet_protocol.ipc.envelope import Request, decode_reply
from chatnet_protocol.ipc.session_files import ConnectionFile, decode_connection_file, session_dir
from chatnet_protocol.version import IPC_VERSION


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Engine]]:
    """Engines without a file process, which has tests of its own."""
    monkeypatch.setattr(engine_module, "file_command", lambda *about: ["/bin/cat"])
    monkeypatch.setattr("sys.excepthook", lambda *args: None)
    engines: list[Engine] = []

    def start(port: int = 0, **options: Any) -> Engine:
        engines.append(Engine(EngineConfig(port, **options), os.environ))
        return engines[-1]

    yield start
    for engine in reversed(engines):
        engine.close()


def connection_of(engine: Engine) -> ConnectionFile:
    folder = session_dir(os.environ["CHATNET_HOME"], engine.session.name)
    with open(f"{folder}/connection.json", "rb") as file:
        return decode_connection_file(file.read())


def test_port_0_names_the_session_after_the_real_port(start: Callable[..., Engine]) -> None:
    engine = start(bind="127.0.0.1", display_name="Ada")
    port = engine.session.port
    connection = connection_of(engine)
    assert connection.session == engine.session.name == str(port)
    assert (connection.port, connection.pid) == (port, os.getpid())
    assert engine.session.display_name == "Ada"
    assert engine.session.inbox.endswith(f"/sessions/{port}/inbox")
    assert f"session {port} · listening on UDP 127.0.0.1:{port} · " in engine.greeting()
    assert engine.greeting().endswith(engine.session.fingerprint)


def test_the_identity_lasts_and_the_boot_does_not(start: Callable[..., Engine]) -> None:
    first = start(session="a")
    boot = connection_of(first).boot
    first.close()
    second = start(session="a")
    assert second.session.key == first.session.key
    assert connection_of(second).boot != boot


def test_an_artificial_line_is_visible(start: Callable[..., Engine]) -> None:
    engine = start(session="a", impair=parse_impair("loss=20%", seed=7))
    assert engine.session.impair == "loss=20%,seed=7"
    assert engine.greeting().endswith("impaired: loss=20%,seed=7")


def test_a_second_engine_is_refused_and_the_first_unharmed(start: Callable[..., Engine]) -> None:
    first = start(session="a")
    before = connection_of(first)
    with pytest.raises(CommandError, match="Session a is running already") as caught:
        start(session="a")
    assert caught.value.code == ErrorCode.BUSY
    assert connection_of(first) == before
    assert os.path.exists(before.commands.removeprefix("ipc://"))


def test_a_busy_port_leaves_the_session_unlocked(start: Callable[..., Engine]) -> None:
    port = start(session="a").session.port
    for _ in range(2):
        with pytest.raises(CommandError, match=f"UDP port {port} is in use"):
            start(port, session="b")


def test_a_damaged_history_is_one_sentence(start: Callable[..., Engine]) -> None:
    folder = session_dir(os.environ["CHATNET_HOME"], "a")
    os.makedirs(folder)
    with open(f"{folder}/history.db", "wb") as file:
        file.write(b"this is no database" * 1000)
    for _ in range(2):
        with pytest.raises(CommandError) as caught:
            start(session="a")
        assert caught.value.code == ErrorCode.STORE
        assert "damaged" in caught.value.detail


def test_it_serves_a_front_end_and_stops_when_asked(start: Callable[..., Engine]) -> None:
    engine = start(session="a")
    connection = connection_of(engine)
    replies = []
    commands: list[Command] = [
        Attach("test", "full", IPC_VERSION),
        FetchStatus(),
        StopEngine("enough"),
    ]

    def front_end() -> None:
        try:
            with zmq.Context() as context, context.socket(zmq.DEALER) as client:
                client.linger = 0
                client.connect(connection.commands)
                for number, command in enumerate(commands):
                    client.send(codec.pack(Request(number, command)))
                    assert client.poll(10_000)
                    replies.append(decode_reply(client.recv()))
                assert replies[-1].failure is None
        except BaseException:
            os.kill(os.getpid(), signal.SIGTERM)
            raise

    visitor = threading.Thread(target=front_end)
    visitor.start()
    assert engine.run() == "enough"
    visitor.join(10)
    assert isinstance(replies[1].result, Status)
    engine.close()
    folder = session_dir(os.environ["CHATNET_HOME"], "a")
    assert not os.path.exists(f"{folder}/connection.json")
    assert not os.path.exists(connection.commands.removeprefix("ipc://"))


def test_a_damaged_known_peers_starts_nothing_and_says_which_line(
    start: Callable[..., Engine],
) -> None:
    folder = session_dir(os.environ["CHATNET_HOME"], "a")
    os.makedirs(folder)
    with open(f"{folder}/known_peers", "wb") as file:
        file.write(b"bob\n")
    with pytest.raises(CommandError, match="known_peers is damaged: line 1") as caught:
        start(session="a")
    assert caught.value.code == ErrorCode.STORE
