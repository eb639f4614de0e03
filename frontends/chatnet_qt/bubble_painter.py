"""Paints one laid-out bubble in the theme's colours. Decides nothing, changes nothing."""

import re
from dataclasses import dataclass

from chatnet_client.words import is_record, size_words
from chatnet_protocol.ipc.rows import TransferState
from chatnet_qt.bubble_layout import (
    ACTION_WORDS,
    Fonts,
    Placed,
    failed_words,
    state_words,
    wrapping,
)
from chatnet_qt.icons import draw_file, draw_tick
from chatnet_qt.models import Bubble
from chatnet_qt.qt import (
    QBrush,
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPainterPath,
    QPen,
    QPointF,
    QRectF,
    Qt,
    QTextCharFormat,
    QTextLayout,
)
from chatnet_qt.theme import Colours, mix
from chatnet_qt.wording import shown_name, utf16_span

LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
CENTRE = int(Qt.AlignmentFlag.AlignCenter)
RING_PX = 2
UNDERLINE_SHARE = 0.95
"""How far down what is below the baseline a link is underlined."""
LOUD = frozenset({"accept", "resume"})
"""Buttons of what waits for a decision; to do again what has ended is an offer."""


@dataclass(frozen=True)
class Looks:
    """What a bubble's drawing depends on besides the bubble."""

    hovered: str = ""
    """The action under the mouse."""
    selected: bool = False
    ring: bool = False
    """It is what keys act on."""
    found: str = ""
    """Words to mark."""


