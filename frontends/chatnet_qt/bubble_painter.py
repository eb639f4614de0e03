"""Paints one laid-out bubble in the theme's colours. Decides nothing, changes nothing."""

import re

from msgspec import Struct

from chatnet_client.words import is_record, size_words
from chatnet_protocol.ipc.rows import TransferState
from chatnet_qt.bubble import Bubble, share_of
from chatnet_qt.bubble_actions import ICONS, LOUD, action_words, is_quiet
from chatnet_qt.bubble_layout import Placed, PlacedBlock, failed_words, wrapping
from chatnet_qt.card_layout import state_words
from chatnet_qt.file_names import name_of, picture_for
from chatnet_qt.icons import draw_icon, draw_tick
from chatnet_qt.qt import (
    QBrush,
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPainterPath,
    QPen,
    QPixmap,
    QPointF,
    QRectF,
    Qt,
    QTextCharFormat,
    QTextLayout,
)
from chatnet_qt.quote_painter import paint_quote
from chatnet_qt.shapes import draw_filling, rounded
from chatnet_qt.tokens import Colours, Measures
from chatnet_qt.wording import utf16_span

LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
CENTRE = int(Qt.AlignmentFlag.AlignCenter)
RING_PX = 2


class Looks(Struct, frozen=True):
    """What a bubble's drawing depends on besides the bubble."""

    hovered: str = ""
    """The action under the mouse."""
    under_mouse: bool = False
    selected: bool = False
    ring: bool = False
    """It is what keys act on."""
    found: str = ""
    """Words to mark."""
    chosen: tuple[int, int] | None = None
    """The part of the text that is selected, in Qt's positions."""
    picture: QPixmap | None = None


