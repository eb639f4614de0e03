"""Whether the desktop wants dark windows, asked of its settings portal over D-Bus.

Qt 5 does not ask. Nothing waits for the answer; where there is no portal, none comes.
Interface: org.freedesktop.portal.Settings, key org.freedesktop.appearance color-scheme.
"""

import os

from chatnet_qt.qt import QObject, pyqtSignal, pyqtSlot
from chatnet_qt.qt_dbus import QDBusConnection, QDBusError, QDBusMessage, QDBusVariant

SERVICE = "org.freedesktop.portal.Desktop"
PATH = "/org/freedesktop/portal/desktop"
INTERFACE = "org.freedesktop.portal.Settings"
NAMESPACE = "org.freedesktop.appearance"
KEY = "color-scheme"
PREFERS_DARK = 1
TIMEOUT_MS = 5000


def unwrapped(value: object) -> object:
    """The value inside any number of D-Bus variants."""
    while isinstance(value, QDBusVariant):
        value = value.variant()
    return value


class DesktopScheme(QObject):
    """`changed` when `dark` became known or another."""

    changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.dark: bool | None = None
        """None: the desktop has no opinion."""

    def ask(self) -> None:
        """Ask once, and listen from now on."""
        if "DBUS_SESSION_BUS_ADDRESS" not in os.environ:
            return
        bus = QDBusConnection.sessionBus()
        if not bus.isConnected():
            return
        bus.connect("", PATH, INTERFACE, "SettingChanged", self._on_setting)
        question = QDBusMessage.createMethodCall(SERVICE, PATH, INTERFACE, "Read")
        question.setArguments([NAMESPACE, KEY])
        bus.callWithCallback(question, self._on_answer, self._on_error, TIMEOUT_MS)

    @pyqtSlot(QDBusMessage)
    def _on_answer(self, answer: QDBusMessage) -> None:
        arguments = answer.arguments()
        if arguments:
            self._take(unwrapped(arguments[0]))

    @pyqtSlot(QDBusMessage)
    def _on_setting(self, message: QDBusMessage) -> None:
        arguments = message.arguments()
        if len(arguments) == 3 and arguments[:2] == [NAMESPACE, KEY]:
            self._take(unwrapped(arguments[2]))

    @pyqtSlot(QDBusError, QDBusMessage)
    def _on_error(self, _error: QDBusError, _question: QDBusMessage) -> None:
        """No portal: the palette that Qt found stays."""

    def _take(self, value: object) -> None:
        dark = value == PREFERS_DARK if value in (1, 2) else None
        if dark != self.dark:
            self.dark = dark
            self.changed.emit()