class BubblePainter:
    """One bubble on one painter, whose origin is the item's corner."""

    def __init__(self, painter: QPainter, colours: Colours, fonts: Fonts, looks: Looks) -> None:
        self._painter = painter
        self._colours = colours
        self._fonts = fonts
        self._looks = looks

    def paint(self, bubble: Bubble, placed: Placed) -> None:
        """Draw everything from the day separator to the tick."""
        painter, colours = self._painter, self._colours
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if placed.day_box is not None:
            self._day(placed.day_box, bubble.day)
        if placed.new_box is not None:
            self._new_line(placed.new_box)
        own = bubble.row.mine
        fill = colours.own_bubble if own else colours.peer_bubble
        if bubble.row.failed:
            fill = colours.failed_bubble
        if self._looks.selected:
            fill = mix(fill, colours.accent, 0.28)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(fill))
        painter.drawPath(self._outline(placed.bubble, bubble))
        if self._looks.ring:
            painter.setPen(QPen(colours.accent, RING_PX))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPath(self._outline(placed.bubble, bubble))
        if bubble.offer is not None:
            self._transfer(bubble, placed, fill)
        elif placed.text is not None:
            self._text(placed, placed.text)
            for box, action in placed.buttons:
                self._button(box, action, fill)
        if placed.failed_box is not None:
            self._wrapped(placed.failed_box, failed_words(bubble), colours.danger)
        self._meta(bubble, placed)

    def _outline(self, box: QRectF, bubble: Bubble) -> QPainterPath:
        """Round corners; on the author's side flat ones where a group goes on."""
        em = QFontMetricsF(self._fonts.text).height()
        full, flat = min(0.8 * em, box.height() / 2), 0.22 * em
        upper = full if bubble.starts_group else flat
        lower = full if bubble.ends_group else flat
        own = bubble.row.mine
        corners = (full, upper, lower, full) if own else (upper, full, full, lower)
        return rounded(box, *corners)

    def _day(self, box: QRectF, words: str) -> None:
        painter, colours = self._painter, self._colours
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(mix(colours.canvas, colours.text, 0.07)))
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        self._words(box, words, colours.muted, CENTRE)

    def _new_line(self, box: QRectF) -> None:
        painter, colours = self._painter, self._colours
        words = "New messages"
        wide = QFontMetricsF(self._fonts.small).horizontalAdvance(words) + box.height()
        middle = box.center()
        painter.setPen(QPen(colours.accent, 1))
        painter.drawLine(
            QPointF(box.left(), middle.y()), QPointF(middle.x() - wide / 2, middle.y())
        )
        painter.drawLine(
            QPointF(middle.x() + wide / 2, middle.y()), QPointF(box.right(), middle.y())
        )
        self._words(box, words, colours.accent, CENTRE)

    def _text(self, placed: Placed, layout: QTextLayout) -> None:
        painter, colours = self._painter, self._colours
        painter.setPen(colours.text)
        marks = marked(layout.text(), self._looks.found, colours)
        layout.draw(painter, QPointF(*placed.text_at), marks)
        painter.setPen(QPen(mix(colours.accent, colours.text, 0.25), 1))
        # Below an underscore, which it would hide.
        below = QFontMetricsF(self._fonts.text).descent() * UNDERLINE_SHARE
        for start, length, _ in placed.links:
            for number in range(layout.lineCount()):
                line = layout.lineAt(number)
                first = max(start, line.textStart())
                last = min(start + length, line.textStart() + line.textLength())
                if first < last:
                    x1, x2 = _cursor(line.cursorToX(first)), _cursor(line.cursorToX(last))
                    y = line.y() + line.ascent() + below + placed.text_at[1]
                    painter.drawLine(
                        QPointF(x1 + placed.text_at[0], y), QPointF(x2 + placed.text_at[0], y)
                    )

    def _meta(self, bubble: Bubble, placed: Placed) -> None:
        colours = self._colours
        metrics = QFontMetricsF(self._fonts.small)
        ink = colours.own_muted if bubble.row.mine else colours.muted
        box = placed.meta_box
        words = metrics.elidedText(placed.meta, Qt.TextElideMode.ElideRight, box.width())
        self._words(box, words, ink, LEFT)
        if bubble.row.mine:
            strong = {"read": mix(colours.accent, colours.text, 0.15), "failed": colours.danger}
            draw_tick(self._painter, placed.tick_box, strong.get(bubble.state, ink), bubble.state)

    def _transfer(self, bubble: Bubble, placed: Placed, fill: QColor) -> None:
        colours, fonts = self._colours, self._fonts
        offer, transfer = bubble.offer, bubble.transfer
        assert offer is not None
        assert placed.icon_box is not None
        assert placed.name_box is not None
        assert placed.size_box is not None
        assert placed.state_box is not None
        name = name_of(bubble)
        ending = name.rpartition(".")[2] if "." in name and len(offer.files) < 2 else ""
        paper = mix(fill, colours.text, 0.04 if colours.dark else 0.0)
        ink = mix(colours.accent, colours.text, 0.25)
        draw_file(self._painter, placed.icon_box, paper, ink, ending if len(ending) < 5 else "")
        metrics = QFontMetricsF(fonts.bold)
        shown = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, placed.name_box.width())
        self._words(placed.name_box, shown, colours.text, LEFT, fonts.bold)
        total = transfer.size_bytes if transfer else offer.size_bytes
        count = transfer.files if transfer else len(offer.files)
        size = size_words(total) if count < 2 else f"{count} files · {size_words(total)}"
        quiet = colours.own_muted if bubble.row.mine else colours.muted
        self._words(placed.size_box, size, quiet, LEFT)
        if placed.bar_box is not None and transfer is not None:
            self._bar(placed.bar_box, bubble, fill)
        self._wrapped(placed.state_box, state_words(bubble), self._state_ink(bubble))
        for box, action in placed.buttons:
            self._button(box, action, fill)

    def _state_ink(self, bubble: Bubble) -> QColor:
        colours, transfer = self._colours, bubble.transfer
        if transfer is None:
            return colours.muted
        match transfer.state:
            case TransferState.PAUSED | TransferState.WAITING:
                return colours.warning
            case TransferState.DONE:
                return colours.good
            case TransferState.FAILED if not is_record(transfer):
                return colours.danger
            case TransferState.OFFERED if not transfer.mine:
                return colours.text
        return colours.own_muted if transfer.mine else colours.muted

    def _bar(self, box: QRectF, bubble: Bubble, fill: QColor) -> None:
        painter, colours, transfer = self._painter, self._colours, bubble.transfer
        assert transfer is not None
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(mix(fill, colours.text, 0.16)))
        radius = box.height() / 2
        painter.drawRoundedRect(box, radius, radius)
        share = bubble.done_bytes / transfer.size_bytes if transfer.size_bytes else 1.0
        if transfer.state == TransferState.VERIFYING:
            share = 1.0
        part = QRectF(box)
        part.setWidth(max(box.height(), box.width() * min(1.0, share)))
        still = transfer.state in (TransferState.PAUSED, TransferState.WAITING)
        painter.setBrush(QBrush(mix(colours.accent, fill, 0.55) if still else colours.accent))
        painter.drawRoundedRect(part, radius, radius)

    def _button(self, box: QRectF, action: str, fill: QColor) -> None:
        painter, colours = self._painter, self._colours
        first = action in LOUD
        ground = colours.accent if first else mix(fill, colours.text, 0.10)
        if action == self._looks.hovered:
            ground = mix(ground, colours.text, 0.14)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(ground))
        painter.drawRoundedRect(box, box.height() * 0.32, box.height() * 0.32)
        ink = colours.on_accent if first else colours.text
        self._words(box, ACTION_WORDS[action], ink, CENTRE, self._fonts.text)

    def _wrapped(self, box: QRectF, words: str, colour: QColor) -> None:
        """Small plain text on as many lines as it needs."""
        self._painter.setFont(self._fonts.small)
        self._painter.setPen(colour)
        self._painter.drawText(box, words, wrapping())

    def _words(
        self, box: QRectF, words: str, colour: QColor, flags: int, font: QFont | None = None
    ) -> None:
        """Plain text: QPainter knows no markup."""
        self._painter.setFont(font or self._fonts.small)
        self._painter.setPen(colour)
        self._painter.drawText(box, flags | int(Qt.TextFlag.TextDontClip), words)


