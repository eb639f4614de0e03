"""From the client's thread to the window's: one queue, one signal.

The client library calls back in its own thread. Here each call becomes an entry of a bounded queue
and one wake-up of the GUI thread, which drains the queue in turns so short that nothing stutters.
When the window does not keep up, the client's thread waits: its socket then overflows, and the
attach machine heals that gap as any other.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from chatnet_client.client_events import Answered, ClientEvent
from chatnet_protocol.ipc.commands import Command
from chatnet_qt.qt import QObject, Qt, pyqtSignal

MAX_EVENTS_WAITING = 4096
"""Entries between the threads; at this many the client's thread waits."""
TURN_S = 0.008
"""How long one drain may take before the window may paint again."""

OnEvent = Callable[[ClientEvent], None]
OnAnswer = Callable[[Answered], None]


class Client(Protocol):
    """What the window needs of `chatnet_client.threaded.ThreadedClient`."""

    def start(self) -> None:
        """Attach, and go on attaching whenever the engine was lost."""

    def send(self, command: Command) -> int:
        """Hand a command over; one Answered with this token follows."""

    def start_engine(self) -> None:
        """A person asks for the engine to be started."""

    def close(self) -> None:
        """Detach and end the thread."""


MakeClient = Callable[[OnEvent], Client]


class Bridge(QObject):
    """Delivers events and answers in the thread it was made in."""

    _waiting = pyqtSignal()

    def __init__(self, make_client: MakeClient, on_event: OnEvent, parent: QObject) -> None:
        super().__init__(parent)
        self._on_event = on_event
        self._own_thread = threading.get_ident()
        self._queue: deque[ClientEvent] = deque()
        self._room = threading.Condition()
        self._signalled = False
        self._closed = False
        self._answers: dict[int, OnAnswer] = {}
        queued = Qt.ConnectionType.QueuedConnection
        self._waiting.connect(self._drain, queued)  # type: ignore[call-arg]  # stubs lack it
        self._client = make_client(self._put)

    def start(self) -> None:
        """Begin to attach."""
        self._client.start()

    def start_engine(self) -> None:
        """A person asks for the engine to be started."""
        self._client.start_engine()

    def request(self, command: Command, on_answer: OnAnswer) -> None:
        """Send `command`; `on_answer` is called in this thread, never before this returns."""
        if not self._closed:
            self._answers[self._client.send(command)] = on_answer

    def close(self) -> None:
        """End; nothing is delivered any more, and a client thread that waits here goes on."""
        with self._room:
            self._closed = True
            self._queue.clear()
            self._room.notify_all()
        self._answers.clear()
        self._client.close()

    def _put(self, event: ClientEvent) -> None:
        with self._room:
            may_wait = threading.get_ident() != self._own_thread
            while may_wait and len(self._queue) >= MAX_EVENTS_WAITING and not self._closed:
                self._room.wait()
            if self._closed:
                return
            self._queue.append(event)
            if self._signalled:
                return
            self._signalled = True
        self._waiting.emit()

    def _drain(self) -> None:
        until = time.monotonic() + TURN_S
        while True:
            with self._room:
                if not self._queue:
                    self._signalled = False
                    return
                event = self._queue.popleft()
                self._room.notify()
            if isinstance(event, Answered):
                on_answer = self._answers.pop(event.token, None)
                if on_answer is not None:
                    on_answer(event)
            else:
                self._on_event(event)
            if time.monotonic() > until:
                self._waiting.emit()
                return
