"""The line above a conversation: with whom, whether verified, and what the link really does.

A notice may lie over the conversation; it never takes the place of the link's state.
"""

import time

from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import LinkState, Trust
from chatnet_protocol.ipc.view import PeerView
from chatnet_qt.controls import IconButton
from chatnet_qt.icons import draw_icon
from chatnet_qt.labels import ElidedLabel
from chatnet_qt.monogram import Monogram
from chatnet_qt.qt import (
    QAbstractButton,
    QFrame,
    QHBoxLayout,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QRectF,
    QSize,
    QSizePolicy,
    Qt,
    QVBoxLayout,
    QWidget,
    present,
    pyqtSignal,
)
from chatnet_qt.session import Session
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import measures_of
from chatnet_qt.wording import clock_words, day_of, link_words, peer_name


class Badge(QAbstractButton):
    """A shield with a check, for a peer whose safety number was compared."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip("Verified, by the safety number or an invite")
        self.setAccessibleName("Verified")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """As high as a line."""
        side = measures_of(self.font()).px(16)
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The shield alone."""
        draw_icon(QPainter(self), QRectF(self.rect()), colours_of(self.palette()).good, "verified")


class Header(QFrame):
    """For the conversation with one peer.

    Signals: `safety_wanted` the badge was pressed; `wanted(name)` one of the buttons: `back`,
    `find`, `link`, `contact`, `menu`.
    """

    safety_wanted = pyqtSignal()
    wanted = pyqtSignal(str)

    def __init__(self, session: Session, peer: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._peer = peer
        self.back = IconButton("back", "Back to the list (Esc)")
        self.face = Monogram(32)
        self.name = ElidedLabel(font="bold")
        self.badge = Badge()
        self.link = ElidedLabel(font="small", ink="text_2")
        self.search = IconButton("search", "Find (Ctrl+F)")
        self.activity = IconButton("link", "Link (Ctrl+L)")
        self.contact = IconButton("info", "Contact")
        self.menu = IconButton("more", "Conversation menu")
        self.activity.setCheckable(True)
        self.face.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._lay_out()
        self.set_folded(False)
        self.badge.clicked.connect(self.safety_wanted)
        for button, name in (
            (self.back, "back"),
            (self.search, "find"),
            (self.activity, "link"),
            (self.contact, "contact"),
            (self.menu, "menu"),
        ):
            button.clicked.connect(lambda _on, name=name: self.wanted.emit(name))
        session.was_reset.connect(self.renew)
        session.connection_changed.connect(self.renew)
        session.changed.connect(self._on_event)
        self.renew()

    def _lay_out(self) -> None:
        m = measures_of(self.font())
        top = QHBoxLayout()
        top.setSpacing(m.px(4))
        top.addWidget(self.name)
        top.addWidget(self.badge)
        top.addStretch(1)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addStretch(1)
        words.addLayout(top)
        words.addWidget(self.link)
        words.addStretch(1)
        row = QHBoxLayout(self)
        row.setSpacing(m.px(4))
        row.addWidget(self.back)
        row.addWidget(self.face)
        row.addSpacing(m.px(4))
        row.addLayout(words, 1)
        for button in (self.search, self.activity, self.contact, self.menu):
            row.addWidget(button)
        self.setFixedHeight(m.px(56))

    def set_folded(self, folded: bool) -> None:
        """With the list out of sight there is a way back to it, and less beside the name."""
        m = measures_of(self.font())
        self.back.setVisible(folded)
        self.activity.setVisible(not folded)
        self.contact.setVisible(not folded)
        left = m.px(4) if folded else m.px(24)
        present(self.layout()).setContentsMargins(left, 0, m.px(12), 0)

    def renew(self) -> None:
        """Say anew who it is and what the link does."""
        peer = self._session.peer(self._peer)
        if peer is None:
            return
        online = self._session.online
        name = peer_name(peer.info)
        self.name.setText(name)
        self.face.show_peer(name, peer, online)
        self.badge.setVisible(peer.info.trust == Trust.VERIFIED)
        self.link.setText(header_words(peer, online))
        self.link.set_ink(header_ink(peer, online))
        verified = ", verified" if peer.info.trust == Trust.VERIFIED else ""
        self.setAccessibleName(f"{self.name.text()}{verified}, {self.link.text()}")

    def _on_event(self, event: ev.Event) -> None:
        if (
            isinstance(event, ev.LinkChanged | ev.PeerChanged) and event.row.peer == self._peer
        ) or (isinstance(event, ev.TypingChanged) and event.peer == self._peer):
            self.renew()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """The name opens the contact."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.wanted.emit("contact")

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The canvas, and a line below it."""
        painter, c = QPainter(self), colours_of(self.palette())
        painter.fillRect(self.rect(), c.canvas)
        painter.fillRect(self.rect().adjusted(0, self.height() - 1, 0, 0), c.line)


def header_words(peer: PeerView, online: bool) -> str:
    """What the link really does, whatever a notice says."""
    link = peer.link
    if not online:
        return "Engine not running"
    if peer.typing and link.state == LinkState.UP:
        return "Typing…"
    if link.state == LinkState.KEY_CHANGED:
        return "Not connected: a different key answers"
    since = clock_words(link.since_ms)
    if link.state == LinkState.SILENT and link.since_ms:
        today = day_of(link.since_ms) == day_of(int(time.time() * 1000))
        return f"Not answering since {since}" if today else "Not answering"
    words = link_words(link, peer.info)
    return words[:1].upper() + words[1:]


def header_ink(peer: PeerView, online: bool) -> str:
    """Its colour: only what is late stands out."""
    if not online:
        return "danger"
    return "warning" if peer.link.state == LinkState.SILENT else "text_2"
