"""News while nobody looks: notifications, and the icon in the notification area where the desktop
has one."""

import sys

from chatnet_client.words import giving_words
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import MessageKind, RestoreRow, RestoreTheirs
from chatnet_qt.icons import app_icon
from chatnet_qt.notifications import Notifications
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

ENGINE_GOES_ON = (
    "The window is closed. ChatNet keeps receiving in the background. "
    "Open it again with 'chatnet attach', end it with 'chatnet stop'."
)
KEEPS_RUNNING = (
    "ChatNet keeps running in the background; its icon opens the window again. "
    "End it with Quit in its menu."
)
GATHER_MS = 1500
"""Messages within this time make one announcement."""
PREVIEW_CHARACTERS = 120
MAX_AT_ONCE = 3
"""More conversations with news than this get one notification together."""
BLINK_MS = 800
TOGETHER = 0
"""In the place of a peer's number: the notification about several."""


class Tray(QObject):
    """Announces messages and keeps the unread count on the icon. `quit_wanted`: from its menu;
    `peer_wanted(peer)`: its notification was clicked."""

    quit_wanted = pyqtSignal()
    peer_wanted = pyqtSignal(int)

    def __init__(self, session: Session, settings: Settings, window: QMainWindow) -> None:
        super().__init__(window)
        self._session = session
        self._settings = settings
        self._window = window
        self._gathered: dict[int, list[str]] = {}
        self._asking: set[int] = set()
        """Peers whose restore request was announced."""
        self._announced: set[int] = set()
        """Conversations that may have a notification on screen."""
        self.notifications = Notifications(self)
        self.notifications.activated.connect(self._on_activated)
        self.notifications.failed.connect(self._on_not_shown)
        self._icon: QSystemTrayIcon | None = None
        self._unread: QAction | None = None
        self._icons = (app_icon(), app_icon())
        """The one for now, and the one that it alternates with where it blinks."""
        self._blink = QTimer(self)
        self._blink.setInterval(BLINK_MS)
        self._blink.timeout.connect(self._on_blink)
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
        session.was_reset.connect(self._clear_read)

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
        present(menu.addAction("Quit; the engine keeps running")).triggered.connect(
            self.quit_wanted
        )
        return menu

    def show_unread(self, unread: int) -> None:
        """Put the number on the icons of window and tray."""
        icon = app_icon(unread)
        self._window.setWindowIcon(icon)
        if self._icon is not None:
            self._icon.setIcon(icon)
            self._icons = (icon, app_icon())
            if unread and self._settings.blink:
                self._blink.start()
            else:
                self._blink.stop()
            if self._unread is not None:
                self._unread.setText(f"{unread} unread" if unread else "No unread messages")
            self._icon.setToolTip(f"ChatNet: {unread} unread" if unread else "ChatNet")

    def _on_blink(self) -> None:
        """The next of both icons; the first, and no other, once nobody wants them to alternate."""
        icon, other = self._icons
        if self._settings.blink:
            self._icons = (other, icon)
        else:
            self._blink.stop()
            other = self._window.windowIcon()
        present(self._icon).setIcon(other)

    def say(self, title: str, words: str) -> bool:
        """Announce something; false where there is no notification area."""
        if self._icon is None:
            return False
        import html  # its tables are large, and the first paint needs none

        self._icon.showMessage(shown_name(title), html.escape(words, quote=False))
        return True

    def say_once_what_goes_on(self, *, stays: bool) -> None:
        """The window closes, and `stays` as an icon or goes; the engine does not end by that."""
        if not self._settings.announced_background:
            self._settings.announced_background = True
            words = KEEPS_RUNNING if stays else ENGINE_GOES_ON
            self.say("ChatNet", words)
            print(words, file=sys.stderr)  # noqa: T201

    def clear(self) -> None:
        """The window goes."""
        self.notifications.clear_all()

    def _on_not_shown(self, _peer: int, title: str, words: str) -> None:
        """Nobody shows notifications by name: as a balloon of the icon."""
        self.say(title, words)

    def _on_activated(self, peer: int) -> None:
        self._raise()
        if peer != TOGETHER:
            self.peer_wanted.emit(peer)

    def _clear_read(self) -> None:
        """What was read, in this window or in any other front end, needs no notification."""
        unread = {peer for peer in self._announced if self._unread_of(peer)}
        for peer in self._announced - unread:
            self.notifications.clear(peer)
            self._gathered.pop(peer, None)
        self._announced = unread

    def _unread_of(self, number: int) -> bool:
        view = self._session.view
        if number == TOGETHER:
            return any(peer.unread for peer in view.peers) if view else False
        peer = self._session.peer(number)
        return peer is not None and peer.unread > 0

    def _on_event(self, event: ev.Event) -> None:
        if self._announced and isinstance(event, ev.MarksMoved | ev.PeerRemoved):
            self._clear_read()
        if isinstance(event, ev.RestoreChanged):
            self._announce_request(event.row)
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

    def _announce_request(self, row: RestoreRow) -> None:
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
        found = [(number, self._session.peer(number)) for number in gathered]
        wanted = {
            number: peer
            for number, peer in found
            if peer and peer.unread and not self._settings.is_muted(peer.info.key)
        }
        if not wanted:
            return
        QApplication.alert(self._window)
        if len(wanted) > MAX_AT_ONCE:
            total = sum(peer.unread for peer in wanted.values())
            self._show(TOGETHER, "ChatNet", f"{total} new messages in {len(wanted)} conversations")
            return
        for number, peer in wanted.items():
            # One notification a conversation: it counts all that has not been read.
            words = f"{peer.unread} new messages" if peer.unread > 1 else "New message"
            if self._settings.text_in_notifications and len(gathered[number]) == 1:
                words = gathered[number][0]
            named = self._settings.names_in_notifications
            self._show(number, peer_name(peer.info) if named else "ChatNet", words)

    def _show(self, number: int, title: str, words: str) -> None:
        self._announced.add(number)
        self.notifications.show(number, shown_name(title), words)

    def _raise(self) -> None:
        self._window.showNormal()
        self._window.raise_()
        self._window.activateWindow()
