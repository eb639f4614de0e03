"""The window: the list, one conversation or page beside it, one line of news, and how it leaves.

Knows what is on screen; everything about one conversation lives in its pane.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from chatnet_client.words import restarted_words
from chatnet_client.words.notices import notice_words
from chatnet_protocol.ipc import events as ev
from chatnet_qt.attendants import Attendants
from chatnet_qt.banner import BannerSlot, engine_banner
from chatnet_qt.composer import Composer
from chatnet_qt.controls import control_style
from chatnet_qt.conversation_pane import ConversationPane
from chatnet_qt.drop_overlay import DropWindow
from chatnet_qt.labels import label
from chatnet_qt.list_pane import ListPane
from chatnet_qt.look import Look
from chatnet_qt.pages import Pages
from chatnet_qt.panes import Panes
from chatnet_qt.qt import (
    QApplication,
    QCloseEvent,
    QCursor,
    QEvent,
    QPaintEvent,
    QPoint,
    QResizeEvent,
    QSplitter,
    Qt,
    present,
)
from chatnet_qt.right_side import RightSide
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import FOLD, LIST, LIST_MAX, LIST_MIN, measures_of
from chatnet_qt.window_geometry import WindowGeometry
from chatnet_qt.wording import peer_name

if TYPE_CHECKING:
    from chatnet_qt.emoji_picker import EmojiPicker
    from chatnet_qt.page import Page


class MainWindow(DropWindow):
    """One session on screen."""

    def __init__(self, session: Session, settings: Settings) -> None:
        super().__init__()
        self.look = Look(settings, self)
        self._session = session
        self._settings = settings
        self._folded = False
        self._was_lost = False
        self._leaving = False
        self._awaited = 0
        """A peer that was added here and is not in the view yet."""
        self.engine_strip = BannerSlot("Engine", self)
        self.side = ListPane(session, settings)
        self.peers = self.side.peers
        self.right = RightSide(session)
        self.stack, self.banner = self.right.stack, self.right.banner
        self.panes = Panes(session, settings, self.stack, self)
        self.empty = label("Looking for the engine…", wrap=True, ink="text_2")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.attendants = Attendants(session, settings, self.look, self.panes, self)
        self._lay_out()
        self._connect()
        self.restyle()
        if settings.blur:
            self.attendants.set_blur(True)
        self._geometry = WindowGeometry(self, settings)
        present(self.centralWidget()).setFocus()
        self._on_reset()

    def _lay_out(self) -> None:
        m = measures_of(self.font())
        self.stack.addWidget(self.empty)
        self.pages = Pages(self._session, self._settings, self.stack, self)
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.addWidget(self.side)
        self.split.addWidget(self.right)
        self.split.setStretchFactor(1, 1)
        self.split.setChildrenCollapsible(False)
        self.split.setHandleWidth(1)
        self.split.setSizes([m.px(LIST), m.px(LIST) * 3])
        self.side.setMinimumWidth(m.px(LIST_MIN))
        self.setCentralWidget(self.split)

    def _connect(self) -> None:
        session = self._session
        session.was_reset.connect(self._on_reset)
        session.changed.connect(self._on_event)
        session.connection_changed.connect(self._show_connection)
        session.unconfirmed_changed.connect(self._show_connection)
        self.engine_strip.acted.connect(lambda _name: session.start_engine())
        self.peers.chosen.connect(self.show_peer)
        self.peers.entered_peer.connect(self._enter_peer)
        self.side.menu_wanted.connect(self.attendants.pop_up)
        self.side.transfer_wanted.connect(self._show_transfer)
        self.pages.left.connect(self.leave_page)
        self.right.panel_closed.connect(self._on_panel_closed)
        self.pages.menu_wanted.connect(self.attendants.pop_up)
        self.side.settings_wanted.connect(lambda: self._on_wanted("settings"))
        self.pages.look_changed.connect(self.look.apply)
        panes = self.panes
        panes.header_used.connect(self._on_header)
        panes.invite_wanted.connect(lambda peer: self._on_peer_action(peer, "invite"))
        panes.emoji_wanted.connect(self._show_emoji)
        self.banner.covers.connect(self._keep_free)
        self.pages.blur_toggled.connect(self.attendants.set_blur)
        self.pages.pictures_toggled.connect(panes.set_pictures)
        self.pages.numbers_chosen.connect(panes.set_numbers)
        self.pages.added.connect(self._on_added)
        self.side.add_wanted.connect(lambda: self._on_wanted("add"))
        attendants = self.attendants
        self.peers.menu_wanted.connect(attendants.pop_up_peer)
        attendants.peer_action.connect(self._on_peer_action)
        attendants.quit_wanted.connect(self.leave)
        attendants.peer_wanted.connect(self._enter_peer)
        attendants.covered.connect(panes.set_covered)
        attendants.numbers_chosen.connect(panes.set_numbers)
        attendants.stepped.connect(self.peers.step)
        attendants.wanted.connect(self._on_wanted)

    @cached_property
    def emoji(self) -> "EmojiPicker":
        """The picker: made, and its module loaded, when it is opened first."""
        from chatnet_qt.emoji_picker import EmojiPicker

        return EmojiPicker(self._settings, self)

    def _show_emoji(self, insert: Callable[[str], None], corner: QPoint) -> None:
        self.emoji.pop_up(insert, corner)

    # --- conversations ---

    @property
    def pane(self) -> ConversationPane | None:
        """The conversation on screen."""
        return self.panes.pane

    def show_peer(self, number: int) -> None:
        """Put the conversation with a peer on screen."""
        if self._session.peer(number) is None:
            return
        if number == self.panes.current:
            self.leave_page()
            return
        pane = self.panes.open(number)
        self.peers.choose(number)
        self.right.set_slots([self.engine_strip, *pane.slots()])
        self.right.follow(number)
        self._keep_free(self.banner.covered_px)
        pane.header.activity.setChecked(self.right.panel_is_open)
        pane.enter()
        self._show_title()

    def show_page(self, page: "Page") -> None:
        """Put a page in the place of the conversation."""
        if self.pane is not None:
            self.pane.leave()
        if self._folded:
            self.right.show()
            self.side.hide()
        self.right.set_slots([self.engine_strip])
        self.pages.open(page, alone=not len(self.panes))

    def leave_page(self) -> None:
        """Back to the conversation."""
        pane = self.pane
        if pane is not None:
            self.stack.setCurrentWidget(pane)
            self.right.set_slots([self.engine_strip, *pane.slots()])
            pane.enter()

    def _keep_free(self, px: int) -> None:
        """What lies over the conversation hides nothing of it for good."""
        if self.pane is not None:
            self.pane.model.keep_free(px)

    def _on_added(self, number: int) -> None:
        """Somebody new: their conversation, as soon as the view has them."""
        self._awaited = number
        self._sync_peers()

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
        elif wanted in ("contact", "link"):
            self._on_wanted(wanted)
        elif wanted == "menu" and pane is not None:
            self.attendants.pop_up_peer(self.panes.current, QCursor.pos())

    def _on_wanted(self, wanted: str) -> None:
        if wanted == "switch":
            self.show_list()
            self.side.open_filter()
        elif wanted == "add":
            self.show_page(self.pages.start)
        elif wanted == "settings":
            self.show_page(self.pages.settings)
        elif wanted == "contact" and self.pane is not None:
            self.pages.contact.show_peer(self.panes.current)
            self.show_page(self.pages.contact)
        elif wanted == "link" and self.pane is not None:
            self.pane.header.activity.setChecked(self.right.toggle_panel(self.panes.current))
        elif wanted == "quit":
            self.leave()

    def _on_panel_closed(self) -> None:
        if self.pane is not None:
            self.pane.header.activity.setChecked(False)
            self.pane.composer.box.setFocus()

    def _on_peer_action(self, number: int, action: str) -> None:
        self.show_peer(number)
        if action == "find" and self.pane is not None:
            self.pane.find_bar.open_bar()
        elif action == "invite":
            self.show_page(self.pages.start)
            self.pages.start.invite.make_for(number)
        else:
            self._on_wanted("contact")
            self.pages.contact.show_part(action)

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
            self.pane.tell(notice_words(event, ""))
        self._show_title()

    def _sync_peers(self) -> None:
        view = self._session.view
        numbers = [peer.info.peer for peer in view.peers] if view else []
        if self.panes.keep_only(numbers):
            pane = self.pane
            self.right.set_slots([self.engine_strip, *(pane.slots() if pane else [])])
        if self.panes.current not in numbers:
            self.panes.current = 0
            if numbers and not self.pages.is_inviting:
                if not self._folded:
                    self.side.show()
                    self.split.refresh()  # the conversation is laid out once, beside the list
                self.show_peer(self.panes.first_of(numbers))
        if self._awaited in numbers:
            number, self._awaited = self._awaited, 0
            self._enter_peer(number)
        if view is None:
            self.stack.setCurrentWidget(self.empty)
        elif not numbers and self.stack.currentWidget() is not self.pages.start:
            self.show_page(self.pages.start)
        self.pages.set_alone(not len(self.panes))
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
        peer = self._session.peer(self.panes.current)
        title = f"{peer_name(peer.info)} — ChatNet" if peer else "ChatNet"
        title = f"({unread}) {title}" if unread else title
        if title != self.windowTitle():
            self.setWindowTitle(title)
            self.attendants.show_unread(unread)

    # --- space ---

    def _fold(self) -> None:
        """Below a width one pane at a time; a window without peers has no list."""
        m = measures_of(self.font())
        folded = self.width() < m.px(FOLD)
        self.side.setMaximumWidth(16_777_215 if folded else m.px(LIST_MAX))
        if not len(self.panes) or not folded:
            self.side.setVisible(len(self.panes) > 0)
            self.right.show()
        elif self.side.isHidden() == self.right.isHidden():
            self.side.hide()
            self.right.show()
        self._folded = folded
        self.panes.set_folded(folded)

    # --- Qt's events ---

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """One pane or two."""
        super().resizeEvent(event)
        self._fold()
        self.attendants.handle_resize()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """What is under everything, and painted first."""
        super().paintEvent(event)
        self.attendants.handle_paint()

    def changeEvent(self, event: QEvent | None) -> None:
        """Coming and going decide what counts as read."""
        super().changeEvent(event)
        if event is None:
            return
        kind = event.type()
        if kind == QEvent.Type.ActivationChange:
            self.attendants.handle_activation()
            if self.isActiveWindow() and self.pane:
                self.pane.marker.update_marks()
        elif kind in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self.restyle()

    def drop_target(self) -> tuple[Composer, str] | None:
        """Where files go that are dropped on this window."""
        pane, peer = self.pane, self._session.peer(self.panes.current)
        if pane is None or peer is None or self.stack.currentWidget() is not pane:
            return None
        return pane.composer, peer_name(peer.info, 40)

    def leave(self) -> None:
        """End this window, its icon too; the engine goes on."""
        self._leaving = True
        self.close()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Into the notification area, or away; the engine keeps running, which is announced
        once."""
        self.panes.flush()
        self._geometry.keep()
        stays = self._settings.to_tray and self.attendants.tray.is_there and not self._leaving
        if self._session.online:
            self.attendants.tray.say_once_what_goes_on(stays=stays)
        self._settings.save()
        if stays and event is not None:
            event.ignore()
            self.hide()
        else:
            self.attendants.clear()
            super().closeEvent(event)
            QApplication.quit()
