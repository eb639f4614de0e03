"""The session as the window knows it: the client library's mirror, with Qt signals.

Lives in the GUI thread. Front-end state only: what is true is in the view, and the view changes by
its own reducer alone. A text or offer that the engine has not confirmed is asked for again under
the same id until it is, so that it arrives once.
"""

import os
import time
from collections.abc import Callable

from chatnet_client.client_events import (
    Answered,
    Behind,
    Changed,
    ClientEvent,
    ClientFailed,
    EngineLost,
    Gauged,
    Live,
    Missed,
    Refused,
    Reset,
)
from chatnet_client.kept import Keeper, KeptTexts, MemoryKeeper, Waiting
from chatnet_client.mirror import Mirror
from chatnet_protocol.ids import uuid7
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import Command, OfferFiles
from chatnet_protocol.ipc.view import PeerView, View
from chatnet_qt.bridge import Bridge, MakeClient, OnAnswer
from chatnet_qt.qt import QObject, QTimer, pyqtSignal

MAX_OFFERS = 100
"""Offers that wait for the engine's word; beyond it offering is refused."""


def new_id() -> bytes:
    """A fresh, time-ordered message id."""
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


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

    def __init__(
        self,
        make_client: MakeClient,
        parent: QObject | None = None,
        *,
        keeper: Keeper | None = None,
    ) -> None:
        super().__init__(parent)
        self.mirror = Mirror()
        self._bridge = Bridge(make_client, self._take, self)
        self._kept = KeptTexts(keeper or MemoryKeeper(), new_id=new_id, wall_ms=_wall_ms)
        self._offers: dict[bytes, OfferFiles] = {}
        self._retry = QTimer(self)
        self._retry.setSingleShot(True)
        self._retry.timeout.connect(self._on_retry)

    def start(self) -> None:
        """Attach."""
        self._bridge.start()

    def start_engine(self) -> None:
        """A person wants the engine started."""
        self._bridge.start_engine()

    def close(self) -> None:
        """Detach."""
        self._bridge.close()
        self._kept.close()

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
        """Texts and offers that wait for the engine's word."""
        return len(self._offers) + self._kept.waiting

    def peer(self, number: int) -> PeerView | None:
        """The conversation with peer `number`, if the view has it."""
        return self.mirror.peer(number)

    def request(self, command: Command, on_answer: OnAnswer | None = None) -> None:
        """Send a command; without `on_answer` a failure is emitted as `refused`."""
        self._bridge.request(command, on_answer or self._report)

    def waiting(self, peer: int) -> list[Waiting]:
        """Texts that no engine has made durable, oldest first."""
        return self._kept.texts(peer)

    def keep_text(self, peer: int, text: str, reply_to: bytes = b"") -> str:
        """Before the box is cleared: keep what was written, and the id of the message that it
        answers. One sentence when it has to stay."""
        return self._kept.add(peer, text, 0, reply_to)

    def hand_over(self, draft_revision: int) -> None:
        """After the box was cleared: the text that was kept last clears that draft, and goes."""
        self._kept.set_draft_revision(draft_revision)
        self._pump()

    def take_back(self, text_id: bytes) -> str | None:
        """A text that waits, which is not sent then; None while it is being handed over."""
        text = self._kept.take_back(text_id)
        self._pump()
        return text

    def offer_files(self, peer: int, paths: list[str]) -> bool:
        """Offer files by absolute path; false if too many offers wait already."""
        if len(self._offers) >= MAX_OFFERS:
            return False
        command = OfferFiles(new_id(), peer, paths)
        self._offers[command.id] = command
        self._bridge.request(command, self._on_offered)
        self.unconfirmed_changed.emit()
        return True

    def _on_offered(self, answer: Answered) -> None:
        assert isinstance(answer.command, OfferFiles)
        if answer.timed_out:
            self._bridge.request(answer.command, self._on_offered)
            return
        self._offers.pop(answer.command.id, None)
        self.unconfirmed_changed.emit()
        self._report(answer)

    def _pump(self) -> None:
        """Hand over the text whose turn it is, and say that something may have changed."""
        for command in self._kept.take_commands(self.online):
            self._bridge.request(command, self._on_kept)
        due = self._kept.next_timeout()
        if due is not None and not self._retry.isActive():
            self._retry.start(max(0, round((due - time.monotonic()) * 1000)))
        self.unconfirmed_changed.emit()

    def _on_kept(self, answer: Answered) -> None:
        refused = self._kept.handle_answer(answer)
        if refused is not None:
            self.refused.emit(refused.text.peer, refused.refused)
        self._pump()

    def _on_retry(self) -> None:
        self._kept.handle_timeout(time.monotonic())
        self._pump()

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
            case Live():
                self._kept.adopt(self.mirror.draft)
                self._pump()
                self.connection_changed.emit()
            case EngineLost():
                self.connection_changed.emit()
            case ClientFailed():
                self.connection_changed.emit()
                self.client_failed.emit(event.reason, event.trace)
            case Refused(final=True):
                self.mirror.handle(EngineLost(event.text))
                self.connection_changed.emit()
            case Missed() | Behind() | Refused() | Answered():
                pass  # answers go to their callbacks, the rest is in the view


def follow(session: Session, renew: Callable[[], None]) -> None:
    """Call `renew` whenever the session's own row may be another one."""

    def on_event(event: ev.Event) -> None:
        if isinstance(event, ev.SessionChanged):
            renew()

    session.changed.connect(on_event)
    session.was_reset.connect(renew)
