"""What can be done with one conversation, as a menu: on its row, and behind the header's dots."""

from chatnet_protocol.ipc.commands import RetryPeer, SetPeer
from chatnet_protocol.ipc.rows import LinkState, Trust
from chatnet_qt.clipboard import copy
from chatnet_qt.qt import QMenu, QObject, QPoint, Qt, QWidget, present, pyqtSignal
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings


class PeerMenu(QObject):
    """`wanted(peer, name)`: `find`, `invite`, `contact` or a part of that page (`rename`, `verify`,
    `block`, `remove`)."""

    wanted = pyqtSignal(int, str)

    def __init__(self, session: Session, settings: Settings, window: QWidget) -> None:
        super().__init__(window)
        self._session = session
        self._settings = settings
        self._window = window

    def pop_up(self, number: int, at: QPoint) -> None:
        """Show it at a place on the screen."""
        menu = self.menu_for(number)
        if menu is not None:
            menu.popup(at)

    def menu_for(self, number: int) -> QMenu | None:
        """The menu of one peer; None: there is no such peer."""
        peer = self._session.peer(number)
        if peer is None:
            return None
        info = peer.info
        menu = QMenu(self._window)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def add(words: str, name: str) -> None:
            entry = present(menu.addAction(words))
            entry.triggered.connect(lambda: self.wanted.emit(number, name))

        add("&Find…", "find")
        add("&Contact…", "contact")
        add("&Rename…", "rename")
        mute = present(menu.addAction("&Mute notifications"))
        mute.setCheckable(True)
        mute.setChecked(self._settings.is_muted(info.key))
        mute.setEnabled(bool(info.key))
        mute.toggled.connect(lambda on: self._settings.mute(info.key, on))
        address = peer.link.address or info.address
        if address:
            present(menu.addAction("C&opy address")).triggered.connect(lambda: copy(address))
        waits_for_us = info.trust == Trust.PENDING or info.blocked
        if peer.link.state != LinkState.UP and not waits_for_us:
            retry = present(menu.addAction("&Try to connect now"))
            retry.triggered.connect(lambda: self._session.request(RetryPeer(number)))
        if info.trust in (Trust.NONE, Trust.INVITED) and not info.key:
            add("&Invite…", "invite")
        menu.addSeparator()
        add("&Verify…", "verify")
        if info.blocked:
            unblock = present(menu.addAction("Un&block"))
            unblock.triggered.connect(lambda: self._session.request(SetPeer(number, blocked=False)))
        elif info.key:
            add("&Block…", "block")
        add("R&emove…", "remove")
        return menu
