"""Where everything in one bubble goes: pure geometry and text layout, no painting, no events.

All lengths are those of the design, in the measures of the font. Text is laid out by QTextLayout,
which knows no markup.
"""

import enum
from collections.abc import Sequence

from msgspec import Struct

from chatnet_client.words.states import after_words
from chatnet_qt.bubble import Bubble
from chatnet_qt.bubble_actions import ACTION_WORDS, failed_actions
from chatnet_qt.qt import (
    QFont,
    QFontMetricsF,
    QPointF,
    QRectF,
    QTextLayout,
    QTextOption,
)
from chatnet_qt.tokens import BUBBLE, BUBBLE_OF_COLUMN, COLUMN, Measures
from chatnet_qt.wording import (
    clock_words,
    day_of,
    not_sent_words,
    shown_name,
)

WIDE_FROM = 640
"""Narrower lists have narrower sides."""


class Numbers(enum.StrEnum):
    """When ACK number and source of a message stand beside it."""

    ALWAYS = "always"
    HOVER = "hover"
    NEVER = "never"


class PlacedBlock(Struct):
    """One block of a text, laid out; `at` is its layout's corner, `start` where it begins in the
    whole text, in Qt's positions."""

    layout: QTextLayout
    at: QPointF
    start: int
    ground: QRectF | None = None
    codes: tuple[tuple[int, int], ...] = ()
    links: list[tuple[int, int, str]] = []


class Placed(Struct):
    """A bubble laid out for one width; coordinates from the item's top left corner."""

    height: float
    bubble: QRectF
    meta: str
    meta_box: QRectF
    tick_box: QRectF
    day_box: QRectF | None = None
    new_box: QRectF | None = None
    blocks: list[PlacedBlock] = []
    bare: bool = False
    """Emoji alone: nothing is drawn around them."""
    numbers: str = ""
    numbers_box: QRectF | None = None
    always: bool = False
    """The numbers are shown without being asked for."""
    failed_box: QRectF | None = None
    quote_box: QRectF | None = None
    after: str = ""
    after_box: QRectF | None = None
    picture_box: QRectF | None = None
    icon_box: QRectF | None = None
    name_box: QRectF | None = None
    size_box: QRectF | None = None
    bar_box: QRectF | None = None
    state_box: QRectF | None = None
    buttons: list[tuple[QRectF, str]] = []
    below: list[tuple[QRectF, str]] = []
    """Links under the bubble: what to do about a text that was not sent."""

    def parts(self) -> tuple[list[tuple[str, QRectF]], list[tuple[str, QRectF]]]:
        """What lies in the bubble and what beside it, by name, without what is not there."""
        inside = [("time", self.meta_box), ("icon", self.icon_box), ("name", self.name_box)]
        inside += [("size", self.size_box), ("bar", self.bar_box), ("state", self.state_box)]
        inside += [("picture", self.picture_box), ("quote", self.quote_box)]
        inside += [(f"button {action}", box) for box, action in self.buttons]
        for block in self.blocks:
            lines = [block.layout.lineAt(n) for n in range(block.layout.lineCount())]
            inside += [("text", line.naturalTextRect().translated(block.at)) for line in lines]
        beside = [("day", self.day_box), ("new", self.new_box), ("numbers", self.numbers_box)]
        beside += [("reason", self.failed_box), ("after", self.after_box)]
        beside += [(f"link {action}", box) for box, action in self.below]
        return _there(inside), _there(beside)


def _there(parts: Sequence[tuple[str, QRectF | None]]) -> list[tuple[str, QRectF]]:
    return [(name, box) for name, box in parts if box is not None and not box.isEmpty()]


def column_of(width: float, m: Measures) -> tuple[float, float]:
    """The reading column in a list so wide: (left, width). All that heights depend on."""
    side = m.px(24) if width >= m.px(WIDE_FROM) else m.px(12)
    wide = max(min(m.px(120), width), min(m.px(COLUMN), width - 2 * side))
    return round((width - wide) / 2), wide


def meta_words(bubble: Bubble) -> str:
    """When it was written; when it arrived as well, if that was another day."""
    row = bubble.row
    words = clock_words(row.sent_ms)
    if day_of(row.sent_ms) != day_of(row.arrived_ms):
        return f"Written {words}, arrived {clock_words(row.arrived_ms)}"
    return words


def numbers_words(bubble: Bubble) -> str:
    """ACK number and, of a peer's message, where it came from; empty while there is none."""
    row = bubble.row
    if not row.ack:
        return ""
    words = f"ACK {row.ack}"
    return f"{words} · {shown_name(row.source, 60)}" if row.source and not row.mine else words


def failed_words(bubble: Bubble) -> str:
    """Why a text was not sent."""
    return not_sent_words(bubble.row)


def wrapping() -> QTextOption:
    """At words, and inside one that alone is too wide: paths are."""
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    return option


def bounds(words: str, width: float, font: QFont) -> QRectF:
    """The space that plain words take, wrapped."""
    layout = QTextLayout(words, font)
    layout.setTextOption(wrapping())
    widest, _, height = lay_lines(layout, width, QFontMetricsF(font).height())
    return QRectF(0, 0, min(widest, width), height)


def lay_lines(layout: QTextLayout, width: float, step: float) -> tuple[float, float, float]:
    """Break into lines of `width`, `step` high at least: (widest line, last line, height)."""
    widest = last = height = 0.0
    layout.beginLayout()
    while True:
        line = layout.createLine()
        if not line.isValid():
            break
        line.setLineWidth(width)
        tall = max(step, line.height())
        line.setPosition(QPointF(0, height + (tall - line.height()) / 2))
        height += tall
        last = line.naturalTextWidth()
        widest = max(widest, last)
    layout.endLayout()
    return widest + 1, last + 1, height


