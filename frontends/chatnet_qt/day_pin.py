"""The day of what is being read, pinned over the list while it is scrolled, as the day line in
the list that has gone past the edge."""

import time

from chatnet_qt.models import ConversationModel
from chatnet_qt.qt import (
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QPoint,
    QRectF,
    Qt,
    QTimer,
    QWidget,
    present,
)
from chatnet_qt.reading_list import ReadingList
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import measures_of
from chatnet_qt.wording import day_words

STAYS_MS = 1500
"""After the last step of scrolling."""


class DayPin(QWidget):
    """A pill over the upper edge of `view`."""

    def __init__(self, view: ReadingList, model: ConversationModel) -> None:
        super().__init__(view)
        self._view = view
        self._model = model
        self.words = ""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._end = QTimer(self)
        self._end.setSingleShot(True)
        self._end.setInterval(STAYS_MS)
        self._end.timeout.connect(self.hide)
        view.scrolled.connect(self.follow)
        self.hide()

    def follow(self) -> None:
        """The list was scrolled: say which day is at its upper edge now."""
        m = measures_of(self.font())
        tall, top = round(max(m.px(24), m.line(m.micro, 16))), m.px(8)
        first = self._view.indexAt(QPoint(8, 1)).row()
        below = self._day_line_below(first, top + tall) if first >= 0 else None
        if first < 0 or (below is not None and below[0] == first and below[1] >= top):
            self.hide()  # the day line itself is in sight
            return
        if below is not None and below[0] > first:
            top = min(top, round(below[1]) - tall - m.px(4))  # the next day pushes it out
        now_ms = int(time.time() * 1000)
        self.words = day_words(self._model.message(first).arrived_ms, now_ms)
        wide = QFontMetricsF(m.micro).horizontalAdvance(self.words) + 2 * m.px(12)
        left = (present(self._view.viewport()).width() - wide) / 2
        self.setGeometry(round(left), top, round(wide), tall)
        self.update()
        self.show()
        self.raise_()
        self._end.start()

    def _day_line_below(self, first: int, reach: float) -> tuple[int, float] | None:
        """The first day line of a row that begins above `reach`: its row and upper edge."""
        for row in range(first, self._model.rowCount()):
            top = self._view.visualRect(self._model.index(row)).top()
            if top > reach:
                return None
            box = self._view.placed(row).day_box
            if box is not None and (row > first or top + box.bottom() > 0):
                return row, top + box.top()
        return None

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The pill of the design."""
        painter, c, m = QPainter(self), colours_of(self.palette()), measures_of(self.font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(c.line)
        painter.setBrush(c.raised)
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        painter.setPen(c.text_2)
        painter.setFont(m.micro)
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), self.words)
