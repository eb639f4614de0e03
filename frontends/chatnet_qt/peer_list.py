"""The list of conversations: who waits or is unread first, then the newest."""

import time

from chatnet_client.words.offers import title_of_offer
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.reasons import MessageFailure
from chatnet_protocol.ipc.rows import LinkState, MessageKind, Trust
from chatnet_protocol.ipc.view import PeerView
from chatnet_qt.bubble import offer_of
from chatnet_qt.icons import draw_icon
from chatnet_qt.list_menu import menu_place
from chatnet_qt.monogram import dot_of, draw_dot, draw_monogram
from chatnet_qt.qt import (
    QAbstractListModel,
    QBrush,
    QContextMenuEvent,
    QFontMetricsF,
    QListView,
    QModelIndex,
    QObject,
    QPainter,
    QPen,
    QPoint,
    QRectF,
    QSize,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    Qt,
    QWidget,
    present,
    pyqtSignal,
)
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import Colours, Measures, measures_of
from chatnet_qt.wording import (
    link_words,
    peer_name,
    shown_name,
    shown_text,
    when_words,
)

PEER_ROLE = int(Qt.ItemDataRole.UserRole)
PREVIEW_CHARACTERS = 80
LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


def preview_of(peer: PeerView, online: bool) -> tuple[str, str]:
    """The second line of a row, and its colour: what matters most. `online`: there is an engine."""
    if peer.info.blocked:
        return "Blocked", "text_2"
    if peer.info.trust == Trust.PENDING:
        return "Wants to chat", "link"
    if peer.typing and online and peer.link.state == LinkState.UP:
        return "Typing…", "link"
    if peer.draft:
        return f"Draft: {shown_name(peer.draft[:PREVIEW_CHARACTERS])}", "text_2"
    shown = [row for row in peer.messages if row.failed != MessageFailure.DELETED]
    if not shown:
        words = link_words(peer.link, peer.info) if online else "engine not running"
        return words[:1].upper() + words[1:], "text_2"
    row = shown[-1]
    if row.kind == MessageKind.OFFER:
        offer = offer_of(row)
        title = title_of_offer(offer, shown_name)
        is_folder = any(thing.is_folder for thing in offer.things[:1])
        words = f"{'Folder' if is_folder else 'File'}: {title}"
    else:
        words = shown_name(shown_text(row.text[:PREVIEW_CHARACTERS]), PREVIEW_CHARACTERS)
    if row.failed == MessageFailure.WITHDRAWN:
        return f"Withdrawn: {words}", "text_2"
    if row.failed:
        return f"Not sent: {words}", "danger"
    return (f"You: {words}" if row.mine else words), "text_2"


def rank_of(peer: PeerView) -> tuple[bool, int, int]:
    """Sorts who waits for somebody here to the top, then by the last message."""
    waits = peer.unread > 0 or peer.info.trust == Trust.PENDING
    waits = waits and not peer.info.blocked
    newest = peer.messages[-1].no if peer.messages else 0
    return not waits, -newest, peer.info.peer


