"""The window: the list, one conversation or page beside it, one line of news, and how it leaves.

Knows what is on screen; everything about one conversation lives in its pane.
"""

import sys

from chatnet_client.words import restarted_words
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.limits import MAX_PEERS
from chatnet_qt.banner import BannerSlot, engine_banner
from chatnet_qt.banner_overlay import BannerOverlay
from chatnet_qt.bubble_layout import Numbers
from chatnet_qt.controls import control_style
from chatnet_qt.conversation_pane import ConversationPane
from chatnet_qt.drop_overlay import DropOverlay
from chatnet_qt.invites import AddPeerDialog
from chatnet_qt.labels import label
from chatnet_qt.list_pane import ListPane
from chatnet_qt.menus import Menus
from chatnet_qt.qt import (
    QByteArray,
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QEvent,
    QMainWindow,
    QResizeEvent,
    QSplitter,
    QStackedWidget,
    Qt,
    QVBoxLayout,
    QWidget,
    present,
)
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import FOLD, LIST, LIST_MAX, LIST_MIN, measures_of
from chatnet_qt.tray import Tray
from chatnet_qt.wording import peer_name

ENGINE_GOES_ON = (
    "The window is closed. ChatNet keeps receiving in the background. "
    "Open it again with 'chatnet attach', end it with 'chatnet stop'."
)
FIRST_SIZE = (1040, 720)
OF_SCREEN = 0.92
"""The first window takes no more than this share of the screen."""


