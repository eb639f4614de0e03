"""The line above a conversation: with whom, whether verified, and what the link really does.

A notice may stand below it; it never takes the place of the link's state.
"""

from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import LinkState, Trust
from chatnet_protocol.ipc.view import PeerView
from chatnet_qt.icons import draw_shield
from chatnet_qt.labels import ElidedLabel
from chatnet_qt.qt import (
    QFrame,
    QHBoxLayout,
    QPainter,
    QPaintEvent,
    QPushButton,
    QRectF,
    QSize,
    QSizePolicy,
    Qt,
    QVBoxLayout,
    QWidget,
    pyqtSignal,
)
from chatnet_qt.session import Session
from chatnet_qt.theme import colours_of, scaled
from chatnet_qt.wording import link_words, peer_name


class Badge(QPushButton):
    """A shield with a check, for a peer whose safety number was compared."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFlat(True)
        self.setToolTip("Verified: the safety numbers were compared")
        self.setAccessibleName("Verified")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """As high as a line."""
        side = round(self.fontMetrics().height() * 1.1)
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The shield alone."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        draw_shield(painter, QRectF(self.rect()), colours_of(self.palette()).good)


class Header(QFrame):
    """For the conversation with one peer. `safety_wanted`: the badge was pressed."""

    safety_wanted = pyqtSignal()

    def __init__(self, session: Session, peer: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._peer = peer
        self.name = ElidedLabel(strong=True)
        self.badge = Badge()
        self.link = ElidedLabel()
        self.link.setFont(scaled(self.font(), 0.86))
        top = QHBoxLayout()
        top.setSpacing(5)
        top.addWidget(self.name)
        top.addWidget(self.badge)
        top.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 6, 16, 6)
        column.setSpacing(1)
        column.addLayout(top)
        column.addWidget(self.link)
        self.badge.clicked.connect(self.safety_wanted)
        session.was_reset.connect(self.renew)
        session.connection_changed.connect(self.renew)
        session.changed.connect(self._on_event)
        self.renew()

    def renew(self) -> None:
        """Say anew who it is and what the link does."""
        peer = self._session.peer(self._peer)
        if peer is None:
            return
        self.name.setText(peer_name(peer.info))
        self.badge.setVisible(peer.info.trust == Trust.VERIFIED)
        self.link.setText(header_words(peer, self._session.online))
        verified = ", verified" if peer.info.trust == Trust.VERIFIED else ""
        self.setAccessibleName(f"{self.name.text()}{verified}, {self.link.text()}")

    def _on_event(self, event: ev.Event) -> None:
        if isinstance(event, ev.LinkChanged | ev.PeerChanged) and event.row.peer == self._peer:
            self.renew()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """A line below it."""
        painter = QPainter(self)
        bottom = self.rect().adjusted(0, self.height() - 1, 0, 0)
        painter.fillRect(bottom, colours_of(self.palette()).line)


def header_words(peer: PeerView, online: bool) -> str:
    """What the link really does, whatever a notice says."""
    if not online:
        return "Engine not running"
    if peer.link.state == LinkState.KEY_CHANGED:
        return "Not connected: a different key answers"
    words = link_words(peer.link, peer.info)
    return words[:1].upper() + words[1:]