class BubblePainter:
    """One bubble on one painter, whose origin is the item's corner."""

    def __init__(self, painter: QPainter, colours: Colours, m: Measures, looks: Looks) -> None:
        self._painter = painter
        self._colours = colours
        self._m = m
        self._looks = looks

    def paint(self, bubble: Bubble, placed: Placed) -> None:
        """Draw everything from the day separator to the tick."""
        painter, colours = self._painter, self._colours
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if placed.day_box is not None:
            self.day(placed.day_box, bubble.day)
        if placed.new_box is not None:
            self._new_line(placed.new_box, bubble.new_count)
        outline = self._outline(placed.bubble, bubble)
        if not placed.bare:
            failed = QPen(colours.danger, 1) if bubble.went_wrong else QPen(Qt.PenStyle.NoPen)
            painter.setPen(failed)
            painter.setBrush(QBrush(colours.own if bubble.row.mine else colours.peer))
            painter.drawPath(outline)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colours.accent, RING_PX))
        if self._looks.selected:
            painter.drawPath(outline)
        if self._looks.ring:
            around = placed.bubble.adjusted(-3, -3, 3, 3)
            painter.drawPath(self._outline(around, bubble))
        if bubble.offer is not None:
            self._transfer(bubble, placed)
        if placed.quote_box is not None and bubble.quote is not None:
            paint_quote(painter, placed.quote_box, bubble.quote, bubble.row.mine, colours, self._m)
        for block in placed.blocks:
            self._block(bubble, block)
        for box, action in placed.buttons:
            self._button(bubble, box, action)
        self._meta(bubble, placed)
        self._around(bubble, placed)

    def _around(self, bubble: Bubble, placed: Placed) -> None:
        """What stands beside and below the bubble."""
        colours, m = self._colours, self._m
        if placed.failed_box is not None:
            shade = colours.danger if bubble.went_wrong else colours.text_2
            self._wrapped(placed.failed_box, failed_words(bubble), shade)
        for box, action in placed.below:
            self._link(box, action_words(bubble, action), action)
        if placed.after_box is not None and placed.after:
            self._words(placed.after_box, placed.after, colours.text_2, RIGHT, m.micro)
        wanted = placed.always or self._looks.under_mouse or self._looks.ring
        if placed.numbers_box is not None and wanted:
            self._words(placed.numbers_box, placed.numbers, colours.text_2, LEFT, m.numbers)

    def _outline(self, box: QRectF, bubble: Bubble) -> QPainterPath:
        """Round corners; on the author's side flat ones where a group goes on."""
        full, flat = min(self._m.px(12), box.height() / 2), self._m.px(4)
        upper = full if bubble.starts_group else flat
        lower = full if bubble.ends_group else flat
        own = bubble.row.mine
        corners = (full, upper, lower, full) if own else (upper, full, full, lower)
        return rounded(box, *corners)

    def day(self, box: QRectF, words: str) -> None:
        """A day in its pill."""
        painter, colours = self._painter, self._colours
        painter.setPen(QPen(colours.line, 1))
        painter.setBrush(QBrush(colours.raised))
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        self._words(box, words, colours.text_2, CENTRE, self._m.micro)

    def _new_line(self, box: QRectF, count: int) -> None:
        painter, colours, m = self._painter, self._colours, self._m
        words = "1 new message" if count == 1 else f"{count} new messages"
        if count < 1:
            words = "New messages"
        wide = QFontMetricsF(m.micro_bold).horizontalAdvance(words) + 2 * m.px(12)
        y, middle = round(box.center().y()) + 0.5, box.center().x()
        painter.setPen(QPen(colours.accent, 1))
        painter.drawLine(QPointF(box.left(), y), QPointF(middle - wide / 2, y))
        painter.drawLine(QPointF(middle + wide / 2, y), QPointF(box.right(), y))
        self._words(box, words, colours.link, CENTRE, m.micro_bold)

    # --- text ---

    def _block(self, bubble: Bubble, block: PlacedBlock) -> None:
        painter, colours = self._painter, self._colours
        field = colours.own_code if bubble.row.mine else colours.peer_code
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(field))
        if block.ground is not None:
            painter.drawRoundedRect(block.ground, self._m.px(6), self._m.px(6))
        for start, length in block.codes:
            for box in spans(block, start, length):
                painter.drawRoundedRect(box.adjusted(-3, 1, 3, -1), self._m.px(4), self._m.px(4))
        painter.setPen(colours.text)
        block.layout.draw(painter, block.at, self._marks(block))
        painter.setPen(QPen(colours.link, 1))
        for start, length, _ in block.links:
            for box in spans(block, start, length, baseline=True):
                y = round(box.bottom()) + 0.5
                painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))

    def _marks(self, block: PlacedBlock) -> list[QTextLayout.FormatRange]:
        """Links, words found and the selection, one over the other."""
        colours = self._colours
        marks = [_format(start, length, colours.link) for start, length, _ in block.links]
        marks += marked(block.layout.text(), self._looks.found, colours)
        if self._looks.chosen is not None:
            first, end = self._looks.chosen
            first = max(0, first - block.start)
            end = min(len(block.layout.text().encode("utf-16-le")) // 2, end - block.start)
            if first < end:
                ink, ground = colours.on_accent, colours.accent
                marks.append(_format(first, end - first, ink, ground))
        return marks

    def _meta(self, bubble: Bubble, placed: Placed) -> None:
        colours = self._colours
        own = bubble.row.mine
        ink = colours.text_2 if placed.bare else colours.own_2 if own else colours.peer_2
        metrics = QFontMetricsF(self._m.micro)
        box = placed.meta_box
        words = metrics.elidedText(placed.meta, Qt.TextElideMode.ElideRight, box.width() + 1)
        self._words(box, words, ink, LEFT, self._m.micro)
        if own:
            strong = {"read": colours.accent, "failed": colours.danger}
            ground = colours.canvas if placed.bare else colours.own
            shade = strong.get(bubble.state, ink)
            draw_tick(self._painter, placed.tick_box, shade, bubble.state, ground)

    # --- files ---

    def _transfer(self, bubble: Bubble, placed: Placed) -> None:
        colours, m = self._colours, self._m
        offer, transfer, own = bubble.offer, bubble.transfer, bubble.row.mine
        assert offer is not None
        assert placed.name_box is not None
        assert placed.size_box is not None
        assert placed.state_box is not None
        name = name_of(bubble)
        quiet = colours.own_2 if own else colours.peer_2
        if placed.icon_box is not None:
            self._tile(placed.icon_box, colours.own_code if own else colours.peer_code, bubble)
        if placed.picture_box is not None:
            self._picture(placed.picture_box)
        declined = transfer is not None and transfer.state == TransferState.REJECTED
        font = m.body if declined else m.bold
        shown = QFontMetricsF(font).elidedText(
            name, Qt.TextElideMode.ElideMiddle, placed.name_box.width()
        )
        self._words(placed.name_box, shown, colours.text, LEFT, font)
        total = transfer.size_bytes if transfer else offer.size_bytes
        count = transfer.files if transfer else offer.file_count
        is_folder = picture_for(bubble) == "folder"
        files = "1 file" if count == 1 else f"{count:,} files"
        size = f"{files} · {size_words(total)}" if is_folder else size_words(total)
        self._words(placed.size_box, size, quiet, LEFT, m.small)
        if placed.bar_box is not None and transfer is not None:
            self._bar(placed.bar_box, bubble)
        self._wrapped(placed.state_box, state_words(bubble), self._state_ink(bubble, quiet))

    def _tile(self, box: QRectF, ground: QColor, bubble: Bubble) -> None:
        painter, side = self._painter, self._m.px(20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(ground))
        painter.drawRoundedRect(box, self._m.px(8), self._m.px(8))
        centre = box.center()
        inner = QRectF(centre.x() - side / 2, centre.y() - side / 2, side, side)
        draw_icon(painter, inner, self._colours.link, picture_for(bubble))

    def _picture(self, box: QRectF) -> None:
        painter, picture = self._painter, self._looks.picture
        path = rounded(box, *([self._m.px(8)] * 4))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(self._colours.sunken))
        painter.drawPath(path)
        if picture is None or picture.isNull():
            return
        draw_filling(painter, box, picture, self._m.px(8))

    def _state_ink(self, bubble: Bubble, quiet: QColor) -> QColor:
        colours, transfer = self._colours, bubble.transfer
        if transfer is None:
            return quiet
        match transfer.state:
            case TransferState.PAUSED | TransferState.WAITING:
                return colours.warning
            case TransferState.DONE:
                return colours.good
            case TransferState.FAILED if not is_record(transfer):
                return colours.danger
            case TransferState.OFFERED if not transfer.mine:
                return colours.text
        return quiet

    def _bar(self, box: QRectF, bubble: Bubble) -> None:
        painter, colours, transfer = self._painter, self._colours, bubble.transfer
        assert transfer is not None
        own = bubble.row.mine
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QBrush(colours.own_track if own else colours.peer_track))
        radius = box.height() / 2
        painter.drawRoundedRect(box, radius, radius)
        share = 1.0 if transfer.state == TransferState.VERIFYING else share_of(bubble)
        part = QRectF(box)
        part.setWidth(box.width() * min(1.0, share))
        still = transfer.state in (TransferState.PAUSED, TransferState.WAITING)
        quiet = colours.own_2 if own else colours.peer_2
        painter.setBrush(QBrush(quiet if still else colours.accent))
        if part.width() >= 1:
            painter.drawRoundedRect(part, radius, radius)

    # --- parts ---

    def _button(self, bubble: Bubble, box: QRectF, action: str) -> None:
        painter, colours, own = self._painter, self._colours, bubble.row.mine
        hovered = action == self._looks.hovered
        press = colours.own_press if own else colours.peer_press
        painter.setPen(Qt.PenStyle.NoPen)
        if action in ICONS:
            if hovered:
                painter.setBrush(QBrush(press))
                painter.drawRoundedRect(box, self._m.px(6), self._m.px(6))
            side = self._m.px(16)
            centre = box.center()
            inner = QRectF(centre.x() - side / 2, centre.y() - side / 2, side, side)
            ink = colours.text if hovered else colours.own_2 if own else colours.peer_2
            draw_icon(painter, inner, ink, ICONS[action])
            return
        words = action_words(bubble, action)
        if is_quiet(bubble, action):
            self._link(box, words, action)
            return
        first = action in LOUD
        ground = colours.accent if first else press
        if hovered:
            ground = (
                colours.accent_hover if first else press.darker(104 if not colours.dark else 88)
            )
        painter.setBrush(QBrush(ground))
        painter.drawRoundedRect(box, self._m.px(6), self._m.px(6))
        ink = colours.on_accent if first else colours.text
        self._words(box, words, ink, CENTRE, self._m.medium)

    def _link(self, box: QRectF, words: str, action: str) -> None:
        font = QFont(self._m.small)
        font.setUnderline(action == self._looks.hovered)
        self._words(box, words, self._colours.link, CENTRE, font)

    def _wrapped(self, box: QRectF, words: str, colour: QColor) -> None:
        """Small plain text on as many lines as it needs."""
        self._painter.setFont(self._m.small)
        self._painter.setPen(colour)
        self._painter.drawText(box, words, wrapping())

    def _words(self, box: QRectF, words: str, colour: QColor, flags: int, font: QFont) -> None:
        """Plain text: QPainter knows no markup."""
        self._painter.setFont(font)
        self._painter.setPen(colour)
        self._painter.drawText(box, flags | int(Qt.TextFlag.TextDontClip), words)


