"""A person as one or two letters on a colour, with the state of the link as a dot."""

from chatnet_protocol.ipc.rows import LinkState, Trust
from chatnet_protocol.ipc.view import PeerView
from chatnet_qt.icons import draw_icon
from chatnet_qt.qt import (
    QBrush,
    QColor,
    QPainter,
    QPaintEvent,
    QPen,
    QRectF,
    QSize,
    QSizePolicy,
    Qt,
    QWidget,
)
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import Colours, Measures, measures_of, scaled

CENTRE = int(Qt.AlignmentFlag.AlignCenter)
DOT, DOT_RING = 8, 2


def letters_of(name: str) -> str:
    """The first letters of the first and the last word; empty where a name begins with none."""
    words = [word for word in name.split() if word[:1].isalpha()]
    if not words or not name[:1].isalpha():
        return ""
    return words[0][0].upper() + (words[-1][0].upper() if len(words) > 1 else "")


def draw_monogram(
    painter: QPainter, box: QRectF, name: str, number: int, c: Colours, m: Measures
) -> None:
    """A disc; the colour comes from the peer's number, never from the key."""
    ground, ink = c.mono[number % len(c.mono)]
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QBrush(ground))
    painter.drawEllipse(box)
    letters = letters_of(name)
    if not letters:
        side = box.width() * 0.45
        centre = box.center()
        inner = QRectF(centre.x() - side / 2, centre.y() - side / 2, side, side)
        draw_icon(painter, inner, ink, "user")
        return
    painter.setFont(scaled(m.bold, box.width() / m.px(40)))
    painter.setPen(ink)
    painter.drawText(box, CENTRE, letters)


def dot_of(peer: PeerView, online: bool, c: Colours) -> tuple[QColor, bool]:
    """Colour of the dot, and whether it is filled: only what is up is."""
    if not online or peer.info.blocked:
        return c.dot_off, False
    if peer.info.trust == Trust.PENDING:
        return c.dot_wait, False
    state = peer.link.state
    if state == LinkState.UP:
        return c.dot_on, True
    if peer.info.trust == Trust.INVITED or state == LinkState.IDLE:
        return c.dot_off, False
    return c.dot_wait, False


def draw_dot(
    painter: QPainter, disc: QRectF, shade: QColor, filled: bool, ground: QColor, m: Measures
) -> None:
    """At the lower right of a monogram, in a ring of what the monogram stands on."""
    side, ring = m.px(DOT), m.px(DOT_RING)
    box = QRectF(disc.right() - side - 1, disc.bottom() - side - 1, side + 1, side + 1)
    painter.setPen(QPen(ground, 2 * ring))
    painter.setBrush(QBrush(ground))
    painter.drawEllipse(box)
    half = ring / 2
    inner = box.adjusted(half, half, -half, -half)
    painter.setPen(QPen(shade, ring))
    painter.setBrush(QBrush(shade) if filled else QBrush(ground))
    painter.drawEllipse(inner)


class Monogram(QWidget):
    """The same as a widget, `side` of the design wide."""

    def __init__(self, side: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._side = side
        self._name, self._number = "", 0
        self._peer: PeerView | None = None
        self._online = False
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_name(self, name: str, number: int) -> None:
        """Somebody without a link."""
        self._name, self._number, self._peer = name, number, None
        self.update()

    def show_peer(self, name: str, peer: PeerView, online: bool) -> None:
        """A peer with the state of its link."""
        self._name, self._number, self._peer, self._online = name, peer.info.peer, peer, online
        self.update()

    def sizeHint(self) -> QSize:
        """A square, and space for the dot's ring."""
        side = measures_of(self.font()).px(self._side) + 2
        return QSize(side, side)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The disc and the dot."""
        painter, c, m = QPainter(self), colours_of(self.palette()), measures_of(self.font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = m.px(self._side)
        box = QRectF(0, (self.height() - side) / 2, side, side)
        draw_monogram(painter, box, self._name, self._number, c, m)
        if self._peer is not None:
            shade, filled = dot_of(self._peer, self._online, c)
            draw_dot(painter, box, shade, filled, self.palette().color(self.backgroundRole()), m)