class MainWindow(QMainWindow):
    """One session on screen."""

    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__()
        self._session = session
        self._settings = settings
        self._panes: dict[int, ConversationPane] = {}
        self._current = 0
        self._folded = False
        self._was_lost = False
        self.engine_strip = BannerSlot("Engine", self)
        self.side = ListPane(session, settings)
        self.peers = self.side.peers
        self.stack = QStackedWidget()
        self.empty = label("Looking for the engine…", wrap=True, ink="text_2")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.tray = Tray(session, settings, self)
        self._lay_out()
        self.menus = Menus(self, lambda: self.pane, session, settings)
        self._connect()
        self.restyle()
        self._restore_geometry()
        self._on_reset()

    def _lay_out(self) -> None:
        m = measures_of(self.font())
        self.stack.addWidget(self.empty)
        self.right = QWidget()
        column = QVBoxLayout(self.right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.stack, 1)
        self.banner = BannerOverlay(self.right)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.addWidget(self.side)
        self.split.addWidget(self.right)
        self.split.setStretchFactor(1, 1)
        self.split.setChildrenCollapsible(False)
        self.split.setHandleWidth(1)
        self.split.setSizes([m.px(LIST), m.px(LIST) * 3])
        self.side.setMinimumWidth(m.px(LIST_MIN))
        self.right.setMinimumWidth(m.px(LIST_MIN))
        self.setCentralWidget(self.split)
        self.drop = DropOverlay(self.split)
        self.setAcceptDrops(True)

    def _connect(self) -> None:
        session = self._session
        session.was_reset.connect(self._on_reset)
        session.changed.connect(self._on_event)
        session.connection_changed.connect(self._show_connection)
        session.unconfirmed_changed.connect(self._show_connection)
        self.engine_strip.acted.connect(lambda _name: session.start_engine())
        self.peers.chosen.connect(self.show_peer)
        self.peers.entered_peer.connect(self._enter_peer)
        self.side.menu_wanted.connect(self.menus.pop_up)
        self.side.transfer_wanted.connect(self._show_transfer)
        self.menus.numbers_chosen.connect(self.set_numbers)
        self.menus.stepped.connect(self.peers.step)
        self.menus.wanted.connect(self._on_wanted)
        self.side.add_wanted.connect(lambda: self._on_wanted("add"))

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
            pane.view.set_numbers(self._settings.numbers)
            pane.header.wanted.connect(self._on_header)
            self._panes[number] = pane
            self.stack.addWidget(pane)
            assert len(self._panes) <= MAX_PEERS
        self._current = number
        pane = self._panes[number]
        pane.header.set_folded(self._folded)
        self.stack.setCurrentWidget(pane)
        self.peers.choose(number)
        self.banner.set_slots([self.engine_strip, *pane.slots()])
        pane.enter()
        self._show_title()

    def show_list(self) -> None:
        """Where only one pane fits: the list."""
        if self._folded:
            self.side.show()
            self.right.hide()
            self.peers.setFocus()

    def _enter_peer(self, number: int) -> None:
        """Write in a conversation; 0: in the one that is on screen."""
        if number:
            self.show_peer(number)
        if self._folded:
            self.right.show()
            self.side.hide()
        if self.pane is not None:
            self.pane.composer.box.setFocus()

    def set_numbers(self, when: Numbers) -> None:
        """When ACK number and source stand beside messages, everywhere."""
        self._settings.numbers = when
        for pane in self._panes.values():
            pane.view.set_numbers(when)

    def restyle(self) -> None:
        """Controls in the colours and measures that are in force."""
        sheet = control_style(colours_of(self.palette()), measures_of(self.font()))
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)

    def _on_header(self, wanted: str) -> None:
        pane = self.pane
        if wanted == "back":
            self.show_list()
        elif wanted == "find" and pane is not None:
            pane.find_bar.open_bar()
        elif wanted == "contact" and pane is not None:
            pane.show_safety_number()

    def _on_wanted(self, wanted: str) -> None:
        if wanted == "switch":
            self.show_list()
            self.side.open_filter()
        elif wanted == "add":
            AddPeerDialog(self._session, self).show()

    def _show_transfer(self, message_id: bytes) -> None:
        view = self._session.view
        row = view.transfer(message_id) if view else None
        if row is not None:
            self._enter_peer(row.peer)
            if self.pane is not None:
                self.pane.view.go_to(message_id)

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
        for number in [n for n in self._panes if n not in numbers]:
            pane = self._panes.pop(number)
            self.banner.set_slots([self.engine_strip])
            self.stack.removeWidget(pane)
            pane.deleteLater()
        if self._current not in numbers:
            self._current = 0
            if numbers:
                self.show_peer(numbers[0])
        if not numbers:
            known = "You have no contacts yet. Add somebody with: chatnet peer add HOST PORT"
            self.empty.setText(known if view else "Looking for the engine…")
            self.stack.setCurrentWidget(self.empty)
            self.banner.set_slots([self.engine_strip])
        self._fold()
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

    # --- room ---

    def _fold(self) -> None:
        """Below a width one pane at a time; a window without peers has no list."""
        m = measures_of(self.font())
        folded = self.width() < m.px(FOLD)
        self.side.setMaximumWidth(16_777_215 if folded else m.px(LIST_MAX))
        if not self._panes or not folded:
            self.side.setVisible(bool(self._panes))
            self.right.show()
        elif self.side.isHidden() == self.right.isHidden():
            self.side.hide()
            self.right.show()
        self._folded = folded
        for pane in self._panes.values():
            pane.header.set_folded(folded)

    def _place_banner(self) -> None:
        m = measures_of(self.font())
        area = self.right.rect()
        self.banner.place(area.adjusted(0, m.px(56), 0, 0))

    # --- Qt's events ---

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """One pane or two."""
        super().resizeEvent(event)
        self._fold()

    def event(self, event: QEvent | None) -> bool:
        """The line of news follows every layout."""
        done = super().event(event)
        if event is not None and event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            self._place_banner()
        return done

    def changeEvent(self, event: QEvent | None) -> None:
        """Coming and going decide what counts as read."""
        super().changeEvent(event)
        if event is None:
            return
        kind = event.type()
        if kind == QEvent.Type.ActivationChange and self.pane:
            if self.isActiveWindow():
                self.pane.marker.update_marks()
        elif kind in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self.restyle()

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Files can be dropped anywhere on the window."""
        pane = self.pane
        if event is not None and pane is not None and pane.composer.accept_drag(event):
            event.acceptProposedAction()
            peer = self._session.peer(self._current)
            self.drop.show_for(peer_name(peer.info, 40) if peer else "")

    def dragLeaveEvent(self, event: QDragLeaveEvent | None) -> None:
        """Gone again."""
        self.drop.hide()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Attach them."""
        self.drop.hide()
        if event is not None and self.pane is not None:
            self.pane.composer.accept_drop(event)
            event.acceptProposedAction()

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
            room = present(self.screen()).availableGeometry()
            wide = min(FIRST_SIZE[0], int(room.width() * OF_SCREEN))
            self.resize(wide, min(FIRST_SIZE[1], int(room.height() * OF_SCREEN)))
        present(self.centralWidget()).setFocus()