def spans(block: PlacedBlock, start: int, length: int, *, baseline: bool = False) -> list[QRectF]:
    """Where a part of a block stands, a box for each line; down to 3 below the baseline."""
    boxes = []
    for number in range(block.layout.lineCount()):
        line = block.layout.lineAt(number)
        first = max(start, line.textStart())
        last = min(start + length, line.textStart() + line.textLength())
        if first < last:
            x1, x2 = sorted((_cursor(line.cursorToX(first)), _cursor(line.cursorToX(last))))
            tall = line.ascent() + 3 if baseline else line.height()
            boxes.append(QRectF(x1, line.y(), x2 - x1, tall).translated(block.at))
    return boxes


def marked(text: str, words: str, colours: Colours) -> list[QTextLayout.FormatRange]:
    """Where `words` stand in `text`, whatever their case, in the colours of a mark."""
    if not words:
        return []
    found = re.finditer(re.escape(words), text, re.IGNORECASE)
    where = [utf16_span(text, match.start(), match.end() - match.start()) for match in found]
    return [_format(*span, colours.on_mark, colours.mark) for span in where]


def _format(
    start: int, length: int, ink: QColor, ground: QColor | None = None
) -> QTextLayout.FormatRange:
    made = QTextLayout.FormatRange()
    made.start, made.length = start, length
    how = QTextCharFormat()
    how.setForeground(QBrush(ink))
    if ground is not None:
        how.setBackground(QBrush(ground))
    made.format = how
    return made


def _cursor(value: object) -> float:
    """QTextLine.cursorToX gives (x, position) in some bindings and x in others."""
    return float(value[0]) if isinstance(value, tuple) else float(str(value))
