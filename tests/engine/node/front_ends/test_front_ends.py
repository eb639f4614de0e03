"""Who is shown as attached when connections of front ends end."""

from pathlib import Path

import pytest
import zmq

from chatnet_client.client import Client
from chatnet_engine.node.front_ends import clients
from chatnet_protocol import codec
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.session_files import decode_connection_file
from chatnet_protocol.limits import CLIENT_TIMEOUT_S
from chatnet_protocol.version import IPC_VERSION
from local_engine import LocalEngine
from simworld.client import SimClient
from simworld.pair import Pair

WITHIN_S = 60.0


@pytest.fixture
def pair() -> Pair:
    pair = Pair(1)
    pair.run(5)
    return pair


def detached(client: SimClient) -> list[int]:
    return [event.client for event in client.events if isinstance(event, ev.ClientDetached)]


def kill(pair: Pair, client: SimClient) -> None:
    client.gone = True
    pair.a.client_gone(client.routing_id)
    pair.run(0.1)


def test_a_client_whose_connection_ends_is_detached_at_once_and_alone(pair: Pair) -> None:
    killed, other = pair.a.attach("killed"), pair.a.attach("other")
    pair.run(0.1)
    kill(pair, killed)
    assert detached(pair.at_a) == [2]
    assert other.view
    assert [row.client for row in other.view.clients] == [1, 3]
    pair.run(CLIENT_TIMEOUT_S + 6)
    assert detached(pair.at_a) == [2]


def test_the_end_of_a_connection_that_never_attached_changes_nothing(pair: Pair) -> None:
    before = len(pair.at_a.events)
    pair.a.client_gone(b"a stranger's")
    pair.run(0.1)
    assert len(pair.at_a.events) == before


def test_what_a_client_sent_before_its_connection_ended_is_delivered_once(pair: Pair) -> None:
    killed = pair.a.attach("killed")
    pair.run(0.1)
    pair.a.turn_s = 0.01
    message_id = killed.say("the last words")
    kill(pair, killed)
    again = pair.a.attach("again")
    pair.run(0.1)
    again.insist("the last words", message_id)
    pair.run(1.0)
    assert [text for _, _, text in pair.at_b.texts] == ["the last words"]
    assert again.unanswered == {}
    assert detached(pair.at_a) == [2]


class Raw:
    """A front end on a DEALER socket that only does what a test says."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str) -> None:
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(endpoint)

    def attach(self, cursor: cmd.Cursor | None = None) -> cmd.Attached:
        command = cmd.Attach("raw", "full", IPC_VERSION, cursor=cursor)
        self.socket.send(codec.pack(envelope.Request(1, command)))
        assert self.socket.poll(round(WITHIN_S * 1000))
        result = envelope.decode_reply(self.socket.recv()).result
        assert isinstance(result, cmd.Attached)
        return result


@pytest.mark.e2e
def test_on_real_sockets_who_hangs_up_is_detached_and_goes_on_where_it_was(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "CLIENT_TIMEOUT_S", float("inf"))  # it is not its silence
    with LocalEngine(own_home) as engine, zmq.Context() as context:
        endpoint = decode_connection_file(Path(engine.connection_file).read_bytes()).commands
        file = engine.connection_file
        with Client.attach(file, name="watcher", timeout_s=WITHIN_S) as watcher:
            raw = Raw(context, endpoint)
            before = raw.attach()
            assert watcher.wait_until(lambda: len(watcher.view.clients) == 2, WITHIN_S)
            raw.socket.close()
            assert watcher.wait_until(lambda: len(watcher.view.clients) == 1, WITHIN_S)
        again = Raw(context, endpoint)
        after = again.attach(cmd.Cursor(before.boot, before.head_seq, before.last_no))
        assert (after.boot, after.seq, after.parts) == (before.boot, before.head_seq, 0)
        assert after.client == before.client + 1
        again.socket.close()
