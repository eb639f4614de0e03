"""The window: conversations side by side, menus, and how it leaves.

Knows which conversation is on screen; everything about one lives in its pane.
"""

import sys

from chatnet_client.words import restarted_words
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.limits import MAX_PEERS
from chatnet_qt.banner import BannerStrip, engine_banner
from chatnet_qt.conversation_pane import ConversationPane
from chatnet_qt.labels import label
from chatnet_qt.menus import Menus
from chatnet_qt.peer_list import PeerList
from chatnet_qt.qt import (
    QByteArray,
    QCloseEvent,
    QEvent,
    QMainWindow,
    QSplitter,
    QStackedWidget,
    Qt,
    QVBoxLayout,
    QWidget,
    present,
)
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings
from chatnet_qt.status_panel import StatusPanel
from chatnet_qt.tray import Tray
from chatnet_qt.wording import peer_name

ENGINE_GOES_ON = (
    "The window is closed; the engine goes on and keeps receiving. "
    "Open it again with 'chatnet attach', end it with 'chatnet stop'."
)
FIRST_SIZE = (760, 640)


class MainWindow(QMainWindow):
    """One session on screen."""

    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__()
        self._session = session
        self._settings = settings
        self._panes: dict[int, ConversationPane] = {}
        self._current = 0
        self._was_lost = False
        self.engine_strip = BannerStrip("Engine")
        self.peers = PeerList(session)
        self.stack = QStackedWidget()
        self.status = StatusPanel(session)
        self._empty = label("Looking for the engine…", wrap=True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.tray = Tray(session, settings, self)
        self._lay_out()
        self.menus = Menus(self, lambda: self.pane, session, settings)
        self._connect()
        self._restore_geometry()
        self._on_reset()

    def _lay_out(self) -> None:
        self.stack.addWidget(self._empty)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.engine_strip)
        column.addWidget(self.stack, 1)
        column.addWidget(self.status)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.addWidget(self.peers)
        self.split.addWidget(right)
        self.split.setStretchFactor(1, 1)
        self.split.setChildrenCollapsible(False)
        self.split.setHandleWidth(1)
        self.split.setSizes([230, 530])
        self.peers.setMinimumWidth(140)
        right.setMinimumWidth(260)
        self.setCentralWidget(self.split)

    def _connect(self) -> None:
        session = self._session
        session.was_reset.connect(self._on_reset)
        session.changed.connect(self._on_event)
        session.connection_changed.connect(self._show_connection)
        session.unconfirmed_changed.connect(self._show_connection)
        self.engine_strip.acted.connect(lambda _name: session.start_engine())
        self.peers.chosen.connect(self.show_peer)
        self.menus.footers_toggled.connect(self.set_footers)
        self.menus.stepped.connect(self.peers.step)

    # --- conversations ---

    @property
    def pane(self) -> ConversationPane | None:
        """The conversation on screen."""
        return self._panes.get(self._current)

    def show_peer(self, number: int) -> None:
        """Put the conversation with a peer on screen."""
        if number == self._current or self._session.peer(number) is None:
            return
        if self.pane is not None:
            self.pane.leave()
        if number not in self._panes:
            pane = ConversationPane(self._session, number)
            pane.view.set_footers(self._settings.footers)
            self._panes[number] = pane
            self.stack.addWidget(pane)
            assert len(self._panes) <= MAX_PEERS
        self._current = number
        self.stack.setCurrentWidget(self._panes[number])
        self.peers.choose(number)
        self.status.show_peer(number)
        self._panes[number].enter()
        self._show_title()

    def set_footers(self, on: bool) -> None:
        """Show or hide ACK number and source everywhere."""
        self._settings.footers = on
        for pane in self._panes.values():
            pane.view.set_footers(on)

    # --- what happens ---

    def _on_reset(self) -> None:
        self._sync_peers()
        self._show_connection()

    def _on_event(self, event: ev.Event) -> None:
        if isinstance(event, ev.PeerChanged | ev.PeerRemoved):
            self._sync_peers()
        elif isinstance(event, ev.Notice) and not event.peer and self.pane is not None:
            self.pane.tell(event.text)
        self._show_title()

    def _sync_peers(self) -> None:
        view = self._session.view
        numbers = [peer.info.peer for peer in view.peers] if view else []
        self.peers.setVisible(len(numbers) > 1)
        for number in [n for n in self._panes if n not in numbers]:
            pane = self._panes.pop(number)
            self.stack.removeWidget(pane)
            pane.deleteLater()
        if self._current not in numbers:
            self._current = 0
            if numbers:
                self.show_peer(numbers[0])
        if not numbers:
            known = "Nobody is known yet. Add somebody with: chatnet peer add HOST PORT"
            self._empty.setText(known if view else "Looking for the engine…")
            self.stack.setCurrentWidget(self._empty)
        self._show_title()

    def _show_connection(self) -> None:
        mirror = self._session.mirror
        self.engine_strip.show_banner(engine_banner(mirror, self._session.unconfirmed))
        back = self._was_lost and mirror.live
        words = restarted_words(mirror.view.session) if mirror.view is not None and back else ""
        if words and self.pane is not None:
            self.pane.tell(words)
        self._was_lost = bool(mirror.lost_reason) or (self._was_lost and not mirror.live)

    def _show_title(self) -> None:
        view = self._session.view
        unread = sum(peer.unread for peer in view.peers) if view else 0
        peer = self._session.peer(self._current)
        title = f"{peer_name(peer.info)} — ChatNet" if peer else "ChatNet"
        title = f"({unread}) {title}" if unread else title
        if title != self.windowTitle():
            self.setWindowTitle(title)
            self.tray.show_unread(unread)

    # --- Qt's events ---

    def changeEvent(self, event: QEvent | None) -> None:
        """Coming and going decide what counts as read."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.ActivationChange and self.pane:
            if self.isActiveWindow():
                self.pane.marker.update_marks()
            else:
                self.pane.leave()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Leave the session; the engine goes on, which is said once."""
        for pane in self._panes.values():
            pane.composer.flush()
        self._settings.geometry = self.saveGeometry()
        if not self._settings.said_engine_goes_on and self._session.online:
            self._settings.said_engine_goes_on = True
            self.tray.say("ChatNet", ENGINE_GOES_ON)
            print(ENGINE_GOES_ON, file=sys.stderr)  # noqa: T201
        self._settings.save()
        super().closeEvent(event)

    def _restore_geometry(self) -> None:
        geometry: QByteArray = self._settings.geometry
        if geometry.isEmpty() or not self.restoreGeometry(geometry):
            self.resize(*FIRST_SIZE)
        present(self.centralWidget()).setFocus()
