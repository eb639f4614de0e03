"""From the client's thread to the window's: one queue, one signal.

The client library calls back in its own thread. Here each call becomes an entry of the library's
bounded queue and one wake-up of the GUI thread, which drains it in turns so short that nothing
stutters.
"""

import time
from collections.abc import Callable
from typing import Protocol

from chatnet_client.client_events import Answered, ClientEvent
from chatnet_client.event_queue import EventQueue
from chatnet_protocol.ipc.commands import Command
from chatnet_qt.qt import QObject, Qt, pyqtSignal

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
        self._queue = EventQueue(self._waiting.emit)
        self._closed = False
        self._answers: dict[int, OnAnswer] = {}
        queued = Qt.ConnectionType.QueuedConnection
        self._waiting.connect(self._drain, queued)  # type: ignore[call-arg]  # stubs lack it
        self._client = make_client(self._queue.put)

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
        self._closed = True
        self._queue.close()
        self._answers.clear()
        self._client.close()

    def _drain(self) -> None:
        until = time.monotonic() + TURN_S
        while (event := self._queue.take()) is not None:
            if isinstance(event, Answered):
                on_answer = self._answers.pop(event.token, None)
                if on_answer is not None:
                    on_answer(event)
            else:
                self._on_event(event)
            if time.monotonic() > until:
                self._waiting.emit()
                return