class PeerListModel(QAbstractListModel):
    """Peers whose names hold what is being looked for."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._peers: list[int] = []
        self._filter = ""
        session.was_reset.connect(self._sync)
        session.changed.connect(self._on_event)
        self._sync()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """How many peers."""
        return 0 if parent is not None and parent.isValid() else len(self._peers)

    def data(self, index: QModelIndex, role: int = 0) -> object:
        """The PeerView, or its words."""
        peer = self._session.peer(self._peers[index.row()]) if index.isValid() else None
        if peer is None:
            return None
        if role == PEER_ROLE:
            return peer
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            unread = f", {peer.unread} unread" if peer.unread else ""
            verified = ", verified" if peer.info.trust == Trust.VERIFIED else ""
            online = self._session.online
            link = link_words(peer.link, peer.info) if online else "no engine"
            words = f"{peer_name(peer.info)}{verified}, {link}{unread}"
            preview = preview_of(peer, online)[0]
            return f"{words}. {preview}" if peer.messages or peer.draft else words
        return None

    def number_at(self, row: int) -> int:
        """The peer at `row`."""
        return self._peers[row]

    def row_of(self, peer: int) -> int:
        """Where a peer stands, or -1."""
        return self._peers.index(peer) if peer in self._peers else -1

    def look_for(self, words: str) -> None:
        """Show only peers whose names hold `words`."""
        self._filter = words.strip().casefold()
        self._sync()

    def _on_event(self, event: ev.Event) -> None:
        number = event.row.peer if isinstance(event, ev.LinkChanged) else getattr(event, "peer", 0)
        kinds = ev.PeerRemoved | ev.PeerChanged | ev.MessagesAdded | ev.MarksMoved
        if isinstance(event, kinds):
            self._sync()
        row = self.row_of(number)
        if row >= 0:
            self.dataChanged.emit(self.index(row), self.index(row))

    def _sync(self) -> None:
        view = self._session.view
        found = sorted(view.peers, key=rank_of) if view else []
        peers = [
            peer.info.peer for peer in found if self._filter in peer_name(peer.info).casefold()
        ]
        if set(peers) != set(self._peers):
            self.beginResetModel()
            self._peers = peers
            self.endResetModel()
        elif peers != self._peers:
            self.layoutAboutToBeChanged.emit()
            olds = self.persistentIndexList()
            news = [self.index(peers.index(self._peers[old.row()])) for old in olds]
            self._peers = peers
            self.changePersistentIndexList(olds, news)
            self.layoutChanged.emit()
        elif peers:
            self.dataChanged.emit(self.index(0), self.index(len(peers) - 1))


class PeerDelegate(QStyledItemDelegate):
    """Draws a face with the state of the link, name, time, last message, unread count."""

    def __init__(self, session: Session, settings: Settings, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._settings = settings

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """A row of the design."""
        return QSize(120, measures_of(option.font).px(64))

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw one peer."""
        peer = index.data(PEER_ROLE)
        if painter is None or not isinstance(peer, PeerView):
            return
        c, m = colours_of(option.palette), measures_of(option.font)
        box = QRectF(option.rect).adjusted(m.px(8), 0, -m.px(8), 0)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        flags = QStyle.StateFlag
        ground = c.window
        if option.state & flags.State_Selected:
            ground = c.selected
        elif option.state & flags.State_MouseOver:
            ground = c.hover
        painter.setPen(Qt.PenStyle.NoPen)
        if ground is not c.window:
            painter.setBrush(QBrush(ground))
            painter.drawRoundedRect(box, m.px(8), m.px(8))
        if option.state & flags.State_HasFocus and option.state & flags.State_KeyboardFocusChange:
            painter.setPen(QPen(c.accent, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), m.px(8), m.px(8))
        side = m.px(40)
        face = QRectF(box.left() + m.px(8), box.center().y() - side / 2, side, side)
        draw_monogram(painter, face, peer_name(peer.info), peer.info.peer, c, m)
        shade, filled = dot_of(peer, self._session.online, c)
        draw_dot(painter, face, shade, filled, ground, m)
        left, right = face.right() + m.px(12), box.right() - m.px(8)
        middle = box.center().y()
        top = QRectF(left, middle - m.px(21), right - left, m.px(20))
        bottom = QRectF(left, middle + m.px(2), right - left, m.px(18))
        self._words(painter, peer, top, bottom, c, m)
        painter.restore()

    def _words(
        self,
        painter: QPainter,
        peer: PeerView,
        top: QRectF,
        bottom: QRectF,
        c: Colours,
        m: Measures,
    ) -> None:
        muted = self._settings.is_muted(peer.info.key)
        now_ms = int(time.time() * 1000)
        when = when_words(peer.messages[-1].arrived_ms, now_ms) if peer.messages else ""
        painter.setFont(m.micro)
        painter.setPen(c.text_2)
        painter.drawText(top, RIGHT, when)
        top.setRight(top.right() - QFontMetricsF(m.micro).horizontalAdvance(when) - m.px(8))
        if peer.unread:
            self._pill(painter, peer.unread, bottom, muted, c, m)
        font = m.bold if peer.unread else m.medium
        marks = [("verified", c.good)] if peer.info.trust == Trust.VERIFIED else []
        marks += [("blocked", c.text_2)] if peer.info.blocked else []
        marks += [("bell-off", c.text_2)] if muted else []
        side, step = m.px(16), m.px(20)
        space = top.width() - step * len(marks)
        x = top.left() + m.px(4)
        x += min(QFontMetricsF(font).horizontalAdvance(peer_name(peer.info)), space)
        for icon, shade in marks:
            draw_icon(painter, QRectF(x, top.center().y() - side / 2, side, side), shade, icon)
            x += step
        top.setRight(top.left() + space)
        preview, ink_name = preview_of(peer, self._session.online)
        small = m.small_bold if ink_name == "link" else m.small
        for area, text, used, ink in (
            (top, peer_name(peer.info), font, c.text),
            (bottom, preview, small, getattr(c, ink_name)),
        ):
            painter.setFont(used)
            painter.setPen(ink)
            cut = QFontMetricsF(used).elidedText(text, Qt.TextElideMode.ElideRight, area.width())
            painter.drawText(area, LEFT, cut)

    def _pill(
        self, painter: QPainter, unread: int, area: QRectF, muted: bool, c: Colours, m: Measures
    ) -> None:
        words = f"{unread}" if unread < 1000 else "999+"
        tall = m.px(20)
        wide = max(tall, QFontMetricsF(m.micro_bold).horizontalAdvance(words) + 2 * m.px(6))
        pill = QRectF(area.right() - wide, area.center().y() - tall / 2, wide, tall)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(c.line if muted else c.accent))
        painter.drawRoundedRect(pill, tall / 2, tall / 2)
        painter.setPen(c.text_2 if muted else c.on_accent)
        painter.setFont(m.micro_bold)
        painter.drawText(pill, int(Qt.AlignmentFlag.AlignCenter), words)
        area.setRight(pill.left() - m.px(8))


