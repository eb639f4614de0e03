"""The blocking face over real sockets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatnet_client import client as module
from chatnet_client.client import Client
from chatnet_client.client_events import Changed, ClientEvent, EngineLost, Missed, Reset
from chatnet_client.errors import EngineUnreachable, RequestTimeout
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import MessagesAdded, MessagesRestored
from local_engine import LocalEngine


@pytest.fixture
def engine(own_home: Path) -> Iterator[LocalEngine]:
    with LocalEngine(own_home) as engine:
        yield engine


def attach(engine: LocalEngine, **options: int) -> Client:
    return Client.attach(engine.connection_file, name="test", **options)  # type: ignore[arg-type]


def test_attach_send_and_see_it_delivered(engine: LocalEngine) -> None:
    with attach(engine) as client:
        message_id, queued = client.send_message(1, "hello")
        assert (queued.no, queued.seq) == (1, 1)
        assert client.wait_until(lambda: client.view.peers[0].delivered_seq == 1, 5)
        row = client.view.peers[0].messages[0]
        assert (row.id, row.text, row.ack) == (message_id, "hello", 1)
    assert engine.await_seen(cmd.Detach)


def test_a_repeated_id_is_one_message(engine: LocalEngine) -> None:
    with attach(engine) as client:
        first = client.send_message(1, "hello", message_id=b"i" * 16)
        assert client.send_message(1, "hello", message_id=b"i" * 16) == first
        assert client.view.last_no == 1


def test_offers_and_history(engine: LocalEngine, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x")
    with attach(engine) as client:
        transfer, queued = client.offer_files(1, [str(path)])
        page = client.history(cmd.FetchHistory(after_no=0))
        assert [row.id for row in page.rows] == [transfer]
        assert page.rows[0].no == queued.no


def test_errors_come_as_the_engine_said_them(engine: LocalEngine) -> None:
    with attach(engine) as client:
        with pytest.raises(CommandError, match="There is no peer 9") as caught:
            client.send_message(9, "hello")
        assert caught.value.code == ErrorCode.UNKNOWN_PEER
        with pytest.raises(CommandError, match="answered with Done"):
            client.ask(cmd.MarkRead(1, 0), cmd.Queued)


def test_no_answer_in_time(engine: LocalEngine) -> None:
    with attach(engine) as client:
        engine.silent = True
        with pytest.raises(RequestTimeout):
            client.request(cmd.FetchStatus(), timeout_s=0.1)
        assert client.next_event(0.01) is not None
        assert not client.wait_until(lambda: False, 0.05)


def test_events_go_on_over_a_restart(engine: LocalEngine) -> None:
    with attach(engine, since_no=0) as client:
        engine.do(lambda world: world.peer_sends("one"))
        engine.stop()
        engine.world.boot()
        engine.world.peer_sends("two")
        engine.start()
        engine.do(lambda world: world.peer_sends("three"))
        numbers: list[int] = []
        for event in client.events():
            if isinstance(event, Missed):
                numbers += [row.no for row in event.rows]
            elif isinstance(event, Changed) and isinstance(event.event, MessagesAdded):
                numbers += [row.no for row in event.event.rows]
            if len(numbers) == 3:
                break
        assert numbers == [1, 2, 3]


def test_an_engine_that_ends_ends_the_waiting(engine: LocalEngine) -> None:
    with attach(engine) as client:
        assert isinstance(client.request(cmd.StopEngine("enough")), cmd.Done)
        with pytest.raises(EngineUnreachable, match="The engine ended: enough"):
            client.wait_until(lambda: False, 5)
        assert client.mirror.lost_reason == "enough"


def test_nothing_there_nothing_answers_and_refusals(own_home: Path) -> None:
    with pytest.raises(EngineUnreachable, match="is not running"):
        Client.attach(str(own_home / "none"), name="test")
    with LocalEngine(own_home) as engine:
        engine.silent = True
        with pytest.raises(EngineUnreachable, match="does not answer"):
            attach(engine, timeout_s=0.1)  # type: ignore[arg-type]
        engine.silent = False
        engine.world.instead[cmd.Attach] = CommandError(ErrorCode.VERSION, "Upgrade this side.")
        with pytest.raises(CommandError, match=r"Upgrade this side\."):
            attach(engine)


def test_an_endpoint_that_is_none(engine: LocalEngine) -> None:
    path = Path(engine.connection_file)
    path.write_text(path.read_text().replace("ipc://", "nonsense://"))
    with pytest.raises(EngineUnreachable, match="cannot be used"):
        attach(engine)


def read_all(client: Client) -> list[ClientEvent]:
    found = []
    while (event := client.next_event(0.2)) is not None:
        found.append(event)
    return found


def test_more_unread_events_than_are_kept_begin_with_a_reset(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with attach(engine) as client:
        read_all(client)
        monkeypatch.setattr(module, "MAX_UNREAD_EVENTS", 5)
        for number in range(20):
            client.send_message(1, str(number))
        assert client.request(cmd.FetchStatus())
        monkeypatch.undo()
        first, *later = read_all(client)
        assert isinstance(first, Reset)
        assert not any(isinstance(event, Reset) for event in later)
        assert client.view.last_no == 20
        assert client.mirror.live


def test_an_event_of_messages_without_any_is_an_event(engine: LocalEngine) -> None:
    """What comes back may change nothing but the newest messages."""
    with attach(engine) as client:
        read_all(client)
        engine.do(lambda world: world.announce(MessagesRestored(1, 0, [], [])))
        assert any(
            isinstance(event, Changed) and isinstance(event.event, MessagesRestored)
            for event in read_all(client)
        )


def test_no_message_is_lost_or_doubled_when_too_many_events_are_unread(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with attach(engine, keep_up=True) as client:
        client.send_message(1, "first")
        told = read_all(client)
        monkeypatch.setattr(module, "MAX_UNREAD_EVENTS", 5)
        for number in range(20):
            client.send_message(1, str(number))
        monkeypatch.undo()
        told += read_all(client)
        numbers = []
        for event in told:
            if isinstance(event, Missed):
                numbers += [row.no for row in event.rows]
            elif isinstance(event, Changed) and isinstance(event.event, MessagesAdded):
                numbers += [row.no for row in event.event.rows]
        assert numbers == list(range(1, 22))


def test_garbage_from_the_engine_is_counted(engine: LocalEngine) -> None:
    with attach(engine) as client:
        garbage = [(topic, b"\xc1") for topic in (b"E", b"H", b"G", b"?")]
        engine.do(lambda world: world.engine.publications.extend(garbage))
        engine.do(lambda world: world.peer_sends("fine"))
        assert client.wait_until(lambda: client.view.last_no == 1, 5)
        assert client._driver.undecodable == 3


def test_first_events_are_reset_and_own_attachment(engine: LocalEngine) -> None:
    with attach(engine) as client:
        first = client.next_event(1)
        assert isinstance(first, Reset)
        assert client.mirror.client == first.client == 1
        assert not isinstance(client.next_event(0.05), EngineLost)
