"""The session as the window knows it: the client library's mirror, with Qt signals.

Lives in the GUI thread. Front-end state only: what is true is in the view, and the view changes by
its own reducer alone. A text or offer that the engine has not confirmed is asked for again under
the same id until it is, so that it arrives once.
"""

import os
import time

from chatnet_client.client_events import (
    Answered,
    Changed,
    ClientEvent,
    ClientFailed,
    EngineLost,
    Gauged,
    Live,
    Refused,
    Reset,
)
from chatnet_client.mirror import Mirror
from chatnet_protocol.ids import uuid7
from chatnet_protocol.ipc.commands import Command, OfferFiles, SendMessage
from chatnet_protocol.ipc.view import PeerView, View
from chatnet_qt.bridge import Bridge, MakeClient, OnAnswer
from chatnet_qt.qt import QObject, pyqtSignal

MAX_UNCONFIRMED = 100
"""Texts and offers that wait for the engine's word; beyond it sending is refused."""


def new_id() -> bytes:
    """A fresh, time-ordered message id."""
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


class Session(QObject):
    """One session and the commands given to it.

    Signals: `was_reset` the view is another one; `changed(event)` the view took the event;
    `gauged(gauge)`; `connection_changed` the engine was lost or is back; `refused(peer, sentence)`
    a command failed; `unconfirmed_changed` another number of messages waits for the engine;
    `client_failed(sentence, traceback)` nothing will arrive any more.
    """

    was_reset = pyqtSignal()
    changed = pyqtSignal(object)
    gauged = pyqtSignal(object)
    connection_changed = pyqtSignal()
    refused = pyqtSignal(int, str)
    unconfirmed_changed = pyqtSignal()
    client_failed = pyqtSignal(str, str)

    def __init__(self, make_client: MakeClient, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.mirror = Mirror()
        self._bridge = Bridge(make_client, self._take, self)
        self._unconfirmed: dict[bytes, SendMessage | OfferFiles] = {}

    def start(self) -> None:
        """Attach."""
        self._bridge.start()

    def start_engine(self) -> None:
        """A person wants the engine started."""
        self._bridge.start_engine()

    def close(self) -> None:
        """Detach."""
        self._bridge.close()

    @property
    def view(self) -> View | None:
        """The picture, once there is one."""
        return self.mirror.view

    @property
    def online(self) -> bool:
        """Whether the engine is there and the picture is the present."""
        return self.mirror.live

    @property
    def unconfirmed(self) -> int:
        """Messages handed over that the engine has not confirmed."""
        return len(self._unconfirmed)

    def peer(self, number: int) -> PeerView | None:
        """The conversation with peer `number`, if the view has it."""
        return self.mirror.peer(number)

    def request(self, command: Command, on_answer: OnAnswer | None = None) -> None:
        """Send a command; without `on_answer` a failure is told by `refused`."""
        self._bridge.request(command, on_answer or self._report)

    def send_text(self, peer: int, text: str, draft_revision: int) -> bool:
        """Queue a text; false if too many wait already."""
        return self._send(SendMessage(new_id(), peer, text, draft_revision))

    def offer_files(self, peer: int, paths: list[str]) -> bool:
        """Offer files by absolute path; false if too many messages wait already."""
        return self._send(OfferFiles(new_id(), peer, paths))

    def _send(self, command: SendMessage | OfferFiles) -> bool:
        if len(self._unconfirmed) >= MAX_UNCONFIRMED:
            return False
        self._unconfirmed[command.id] = command
        self._bridge.request(command, self._on_sent)
        self.unconfirmed_changed.emit()
        return True

    def _on_sent(self, answer: Answered) -> None:
        assert isinstance(answer.command, SendMessage | OfferFiles)
        if answer.timed_out:
            self._bridge.request(answer.command, self._on_sent)
            return
        self._unconfirmed.pop(answer.command.id, None)
        self.unconfirmed_changed.emit()
        self._report(answer)

    def _report(self, answer: Answered) -> None:
        if answer.error is not None and not answer.timed_out:
            self.refused.emit(getattr(answer.command, "peer", 0), answer.error.detail)

    def _take(self, event: ClientEvent) -> None:
        self.mirror.handle(event)
        match event:
            case Changed():
                self.changed.emit(event.event)
            case Gauged():
                self.gauged.emit(event.gauge)
            case Reset():
                self.was_reset.emit()
            case Live() | EngineLost():
                self.connection_changed.emit()
            case ClientFailed():
                self.connection_changed.emit()
                self.client_failed.emit(event.reason, event.trace)
            case Refused(final=True):
                self.mirror.handle(EngineLost(event.text))
                self.connection_changed.emit()
