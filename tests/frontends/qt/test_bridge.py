"""From the client's thread to the window's."""

import threading

import pytest

from chatnet_client.client_events import Answered, ClientEvent, Live
from chatnet_protocol.ipc.commands import Command, Done, RetryPeer
from chatnet_qt import bridge as module
from chatnet_qt.bridge import Bridge, OnEvent
from chatnet_qt.qt import QApplication, QElapsedTimer, QObject


class Client:
    """Answers at once, from whichever thread asks."""

    def __init__(self, on_event: OnEvent) -> None:
        self.on_event = on_event
        self.closed = False

    def start(self) -> None:
        self.on_event(Live(1))

    def send(self, command: Command) -> int:
        self.on_event(Answered(5, command, Done(), None))
        return 5

    def start_engine(self) -> None:
        raise AssertionError("nobody asked for that")

    def close(self) -> None:
        self.closed = True


class Receiver:
    def __init__(self, app: QApplication) -> None:
        self.app = app
        self.owner = QObject()
        self.events: list[ClientEvent] = []
        self.threads: set[int] = set()
        clients: list[Client] = []

        def make(on_event: OnEvent) -> Client:
            clients.append(Client(on_event))
            return clients[0]

        self.bridge = Bridge(make, self.take, self.owner)
        self.client = clients[0]

    def take(self, event: ClientEvent) -> None:
        self.threads.add(threading.get_ident())
        self.events.append(event)

    def until(self, count: int) -> None:
        clock = QElapsedTimer()
        clock.start()
        while len(self.events) < count:
            assert clock.elapsed() < 10_000
            self.app.processEvents()


@pytest.fixture
def receiver(app: QApplication) -> Receiver:
    return Receiver(app)


def test_events_of_another_thread_arrive_here_in_order(receiver: Receiver) -> None:
    def talk() -> None:
        for number in range(300):
            receiver.client.on_event(Live(number))

    thread = threading.Thread(target=talk)
    thread.start()
    receiver.until(300)
    thread.join()
    assert receiver.events == [Live(number) for number in range(300)]
    assert receiver.threads == {threading.get_ident()}


def test_nothing_is_delivered_inside_the_call_that_caused_it(receiver: Receiver) -> None:
    answers: list[Answered] = []
    receiver.bridge.start()
    receiver.bridge.request(RetryPeer(1), answers.append)
    assert (receiver.events, answers) == ([], [])
    receiver.until(1)
    receiver.app.processEvents()
    assert [answer.result for answer in answers] == [Done()]


def test_a_full_queue_makes_the_client_wait(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatnet_client.event_queue.MAX_EVENTS_WAITING", 10)
    sent: list[int] = []

    def talk() -> None:
        for number in range(40):
            receiver.client.on_event(Live(number))
            sent.append(number)

    thread = threading.Thread(target=talk)
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    assert len(sent) == 10
    receiver.until(40)
    thread.join()
    assert receiver.events == [Live(number) for number in range(40)]


def test_closing_frees_a_waiting_client_and_delivers_no_more(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatnet_client.event_queue.MAX_EVENTS_WAITING", 1)
    thread = threading.Thread(target=lambda: [receiver.client.on_event(Live(n)) for n in range(5)])
    thread.start()
    receiver.bridge.close()
    thread.join(10)
    assert not thread.is_alive()
    assert receiver.client.closed
    receiver.app.processEvents()
    assert receiver.events == []
    receiver.bridge.request(RetryPeer(1), lambda _answer: None)


def test_a_long_queue_is_drained_in_turns(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TURN_S", -1.0)
    for number in range(3):
        receiver.client.on_event(Live(number))
    receiver.bridge._drain()
    assert receiver.events == [Live(0)], "then the window may paint"
    receiver.until(3)