class PeerList(QListView):
    """Signals: `chosen(peer)` another conversation is wanted; `entered_peer(peer)` it is to be
    written in; `menu_wanted(peer, position)`."""

    chosen = pyqtSignal(int)
    entered_peer = pyqtSignal(int)
    menu_wanted = pyqtSignal(int, QPoint)

    def __init__(self, session: Session, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.peers = PeerListModel(session, self)
        self._current = 0
        self.setModel(self.peers)
        self.setItemDelegate(PeerDelegate(session, settings, self))
        session.connection_changed.connect(present(self.viewport()).update)
        self.setAccessibleName("Conversations")
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setMouseTracking(True)
        present(self.viewport()).setBackgroundRole(self.palette().Window)
        present(self.selectionModel()).currentChanged.connect(self._on_current)
        self.clicked.connect(self._on_clicked)
        self.activated.connect(self._on_clicked)
        self.peers.modelReset.connect(lambda: self.choose(self._current))

    def choose(self, peer: int) -> None:
        """Mark a peer as the one on screen."""
        self._current = peer
        row = self.peers.row_of(peer)
        if row >= 0 and self.currentIndex().row() != row:
            self.setCurrentIndex(self.peers.index(row))

    def step(self, by: int) -> None:
        """The next or the previous conversation, around the end."""
        count = self.peers.rowCount()
        if count:
            self.setCurrentIndex(self.peers.index((self.currentIndex().row() + by) % count))

    def choose_first(self) -> None:
        """The first one that is shown."""
        if self.peers.rowCount():
            number = self.peers.number_at(0)
            self.setCurrentIndex(self.peers.index(0))
            self.entered_peer.emit(number)

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        """The menu of one peer, by mouse or key."""
        if event is None:
            return
        row, at = menu_place(self, event)
        if row >= 0:
            self.menu_wanted.emit(self.peers.number_at(row), at)

    def _on_current(self, index: QModelIndex) -> None:
        if index.isValid():
            number = self.peers.number_at(index.row())
            if number != self._current:
                self._current = number
                self.chosen.emit(number)

    def _on_clicked(self, index: QModelIndex) -> None:
        if index.isValid():
            self.entered_peer.emit(self.peers.number_at(index.row()))