class Placer:
    """Lays out what all bubbles have in common, for one width."""

    def __init__(self, width: float, m: Measures, numbers: Numbers) -> None:
        self.m = m
        self.width = width
        self.column_left, self.column = column_of(width, m)
        self.space = min(m.px(BUBBLE), self.column * BUBBLE_OF_COLUMN)
        self._numbers = numbers

    def begin(self, bubble: Bubble) -> tuple[Placed, float]:
        """What stands above the bubble, and where the bubble begins."""
        m, top = self.m, float(bubble.free_px)
        placed = Placed(0, QRectF(), meta_words(bubble), QRectF(), QRectF())
        if bubble.day:
            wide = QFontMetricsF(m.micro).horizontalAdvance(bubble.day) + 2 * m.px(12)
            tall = max(m.px(24), m.line(m.micro, 16))
            placed.day_box = QRectF(round((self.width - wide) / 2), top + m.px(16), wide, tall)
            top = placed.day_box.bottom()
        if bubble.is_first_new:
            tall = m.line(m.micro, 16)
            placed.new_box = QRectF(self.column_left, top + m.px(16), self.column, tall)
            top = placed.new_box.bottom() + m.px(4)
        return placed, top + (m.px(12) if bubble.starts_group else m.px(2))

    def finish(self, placed: Placed, bubble: Bubble, top: float, wide: float, tall: float) -> None:
        """Put the bubble on its side, what is in it along, and lines below it."""
        m = self.m
        left = self.column_left
        if bubble.row.mine:
            left += self.column - wide
        placed.bubble = QRectF(left, top, wide, tall)
        shift(placed, left, top)
        bottom = placed.bubble.bottom()
        if bubble.row.failed:
            bottom = self._put_reason(placed, bubble, bottom)
        elif bubble.is_last_own and not bubble.offer:
            placed.after = after_words(bubble.state)
            tall = m.line(m.micro, 16)
            placed.after_box = QRectF(
                self.column_left, bottom + m.px(4), self.column - m.px(8), tall
            )
            bottom = placed.after_box.bottom()
        bottom = self._put_numbers(placed, bubble, bottom)
        placed.height = bottom + (m.px(8) if bubble.is_last else 0)

    def meta_size(self, placed: Placed, bubble: Bubble) -> tuple[float, float, float]:
        """Width of the time, width of the tick with its gap, height."""
        m = self.m
        tick = float(m.px(4) + m.px(16)) if bubble.row.mine else 0.0
        words = min(QFontMetricsF(m.micro).horizontalAdvance(placed.meta) + 1, self.space * 0.8)
        return words, tick, m.line(m.micro, 16)

    def put_meta(self, placed: Placed, bubble: Bubble, right: float, bottom: float) -> None:
        """The time, and the tick to its right, which ends at `right`."""
        words, tick, tall = self.meta_size(placed, bubble)
        placed.meta_box = QRectF(right - words - tick, bottom - tall, words, tall)
        side = self.m.px(16)
        placed.tick_box = QRectF(right - side, bottom - tall / 2 - side / 2, side, side)

    def _put_numbers(self, placed: Placed, bubble: Bubble, bottom: float) -> float:
        placed.numbers = "" if self._numbers is Numbers.NEVER else numbers_words(bubble)
        if not placed.numbers:
            return bottom
        m, box, own = self.m, placed.bubble, bubble.row.mine
        wide = QFontMetricsF(m.numbers).horizontalAdvance(placed.numbers) + 1
        tall = m.line(m.numbers, 16)
        always = self._numbers is Numbers.ALWAYS and not own
        beside = m.px(8)
        free = self.column - box.width() - beside
        if wide <= free:
            x = box.left() - beside - wide if own else box.right() + beside
            middle = box.bottom() - m.px(8) - m.line(m.body, 20) / 2
            placed.numbers_box = QRectF(x, middle - tall / 2, wide, tall)
            placed.always = always
        elif always:
            placed.numbers_box = QRectF(box.left() + m.px(4), bottom + m.px(2), wide, tall)
            placed.numbers_box.setRight(min(placed.numbers_box.right(), self.width - m.px(4)))
            placed.always = True
            return placed.numbers_box.bottom()
        return bottom

    def _put_reason(self, placed: Placed, bubble: Bubble, bottom: float) -> float:
        m, top = self.m, bottom + m_gap(self.m)
        size = bounds(failed_words(bubble), self.space, m.small)
        right = placed.bubble.right()
        placed.failed_box = QRectF(right - size.width(), top, size.width(), size.height())
        bottom = placed.failed_box.bottom()
        metrics, tall = QFontMetricsF(m.small), m.px(24)
        x = right
        for action in failed_actions(bubble):
            wide = metrics.horizontalAdvance(ACTION_WORDS[action]) + m.px(8)
            if x - wide < 0 and x < right:
                x, bottom = right, bottom + tall
            placed.below.append((QRectF(x - wide, bottom, wide, tall), action))
            x -= wide + m.px(4)
        return bottom + tall


def m_gap(m: Measures) -> int:
    """Between a bubble and what belongs to it below."""
    return m.px(4)


def shift(placed: Placed, x: float, y: float) -> None:
    """Move what was laid out from the bubble's corner to where the bubble is."""
    for box in (
        placed.meta_box,
        placed.tick_box,
        placed.picture_box,
        placed.icon_box,
        placed.name_box,
        placed.size_box,
        placed.bar_box,
        placed.state_box,
        placed.quote_box,
        *(block.ground for block in placed.blocks),
        *(button for button, _ in placed.buttons),
    ):
        if box is not None:
            box.translate(x, y)
    for block in placed.blocks:
        block.at += QPointF(x, y)
