"""The list of conversations on the left, there only when a session has more than one."""

from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import LinkState, MessageKind, Trust
from chatnet_protocol.ipc.view import PeerView
from chatnet_qt.icons import draw_shield
from chatnet_qt.models import offer_of
from chatnet_qt.qt import (
    QAbstractListModel,
    QBrush,
    QFont,
    QFontMetricsF,
    QListView,
    QModelIndex,
    QObject,
    QPainter,
    QPen,
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
from chatnet_qt.theme import Colours, colours_of, mix, scaled
from chatnet_qt.wording import clock_words, link_words, peer_name, shown_name, shown_text

PEER_ROLE = int(Qt.ItemDataRole.UserRole)
PREVIEW_CHARACTERS = 80
LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


def preview_of(peer: PeerView) -> str:
    """The last message in one line."""
    if peer.typing:
        return "typing…"
    if not peer.messages:
        return ""
    row = peer.messages[-1]
    if row.kind == MessageKind.OFFER:
        files = offer_of(row).files
        words = f"File: {shown_name(files[0].path[-1])}" if files else "File"
    else:
        words = shown_name(shown_text(row.text[:PREVIEW_CHARACTERS]), PREVIEW_CHARACTERS)
    return f"You: {words}" if row.mine else words


class PeerListModel(QAbstractListModel):
    """Peers in the view's order."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._peers: list[int] = []
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
            link = link_words(peer.link, peer.info)
            return f"{peer_name(peer.info)}{verified}, {link}{unread}"
        return None

    def number_at(self, row: int) -> int:
        """The peer at `row`."""
        return self._peers[row]

    def row_of(self, peer: int) -> int:
        """Where a peer stands, or -1."""
        return self._peers.index(peer) if peer in self._peers else -1

    def _on_event(self, event: ev.Event) -> None:
        if isinstance(event, ev.PeerRemoved | ev.PeerChanged):
            self._sync()
        number = event.row.peer if isinstance(event, ev.LinkChanged) else getattr(event, "peer", 0)
        row = self.row_of(number)
        if row >= 0:
            self.dataChanged.emit(self.index(row), self.index(row))

    def _sync(self) -> None:
        peers = [peer.info.peer for peer in self._session.view.peers] if self._session.view else []
        if peers != self._peers:
            self.beginResetModel()
            self._peers = peers
            self.endResetModel()
        elif peers:
            self.dataChanged.emit(self.index(0), self.index(len(peers) - 1))


class PeerDelegate(QStyledItemDelegate):
    """Draws name, time, last message, unread count and the state of the link."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Two lines and air."""
        return QSize(120, round(QFontMetricsF(option.font).height() * 3.1))

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw one peer."""
        peer = index.data(PEER_ROLE)
        if painter is None or not isinstance(peer, PeerView):
            return
        colours = colours_of(option.palette)
        em = QFontMetricsF(option.font).height()
        box = QRectF(option.rect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if option.state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            chosen = option.state & QStyle.StateFlag.State_Selected
            painter.setBrush(QBrush(mix(colours.window, colours.accent, 0.2 if chosen else 0.08)))
            painter.drawRoundedRect(box.adjusted(5, 2, -5, -2), 0.5 * em, 0.5 * em)
        dot = QRectF(box.left() + 0.9 * em, box.top() + 0.85 * em, 0.55 * em, 0.55 * em)
        state = peer.link.state if self._session.online else ""  # without an engine: unknown
        shade = {LinkState.UP.value: colours.good, LinkState.KEY_CHANGED.value: colours.danger}.get(
            state, colours.muted
        )
        if peer.info.trust == Trust.PENDING:
            shade = colours.warning
        if state == LinkState.UP:
            painter.setBrush(QBrush(shade))
        else:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(shade, 0.11 * em))
        painter.drawEllipse(dot)
        left, right = dot.right() + 0.6 * em, box.right() - 0.9 * em
        top = QRectF(left, box.top() + 0.5 * em, right - left, 1.2 * em)
        bottom = QRectF(left, box.top() + 1.65 * em, right - left, 1.1 * em)
        self._words(painter, peer, option.font, top, bottom, colours)
        painter.restore()

    def _words(
        self,
        painter: QPainter,
        peer: PeerView,
        font: QFont,
        top: QRectF,
        bottom: QRectF,
        colours: Colours,
    ) -> None:
        em, small = QFontMetricsF(font).height(), scaled(font, 0.85)
        bold = QFont(font)
        bold.setBold(True)
        time_words = clock_words(peer.messages[-1].arrived_ms) if peer.messages else ""
        painter.setFont(small)
        painter.setPen(colours.muted)
        painter.drawText(top, RIGHT, time_words)
        top.setRight(top.right() - QFontMetricsF(small).horizontalAdvance(time_words) - 4)
        if peer.unread:
            badge = f"{peer.unread}" if peer.unread < 1000 else "999+"
            wide = max(1.1 * em, QFontMetricsF(small).horizontalAdvance(badge) + 0.7 * em)
            pill = QRectF(bottom.right() - wide, bottom.top(), wide, 1.1 * em)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QBrush(colours.accent))
            painter.drawRoundedRect(pill, pill.height() / 2, pill.height() / 2)
            painter.setPen(colours.on_accent)
            painter.drawText(pill, int(Qt.AlignmentFlag.AlignCenter), badge)
            bottom.setRight(pill.left() - 0.4 * em)
        if peer.info.trust == Trust.VERIFIED:
            self._badge(painter, peer, bold, top, colours)
        words = preview_of(peer) or link_words(peer.link, peer.info)
        for area, text, used, ink in (
            (top, peer_name(peer.info), bold, colours.text),
            (bottom, words, small, colours.muted),
        ):
            painter.setFont(used)
            painter.setPen(ink)
            cut = QFontMetricsF(used).elidedText(text, Qt.TextElideMode.ElideRight, area.width())
            painter.drawText(area, LEFT, cut)

    def _badge(
        self, painter: QPainter, peer: PeerView, bold: QFont, top: QRectF, colours: Colours
    ) -> None:
        """Behind the name, which gives way."""
        metrics = QFontMetricsF(bold)
        side = metrics.height() * 0.95
        top.setRight(top.right() - side - 4)
        wide = min(metrics.horizontalAdvance(peer_name(peer.info)), top.width())
        middle = top.center().y()
        draw_shield(
            painter, QRectF(top.left() + wide + 4, middle - side / 2, side, side), colours.good
        )


class PeerList(QListView):
    """`chosen(peer)` when another conversation is wanted."""

    chosen = pyqtSignal(int)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.peers = PeerListModel(session, self)
        self.setModel(self.peers)
        self.setItemDelegate(PeerDelegate(session, self))
        session.connection_changed.connect(present(self.viewport()).update)
        self.setAccessibleName("Conversations")
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setMouseTracking(True)
        present(self.viewport()).setBackgroundRole(self.palette().Window)
        present(self.selectionModel()).currentChanged.connect(self._on_current)

    def choose(self, peer: int) -> None:
        """Mark a peer as the one on screen."""
        row = self.peers.row_of(peer)
        if row >= 0 and self.currentIndex().row() != row:
            self.setCurrentIndex(self.peers.index(row))

    def step(self, by: int) -> None:
        """The next or the previous conversation, around the end."""
        count = self.peers.rowCount()
        if count:
            self.setCurrentIndex(self.peers.index((self.currentIndex().row() + by) % count))

    def _on_current(self, index: QModelIndex) -> None:
        if index.isValid():
            self.chosen.emit(self.peers.number_at(index.row()))
