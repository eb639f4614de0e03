"""The threaded face: one callback, tokens, an engine that comes later."""

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from chatnet_client import threaded as module
from chatnet_client.client_events import Answered, Changed, ClientEvent, ClientFailed, Live, Reset
from chatnet_client.threaded import ThreadedClient
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc import commands as cmd
from local_engine import LocalEngine

T = TypeVar("T")


class Inbox:
    """Collects what the callback brings."""

    def __init__(self) -> None:
        self.events: queue.Queue[ClientEvent] = queue.Queue()
        self.passed_over: list[ClientEvent] = []

    def until(self, kind: type[T]) -> T:
        """The first of this kind that was not asked for before."""
        for event in self.passed_over:
            if isinstance(event, kind):
                self.passed_over.remove(event)
                return event
        while not isinstance(event := self.events.get(timeout=60), kind):
            self.passed_over.append(event)
        return event


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def engine(own_home: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine(own_home)
    yield engine
    engine.close()


def test_everything_comes_by_one_callback(engine: LocalEngine, inbox: Inbox) -> None:
    client = ThreadedClient(engine.connection_file, inbox.events.put, name="test")
    first = client.send(cmd.SendMessage(b"i" * 16, 1, "early"))
    client.start()
    engine.start()
    answer = inbox.until(Answered)
    assert (answer.token, answer.result) == (first, cmd.Queued(1, 1))
    assert inbox.until(Reset).view.peers[0].info.name == "bob"
    second = client.send(cmd.SendMessage(b"j" * 16, 9, "nobody"))
    assert second != first
    failed = inbox.until(Answered)
    assert failed.token == second
    assert failed.error is not None
    assert failed.error.code == ErrorCode.UNKNOWN_PEER
    client.close()
    assert not client._thread.is_alive()
    assert engine.await_seen(cmd.Detach)


def test_events_arrive_while_idle(engine: LocalEngine, inbox: Inbox) -> None:
    engine.start()
    client = ThreadedClient(engine.connection_file, inbox.events.put, name="test")
    client.start()
    inbox.until(Live)
    engine.do(lambda world: world.peer_sends("hello"))
    assert inbox.until(Changed).event.rows[0].text == "hello"  # type: ignore[union-attr]
    client.close()


def test_too_many_commands_are_refused_not_kept(
    engine: LocalEngine, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_INBOX", 2)
    client = ThreadedClient(engine.connection_file, inbox.events.put, name="test")
    tokens = [client.send(cmd.FetchStatus()) for _ in range(3)]
    refused = inbox.until(Answered)
    assert refused.token == tokens[-1]
    assert refused.error is not None
    assert refused.error.code == ErrorCode.BUSY
    client.start()
    client.close()


def test_pending_commands_are_bounded_too(
    engine: LocalEngine, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatnet_client.requests.MAX_PENDING", 1)
    client = ThreadedClient(engine.connection_file, inbox.events.put, name="test")
    tokens = [client.send(cmd.FetchStatus()) for _ in range(2)]
    client.start()
    refused = inbox.until(Answered)
    assert refused.token == tokens[1]
    assert refused.error is not None
    client.close()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (cmd.SendMessage(b"i" * 16, 1, "half \ud83d"), ErrorCode.INVALID),
        (cmd.OfferFiles(b"i" * 16, 1, ["x" * 1000] * 2000), ErrorCode.TOO_LARGE),
        (cmd.MarkRead(1, 2**70), ErrorCode.INVALID),
        (cmd.SendMessage(b"i" * 16, 1, object()), ErrorCode.INVALID),  # type: ignore[arg-type]
    ],
)
def test_a_command_that_cannot_be_packed_fails_alone(
    engine: LocalEngine, inbox: Inbox, command: cmd.Command, code: ErrorCode
) -> None:
    engine.start()
    client = ThreadedClient(engine.connection_file, inbox.events.put, name="test")
    client.start()
    first = client.send(command)
    second = client.send(cmd.SendMessage(b"j" * 16, 1, "good"))
    failed = inbox.until(Answered)
    assert failed.error is not None
    assert (failed.token, failed.error.code) == (first, code)
    answer = inbox.until(Answered)
    assert (answer.token, answer.result) == (second, cmd.Queued(1, 1))
    client.close()


def test_a_thread_that_dies_says_so(
    engine: LocalEngine, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.start()
    client = ThreadedClient(engine.connection_file, inbox.events.put, name="test")
    client.start()
    inbox.until(Live)

    def broken(max_wait_s: float) -> list[ClientEvent]:
        raise KeyError("no such thing")

    monkeypatch.setattr(client._driver, "turn", broken)
    client.send(cmd.FetchStatus())
    failed = inbox.until(ClientFailed)
    assert "KeyError" in failed.reason
    assert "no such thing" in failed.trace
    client.close()
