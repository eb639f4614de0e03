"""The icon in the notification area, where the desktop has one: news while nobody looks."""

import html

from chatnet_client.words import giving_words
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import MessageKind, RestoreRow, RestoreTheirs
from chatnet_qt.icons import app_icon
from chatnet_qt.qt import (
    QAction,
    QApplication,
    QMainWindow,
    QMenu,
    QObject,
    QSystemTrayIcon,
    QTimer,
    present,
    pyqtSignal,
)
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings
from chatnet_qt.wording import peer_name, shown_name

GATHER_MS = 1500
"""Messages within this time make one announcement."""
PREVIEW_CHARACTERS = 120


class Tray(QObject):
    """Announces messages and keeps the unread count on the icon. `quit_wanted`: from its menu."""

    quit_wanted = pyqtSignal()

    def __init__(self, session: Session, settings: Settings, window: QMainWindow) -> None:
        super().__init__(window)
        self._session = session
        self._settings = settings
        self._window = window
        self._gathered: dict[int, list[str]] = {}
        self._asking: set[int] = set()
        """Peers whose restore request was announced."""
        self._icon: QSystemTrayIcon | None = None
        self._unread: QAction | None = None
        if QSystemTrayIcon.isSystemTrayAvailable():
            self._icon = QSystemTrayIcon(window.windowIcon(), self)
            self._icon.activated.connect(lambda _reason: self._raise())
            self._icon.messageClicked.connect(self._raise)
            self._icon.setIcon(app_icon())
            self._icon.setContextMenu(self._menu())
            self._icon.show()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(GATHER_MS)
        self._timer.timeout.connect(self._announce)
        session.changed.connect(self._on_event)

    @property
    def is_there(self) -> bool:
        """Whether there is an icon that opens a closed window again."""
        return self._icon is not None

    def _menu(self) -> QMenu:
        menu = QMenu(self._window)
        self._unread = present(menu.addAction("No unread messages"))
        self._unread.setEnabled(False)
        present(menu.addAction("Open ChatNet")).triggered.connect(self._raise)
        menu.addSeparator()
        present(menu.addAction("Quit; the engine goes on")).triggered.connect(self.quit_wanted)
        return menu

    def show_unread(self, unread: int) -> None:
        """Put the number on the icons of window and tray."""
        icon = app_icon(unread)
        self._window.setWindowIcon(icon)
        if self._icon is not None:
            self._icon.setIcon(icon)
            if self._unread is not None:
                self._unread.setText(f"{unread} unread" if unread else "No unread messages")
            self._icon.setToolTip(f"ChatNet: {unread} unread" if unread else "ChatNet")

    def say(self, title: str, words: str) -> bool:
        """Announce something; false where there is no notification area."""
        if self._icon is None:
            return False
        self._icon.showMessage(shown_name(title), html.escape(words, quote=False))
        return True

    def _on_event(self, event: ev.Event) -> None:
        if isinstance(event, ev.RestoreChanged):
            self._announce_wish(event.row)
        if not isinstance(event, ev.MessagesAdded) or self._window.isActiveWindow():
            return
        texts = [
            shown_name(row.text[:PREVIEW_CHARACTERS]) if row.kind == MessageKind.TEXT else "a file"
            for row in event.rows
            if not row.mine
        ]
        if texts and self._settings.notifications:
            known = self._gathered.setdefault(event.peer, [])
            known += texts[:1000] if len(known) < 1000 else []
            self._timer.start()

    def _announce_wish(self, row: RestoreRow) -> None:
        """A restore request has to be answered: announced once for each."""
        if row.theirs != RestoreTheirs.ASKED:
            self._asking.discard(row.peer)
            return
        peer = self._session.peer(row.peer)
        if row.peer in self._asking or peer is None:
            return
        self._asking.add(row.peer)
        if not self._window.isActiveWindow() and self._settings.notifications:
            QApplication.alert(self._window)
            self.say(peer_name(peer.info), giving_words(row, peer_name(peer.info)))

    def _announce(self) -> None:
        gathered, self._gathered = self._gathered, {}
        if self._window.isActiveWindow():
            return
        QApplication.alert(self._window)
        for number, texts in gathered.items():
            peer = self._session.peer(number)
            if peer is None or peer.unread == 0 or self._settings.is_muted(peer.info.key):
                continue
            words = f"{len(texts)} new messages" if len(texts) > 1 else "New message"
            if self._settings.text_in_notifications and len(texts) == 1:
                words = texts[0]
            named = self._settings.names_in_notifications
            self.say(peer_name(peer.info) if named else "ChatNet", words)

    def _raise(self) -> None:
        self._window.showNormal()
        self._window.raise_()
        self._window.activateWindow()
