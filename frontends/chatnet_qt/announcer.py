"""New messages for screen readers.

Of what a reader listens to, a program can change one thing with PyQt5, which has no `QAccessible`:
the name and description of a widget. Readers speak the description of what has the focus when it
changes, so that news are put there for a moment. While the window is not in front, notifications
are read instead.
"""

import contextlib
from collections.abc import Callable

from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import MessageKind, MessageRow
from chatnet_qt.qt import QApplication, QObject, QTimer, QWidget
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings
from chatnet_qt.wording import peer_name, shown_name

GATHER_MS = 300
"""Messages within this time are announced together."""
CLEARED_AFTER_MS = 4000
"""So that somebody who returns to the widget hears its name and no old news."""
MAX_CHARACTERS = 500
MAX_GATHERED = 1000


class Announcer(QObject):
    """`on_screen` is the peer whose conversation is shown: a muted one is announced there alone."""

    def __init__(
        self, session: Session, settings: Settings, on_screen: Callable[[], int], window: QWidget
    ) -> None:
        super().__init__(window)
        self._session = session
        self._settings = settings
        self._on_screen = on_screen
        self._window = window
        self._gathered: dict[int, list[MessageRow]] = {}
        self._widget: QWidget | None = None
        """What carries the announcement."""
        self._own_words = ""
        """Its description at other times."""
        self._gathering = QTimer(self)
        self._clearing = QTimer(self)
        for timer, ms, do in (
            (self._gathering, GATHER_MS, self._announce),
            (self._clearing, CLEARED_AFTER_MS, self.clear),
        ):
            timer.setSingleShot(True)
            timer.setInterval(ms)
            timer.timeout.connect(do)
        session.changed.connect(self._on_event)

    def _on_event(self, event: ev.Event) -> None:
        if not isinstance(event, ev.MessagesAdded) or not self._window.isActiveWindow():
            return
        peer = self._session.peer(event.peer)
        rows = [row for row in event.rows if not (row.mine or row.restored)]
        if peer is None or not rows:
            return
        if event.peer == self._on_screen() or not self._settings.is_muted(peer.info.key):
            known = self._gathered.setdefault(event.peer, [])
            known += rows[: MAX_GATHERED - len(known)]
            if not self._gathering.isActive():
                self._gathering.start()

    def _announce(self) -> None:
        gathered, self._gathered = self._gathered, {}
        found = [(self._session.peer(number), rows) for number, rows in gathered.items()]
        words = [news_words(peer_name(peer.info), rows) for peer, rows in found if peer]
        widget = QApplication.focusWidget()
        if not words or widget is None or widget.window() is not self._window:
            return
        if widget is not self._widget:
            self.clear()
            self._widget, self._own_words = widget, widget.accessibleDescription()
        widget.setAccessibleDescription(" ".join(words)[:MAX_CHARACTERS])
        self._clearing.start()

    def clear(self) -> None:
        """Take the announcement back."""
        if self._widget is not None:
            with contextlib.suppress(RuntimeError):  # it went with its page
                self._widget.setAccessibleDescription(self._own_words)
        self._widget = None


def news_words(name: str, rows: list[MessageRow]) -> str:
    """What came from one peer, as one says it."""
    last = rows[-1]
    what = shown_name(last.text[:MAX_CHARACTERS]) if last.kind == MessageKind.TEXT else "a file"
    return f"{name}: {what}" if len(rows) == 1 else f"{len(rows)} from {name}, the last: {what}"
