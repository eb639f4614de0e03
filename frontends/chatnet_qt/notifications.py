"""Notifications of the desktop, one for each conversation: a later one takes the place of the
earlier, and what has been read anywhere is taken away.

Interface: org.freedesktop.Notifications (Desktop Notifications Specification 1.2). Qt 5's own way
through the notification area can neither replace nor take away.
"""

import os

from chatnet_qt.desktop import unwrapped
from chatnet_qt.qt import QObject, pyqtSignal, pyqtSlot
from chatnet_qt.qt_dbus import (
    QDBusConnection,
    QDBusError,
    QDBusMessage,
    string_list,
    unsigned,
)

SERVICE = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
DEFAULT_EXPIRY = -1
TIMEOUT_MS = 5000


class Notifications(QObject):
    """`activated(peer)`: the notification of a conversation was clicked. `failed(peer, title,
    words)`: the desktop shows none, the caller may know another way."""

    activated = pyqtSignal(int)
    failed = pyqtSignal(int, str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bus: QDBusConnection | None = None
        self._ids: dict[int, int] = {}
        """Numbers the desktop gave, by peer."""
        self._asked: dict[int, tuple[str, str]] = {}
        """What the desktop has not answered yet."""
        self._next: dict[int, tuple[str, str] | None] = {}
        """What comes after that: another notification, or none any more."""
        if "DBUS_SESSION_BUS_ADDRESS" not in os.environ:
            return
        bus = QDBusConnection.sessionBus()
        if bus.isConnected():
            self._bus = bus
            bus.connect(SERVICE, PATH, SERVICE, "ActionInvoked", self._on_action)
            bus.connect(SERVICE, PATH, SERVICE, "NotificationClosed", self._on_closed)

    @property
    def is_there(self) -> bool:
        """Whether there is a bus to ask on; whether anybody shows them is known afterwards."""
        return self._bus is not None

    def show(self, peer: int, title: str, words: str) -> None:
        """Announce something about a conversation, in the place of what was announced before."""
        if self._bus is None:
            self.failed.emit(peer, title, words)
        elif peer in self._asked:
            self._next[peer] = (title, words)
        else:
            self._notify(peer, title, words)

    def clear(self, peer: int) -> None:
        """That conversation has been read."""
        if peer in self._asked:
            self._next[peer] = None
        elif (number := self._ids.pop(peer, 0)) and self._bus is not None:
            message = QDBusMessage.createMethodCall(SERVICE, PATH, SERVICE, "CloseNotification")
            message.setArguments([unsigned(number)])
            self._bus.send(message)

    def clear_all(self) -> None:
        """The window goes: nobody would answer a click."""
        for peer in list(self._ids):
            self.clear(peer)

    def _notify(self, peer: int, title: str, words: str) -> None:
        import html  # its tables are large, and the first paint needs none

        assert self._bus is not None
        message = QDBusMessage.createMethodCall(SERVICE, PATH, SERVICE, "Notify")
        body = html.escape(words, quote=False)  # a body may hold markup, a summary may not
        hints = {"category": "im.received", "desktop-entry": "chatnet"}
        message.setArguments(
            ["ChatNet", unsigned(self._ids.get(peer, 0)), "chatnet", title, body,
             string_list(["default", "Open"]), hints, DEFAULT_EXPIRY]
        )  # fmt: skip
        self._asked[peer] = (title, words)
        call = _Call(peer, self)
        call.answered.connect(self._on_answer)
        self._bus.callWithCallback(message, call.on_answer, call.on_error, TIMEOUT_MS)

    def _on_answer(self, peer: int, number: int) -> None:
        """The desktop shows it under a number; 0: it does not."""
        title, words = self._asked.pop(peer)
        if number:
            self._ids[peer] = number
        else:
            self.failed.emit(peer, title, words)
        if peer not in self._next:
            return
        after = self._next.pop(peer)
        if after is None:
            self.clear(peer)
        else:
            self.show(peer, *after)

    @pyqtSlot(QDBusMessage)
    def _on_action(self, message: QDBusMessage) -> None:
        number = unwrapped(message.arguments()[0]) if message.arguments() else 0
        for peer, known in self._ids.items():
            if known == number:
                self.activated.emit(peer)
                return

    @pyqtSlot(QDBusMessage)
    def _on_closed(self, message: QDBusMessage) -> None:
        number = unwrapped(message.arguments()[0]) if message.arguments() else 0
        self._ids = {peer: known for peer, known in self._ids.items() if known != number}


class _Call(QObject):
    """One question to the desktop: its answer may come after those to later ones."""

    answered = pyqtSignal(int, int)

    def __init__(self, peer: int, parent: QObject) -> None:
        super().__init__(parent)
        self._peer = peer

    @pyqtSlot(QDBusMessage)
    def on_answer(self, answer: QDBusMessage) -> None:
        """The number of the notification."""
        arguments = answer.arguments()
        number = unwrapped(arguments[0]) if arguments else 0
        self.answered.emit(self._peer, number if isinstance(number, int) else 0)
        self.deleteLater()

    @pyqtSlot(QDBusError, QDBusMessage)
    def on_error(self, _error: QDBusError, _question: QDBusMessage) -> None:
        """Nobody shows notifications here."""
        self.answered.emit(self._peer, 0)
        self.deleteLater()
