"""The entry of the window in the desktop's task bar: unread messages and the progress of all
transfers. Interface: com.canonical.Unity.LauncherEntry, which Plasma, Ubuntu's dock and Dash to
Dock read; where nobody does, nothing is shown."""

import os

from chatnet_qt.autostart import MENU_FILE
from chatnet_qt.qt import QObject, QTimer
from chatnet_qt.qt_dbus import QDBusConnection, QDBusMessage
from chatnet_qt.session import Session
from chatnet_qt.work import work_of

INTERFACE = "com.canonical.Unity.LauncherEntry"
PATH = "/org/chatnet/launcher"
RENEW_MS = 500
"""However often progress changes, the entry changes at most this often."""
STEPS = 200
"""Of the bar: smaller ones are not seen."""

Facts = tuple[int, float | None]
"""Unread messages; how far all transfers have come, None: nothing moves."""


def properties_of(facts: Facts) -> dict[str, object]:
    """What the task bar is to show."""
    unread, share = facts
    return {
        "count": unread,
        "count-visible": unread > 0,
        "progress": share if share is not None else 0.0,
        "progress-visible": share is not None,
    }


class Launcher(QObject):
    """Follows a session; publishes on the session bus only what has changed."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._shown: Facts = (0, None)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(RENEW_MS)
        self._timer.timeout.connect(self.renew)
        for signal in (session.changed, session.gauged):
            signal.connect(lambda _fact: self._soon())
        for signal in (session.was_reset, session.connection_changed):
            signal.connect(self._soon)
        self._soon()

    def renew(self) -> None:
        """Publish what is true now, if that is something else."""
        view, work = self._session.view, work_of(self._session)
        unread = sum(peer.unread for peer in view.peers) if view else 0
        share = int(work.share * STEPS) / STEPS if work else None
        if (unread, share) != self._shown:
            self._shown = (unread, share)
            self._publish(self._shown)

    def clear(self) -> None:
        """The window goes."""
        self._timer.stop()
        if self._shown != (0, None):
            self._shown = (0, None)
            self._publish(self._shown)

    def _soon(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _publish(self, facts: Facts) -> None:
        view = self._session.view
        if view is None or "DBUS_SESSION_BUS_ADDRESS" not in os.environ:
            return
        entry = f"application://{MENU_FILE.format(session=view.session.name)}"
        message = QDBusMessage.createSignal(PATH, INTERFACE, "Update")
        message.setArguments([entry, properties_of(facts)])
        QDBusConnection.sessionBus().send(message)
