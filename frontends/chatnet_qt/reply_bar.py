"""Which message the text being written answers, shown above it.

Owns that choice until the text is sent or the choice is dropped; a draft does not keep it.
"""

from collections.abc import Iterable

from chatnet_protocol.ipc.rows import MessageRow
from chatnet_qt.bubble import Quote
from chatnet_qt.labels import ElidedLabel, tool_button
from chatnet_qt.qt import (
    QHBoxLayout,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QRectF,
    Qt,
    QVBoxLayout,
    QWidget,
    pyqtSignal,
)
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import measures_of


def reply_step(event: QKeyEvent) -> int:
    """-1 for Alt+Up, 1 for Alt+Down, 0 for other keys."""
    modifiers = int(event.modifiers()) & ~int(Qt.KeyboardModifier.KeypadModifier)
    if modifiers != int(Qt.KeyboardModifier.AltModifier):
        return 0
    return {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()), 0)


def answerable_beside(rows: Iterable[MessageRow], message_id: bytes, by: int) -> MessageRow | None:
    """The message `by` rows below (or above) that one that can be answered; beside none, the
    newest. Texts that wait or failed cannot."""
    known = [row for row in rows if not row.failed and row.lamport]
    at = next((n for n, row in enumerate(known) if row.id == message_id), len(known))
    at = max(0, at + by)
    return known[at] if at < len(known) else None


class ReplyBar(QWidget):
    """The message that is answered. `dropped`: none is, any more."""

    dropped = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.message_id = b""
        self._author = ElidedLabel(font="micro_bold", ink="link")
        self._text = ElidedLabel(font="small", ink="text_2")
        self.close_button = tool_button("close", "Cancel the reply (Esc)")
        self.close_button.clicked.connect(self.drop)
        m = measures_of(self.font())
        row = QHBoxLayout(self)
        row.setContentsMargins(m.px(24), m.px(8), m.px(4), 0)
        row.setSpacing(m.px(8))
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self._author)
        words.addWidget(self._text)
        row.addLayout(words, 1)
        row.addWidget(self.close_button)
        self.hide()

    def answer(self, quote: Quote) -> None:
        """This one is answered from now on."""
        self.message_id = quote.message_id
        words = f"Replying to {quote.author}" if quote.author != "You" else "Replying to yourself"
        self._author.setText(words)
        self._text.setText(quote.text)
        self.setAccessibleName(f"{words}: {quote.text}")
        self.show()

    def take(self) -> bytes:
        """The id of the message that a text just sent answers; empty: none."""
        message_id, self.message_id = self.message_id, b""
        self.hide()
        return message_id

    def drop(self) -> None:
        """Answer none."""
        if self.take():
            self.dropped.emit()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The stripe of a quote."""
        painter, m = QPainter(self), measures_of(self.font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours_of(self.palette()).accent)
        inside = QRectF(self.rect()).adjusted(m.px(12), m.px(8), 0, 0)
        inside.setWidth(m.px(4))
        painter.drawRoundedRect(inside, m.px(2), m.px(2))