def marked(text: str, words: str, colours: Colours) -> list[QTextLayout.FormatRange]:
    """Where `words` stand in `text`, whatever their case, in the colours of a mark."""
    if not words:
        return []
    marks = []
    for match in re.finditer(re.escape(words), text, re.IGNORECASE):
        mark = QTextLayout.FormatRange()
        mark.start, mark.length = utf16_span(text, match.start(), match.end() - match.start())
        ink = QTextCharFormat()
        ink.setBackground(QBrush(colours.mark))
        ink.setForeground(QBrush(colours.on_mark))
        mark.format = ink
        marks.append(mark)
    return marks


def rounded(
    box: QRectF, top_left: float, top_right: float, bottom_right: float, bottom_left: float
) -> QPainterPath:
    """A rectangle with a radius for each corner."""
    path = QPainterPath(QPointF(box.left() + top_left, box.top()))
    path.lineTo(box.right() - top_right, box.top())
    path.quadTo(box.topRight(), QPointF(box.right(), box.top() + top_right))
    path.lineTo(box.right(), box.bottom() - bottom_right)
    path.quadTo(box.bottomRight(), QPointF(box.right() - bottom_right, box.bottom()))
    path.lineTo(box.left() + bottom_left, box.bottom())
    path.quadTo(box.bottomLeft(), QPointF(box.left(), box.bottom() - bottom_left))
    path.lineTo(box.left(), box.top() + top_left)
    path.quadTo(box.topLeft(), QPointF(box.left() + top_left, box.top()))
    return path


def name_of(bubble: Bubble) -> str:
    """What the files in a bubble are called: made safe for one line."""
    offer, transfer = bubble.offer, bubble.transfer
    if transfer is not None and transfer.name:
        name = transfer.name
    elif offer is not None and offer.files:
        name = offer.files[0].path[-1]
    else:
        name = "files"
    count = transfer.files if transfer else len(offer.files) if offer else 1
    return shown_name(name) if count < 2 else f"{shown_name(name)} and {count - 1} more"


def _cursor(value: object) -> float:
    """QTextLine.cursorToX gives (x, position) in some bindings and x in others."""
    return float(value[0]) if isinstance(value, tuple) else float(str(value))
