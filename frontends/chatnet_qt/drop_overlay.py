"""Files that are dropped anywhere on a window, and what lies over it while they are dragged."""

from functools import cached_property

from chatnet_qt.composer import Composer
from chatnet_qt.qt import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QFontMetricsF,
    QMainWindow,
    QPainter,
    QPaintEvent,
    QPen,
    QRectF,
    Qt,
    QWidget,
)
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import measures_of

OPAQUE = 235
SENTENCE = "Nothing is sent yet."


class DropOverlay(QWidget):
    """Says where what is dragged would go."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._name = ""
        self.setProperty("floats", True)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def show_for(self, name: str) -> None:
        """Cover the parent; what is dropped goes to `name`."""
        self._name = name
        parent = self.parentWidget()
        if parent is not None:
            self.setGeometry(parent.rect())
        self.raise_()
        self.show()
        self.setAccessibleName(f"Drop to attach for {name}. {SENTENCE}")

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """A tint, a dashed frame, and one card with words."""
        painter, c, m = QPainter(self), colours_of(self.palette()), measures_of(self.font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        tint = QColor(c.accent_soft)
        tint.setAlpha(OPAQUE)
        painter.fillRect(self.rect(), tint)
        painter.setPen(QPen(c.accent, 2, Qt.PenStyle.DashLine))
        inset = m.px(12)
        frame = QRectF(self.rect()).adjusted(inset, inset, -inset, -inset)
        painter.drawRoundedRect(frame, inset, inset)
        head = f"Drop to attach for {self._name}"
        wide = QFontMetricsF(m.title).horizontalAdvance(head) + 2 * m.px(32)
        wide = min(wide, frame.width() - 2 * inset)
        card = QRectF(0, 0, wide, m.px(96))
        card.moveCenter(QRectF(self.rect()).center())
        painter.setPen(QPen(c.line, 1))
        painter.setBrush(c.raised)
        painter.drawRoundedRect(card, inset, inset)
        upper, lower = QRectF(card), QRectF(card)
        upper.setBottom(card.center().y())
        lower.setTop(card.center().y())
        flags = int(Qt.AlignmentFlag.AlignHCenter)
        painter.setPen(c.text)
        painter.setFont(m.title)
        cut = QFontMetricsF(m.title).elidedText(head, Qt.TextElideMode.ElideMiddle, wide - inset)
        painter.drawText(upper, flags | int(Qt.AlignmentFlag.AlignBottom), cut)
        painter.setPen(c.text_2)
        painter.setFont(m.body)
        painter.drawText(lower, flags | int(Qt.AlignmentFlag.AlignVCenter), SENTENCE)


class DropWindow(QMainWindow):
    """A window that takes files wherever they are dropped on it."""

    def __init__(self) -> None:
        super().__init__()
        self.setAcceptDrops(True)

    @cached_property
    def drop(self) -> DropOverlay:
        """What lies over the window meanwhile: made when something is dragged over it first."""
        return DropOverlay(self)

    def drop_target(self) -> tuple[Composer, str] | None:
        """Where they go, and what that is called; None: nowhere now."""
        raise NotImplementedError

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Something is dragged over the window."""
        target = self.drop_target()
        if event is not None and target is not None and target[0].accept_drag(event):
            event.acceptProposedAction()
            self.drop.show_for(target[1])

    def dragLeaveEvent(self, event: QDragLeaveEvent | None) -> None:
        """Gone again."""
        self.drop.hide()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Attach them."""
        self.drop.hide()
        target = self.drop_target()
        if event is not None and target is not None:
            target[0].accept_drop(event)
            event.acceptProposedAction()
