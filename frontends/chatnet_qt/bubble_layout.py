"""Where everything in one bubble goes: pure geometry and text layout, no painting, no events.

All lengths derive from the font's height, so that any font and any scale keep the proportions.
Text is laid out by QTextLayout, which knows no markup.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chatnet_client.links import links_in
from chatnet_client.words import can_fetch
from chatnet_protocol.ipc.rows import TransferState
from chatnet_qt.models import Bubble
from chatnet_qt.qt import QFont, QFontMetricsF, QPointF, QRectF, Qt, QTextLayout, QTextOption
from chatnet_qt.theme import scaled
from chatnet_qt.wording import (
    MAX_REASON_CHARACTERS,
    card_words,
    clock_words,
    cut_text,
    day_of,
    longest_card_words,
    shown_name,
    utf16_span,
)

MAX_BUBBLE_EM = 30
"""Widest bubble in font heights: lines longer than this are hard to read."""
TRANSFER_EM = 20
SIDE_EM = 0.9
SHOW_ALL = "show-all"

ACTION_WORDS = {
    "accept": "Accept",
    "accept-to": "Save to…",
    "reject": "Decline",
    "pause": "Pause",
    "resume": "Resume",
    "cancel": "Cancel",
    "folder": "Open folder",
    "again": "Send again",
    "fetch": "Download again",
    SHOW_ALL: "Show all",
}


@dataclass(frozen=True)
class Fonts:
    """The fonts of a conversation, copies made from one that may die (a style option's)."""

    text: QFont
    small: QFont
    bold: QFont

    @classmethod
    def of(cls, font: QFont) -> "Fonts":
        bold = QFont(font)
        bold.setBold(True)
        return cls(text=QFont(font), small=scaled(font, 0.82), bold=bold)


@dataclass
class Placed:
    """A bubble laid out for one width; coordinates from the item's top left corner."""

    height: float
    bubble: QRectF
    meta: str
    meta_box: QRectF
    tick_box: QRectF
    day_box: QRectF | None = None
    new_box: QRectF | None = None
    text: QTextLayout | None = None
    text_at: tuple[float, float] = (0.0, 0.0)
    links: list[tuple[int, int, str]] = field(default_factory=list)
    failed_box: QRectF | None = None
    icon_box: QRectF | None = None
    name_box: QRectF | None = None
    size_box: QRectF | None = None
    bar_box: QRectF | None = None
    state_box: QRectF | None = None
    buttons: list[tuple[QRectF, str]] = field(default_factory=list)

    def parts(self) -> tuple[list[tuple[str, QRectF]], list[tuple[str, QRectF]]]:
        """What lies in the bubble and what beside it, by name, without what is not there."""
        inside = [("time", self.meta_box), ("icon", self.icon_box), ("name", self.name_box)]
        inside += [("size", self.size_box), ("bar", self.bar_box), ("state", self.state_box)]
        inside += [(f"button {action}", box) for box, action in self.buttons]
        if self.text is not None:
            at = QPointF(*self.text_at)
            lines = [self.text.lineAt(number) for number in range(self.text.lineCount())]
            inside += [("text", line.naturalTextRect().translated(at)) for line in lines]
        beside = [("day", self.day_box), ("new", self.new_box)]
        return _there(inside), _there(beside)


def _there(parts: Sequence[tuple[str, QRectF | None]]) -> list[tuple[str, QRectF]]:
    return [(name, box) for name, box in parts if box is not None and not box.isEmpty()]


def meta_words(bubble: Bubble, footers: bool) -> str:
    """The small line: time and, for the peer's messages, ACK number and source."""
    row = bubble.row
    words = clock_words(row.sent_ms)
    if day_of(row.sent_ms) != day_of(row.arrived_ms):
        words = f"written at {words}, came at {clock_words(row.arrived_ms)}"
    if footers and not row.mine and row.ack:
        words += f" · ACK {row.ack}"
        if row.source:
            words += f" · {shown_name(row.source, 60)}"
    return words


def state_words(bubble: Bubble) -> str:
    """The line about the transfer in a bubble."""
    if bubble.transfer is None:
        return "An earlier transfer"
    return card_words(
        bubble.transfer,
        bubble.peer_name,
        _is_delivered(bubble),
        bubble.done_bytes,
        bubble.rate_bytes_s,
    )


def _longest_state_words(bubble: Bubble) -> str:
    if bubble.transfer is None:
        return state_words(bubble)
    return longest_card_words(bubble.transfer, bubble.peer_name)


def _is_delivered(bubble: Bubble) -> bool:
    return bubble.state not in ("queued", "sent")


def failed_words(bubble: Bubble) -> str:
    """Why a text was not sent."""
    return f"Not sent: {shown_name(bubble.row.failed, MAX_REASON_CHARACTERS)}"


def actions_of(bubble: Bubble) -> list[str]:
    """What can be done with the transfer in a bubble, the most likely first."""
    transfer = bubble.transfer
    if transfer is None:
        return []
    match transfer.state:
        case TransferState.OFFERED:
            return ["cancel"] if transfer.mine else ["accept", "accept-to", "reject"]
        case TransferState.WAITING | TransferState.ACTIVE:
            return ["pause", "cancel"]
        case TransferState.PAUSED:
            return ["resume", "cancel"] if transfer.by != "peer" else ["cancel"]
        case TransferState.VERIFYING:
            return ["cancel"]
        case TransferState.DONE:
            return [] if transfer.mine or not transfer.path else ["folder"]
        case TransferState.FAILED | TransferState.CANCELLED | TransferState.REJECTED:
            again = transfer.mine and transfer.files == 1 and transfer.path
            return ["again"] if again else ["fetch"] if can_fetch(transfer) else []
    return []


def more_actions_of(bubble: Bubble) -> list[str]:
    """What can be done besides, which nobody needs often enough for a button."""
    if bubble.offer is None or bubble.row.mine or "fetch" in actions_of(bubble):
        return []
    # A transfer that the view no longer holds has ended long ago; the engine still knows it.
    return ["fetch"] if bubble.transfer is None or can_fetch(bubble.transfer) else []


def room_for(width: float, em: float) -> float:
    """The widest bubble in a viewport `width` pixels wide; all that heights depend on."""
    return min(width - 2 * SIDE_EM * em - min(3.2 * em, width * 0.12), MAX_BUBBLE_EM * em)


def place(bubble: Bubble, width: float, fonts: Fonts, footers: bool) -> Placed:
    """Lay `bubble` out for a viewport `width` pixels wide."""
    em = QFontMetricsF(fonts.text).height()
    top = 0.0
    day_box = new_box = None
    small = QFontMetricsF(fonts.small)
    if bubble.day:
        wide = small.horizontalAdvance(bubble.day) + 1.4 * em
        day_box = QRectF((width - wide) / 2, top + 0.7 * em, wide, small.height() + 0.4 * em)
        top = day_box.bottom() + 0.35 * em
    if bubble.is_first_new:
        new_box = QRectF(0.9 * em, top + 0.35 * em, width - 1.8 * em, small.height())
        top = new_box.bottom() + 0.35 * em
    top += 0.55 * em if bubble.starts_group else 0.14 * em
    side = SIDE_EM * em
    room = room_for(width, em)
    meta = meta_words(bubble, footers)
    placed = Placed(
        height=0,
        bubble=QRectF(),
        meta=meta,
        meta_box=QRectF(),
        tick_box=QRectF(),
        day_box=day_box,
        new_box=new_box,
    )
    inner = max(4 * em, room - 1.5 * em)
    if bubble.offer is not None:
        wide, tall = _place_transfer(placed, bubble, inner, fonts, em)
    else:
        wide, tall = _place_text(placed, bubble, inner, fonts, em)
    box_width = wide + 1.5 * em
    left = width - side - box_width if bubble.row.mine else side
    placed.bubble = QRectF(left, top, box_width, tall)
    _shift(placed, left + 0.75 * em, top)
    placed.meta_box.setLeft(max(placed.meta_box.left(), left + 0.4 * em))
    placed.height = placed.bubble.bottom() + (0.3 * em if bubble.ends_group else 0)
    return placed


def _meta_size(placed: Placed, bubble: Bubble, fonts: Fonts) -> tuple[float, float, float]:
    """Width of the words, width of the tick with its gap, height."""
    small = QFontMetricsF(fonts.small)
    tick = small.height() * 1.25 if bubble.row.mine else 0.0
    return small.horizontalAdvance(placed.meta) + 1, tick, small.height()


def _put_meta(
    placed: Placed, sizes: tuple[float, float, float], right: float, bottom: float
) -> None:
    words, tick, tall = sizes
    placed.meta_box = QRectF(right - words - tick, bottom - tall, words, tall)
    inset = tall * 0.07
    placed.tick_box = QRectF(
        right - tall + inset, bottom - tall + inset, tall - 2 * inset, tall - 2 * inset
    )


def _place_text(
    placed: Placed, bubble: Bubble, inner: float, fonts: Fonts, em: float
) -> tuple[float, float]:
    text, was_cut = cut_text(bubble.text)
    if was_cut:
        text += " …"
    layout = QTextLayout(text.replace("\n", "\N{LINE SEPARATOR}"), fonts.text)
    option = wrapping()
    option.setTextDirection(Qt.LayoutDirection.LayoutDirectionAuto)
    option.setTabStopDistance(2.5 * em)
    layout.setTextOption(option)
    widest, last, height = _lay_lines(layout, inner)
    right_to_left = text.isascii() is False and _starts_right_to_left(layout)
    sizes = _meta_size(placed, bubble, fonts)
    meta_wide = sizes[0] + sizes[1]
    gap = 0.8 * em
    top = 0.42 * em
    wide = max(widest, min(meta_wide, inner))
    fits = not right_to_left and not was_cut and last + gap + meta_wide <= inner
    if fits:
        wide = max(widest, last + gap + meta_wide)
        bottom = top + height + 0.12 * em
    else:
        bottom = top + height
        if was_cut:
            _put_buttons(placed, [SHOW_ALL], 0, bottom + 0.3 * em, inner, fonts, em)
            bottom = placed.buttons[-1][0].bottom() + 0.2 * em
        bottom += sizes[2]
    if right_to_left:
        _lay_lines(layout, wide)
    placed.text = layout
    placed.text_at = (0.0, top)
    placed.links = [
        (*utf16_span(text, link.start, link.length), link.address) for link in links_in(text)
    ]
    _put_meta(placed, sizes, wide, bottom)
    bottom += 0.38 * em
    if bubble.row.failed:
        bounds = _bounds(failed_words(bubble), inner, fonts)
        wide = max(wide, bounds.width())
        placed.failed_box = QRectF(0, bottom - 0.1 * em, wide, bounds.height())
        bottom = placed.failed_box.bottom() + 0.4 * em
    return wide, bottom


def wrapping() -> QTextOption:
    """At words, and inside one that alone is too wide: paths are."""
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    return option


def _bounds(words: str, width: float, fonts: Fonts) -> QRectF:
    """The room that small words take, wrapped."""
    layout = QTextLayout(words, fonts.small)
    layout.setTextOption(wrapping())
    widest, _, height = _lay_lines(layout, width)
    return QRectF(0, 0, min(widest, width), height)


def _lay_lines(layout: QTextLayout, width: float) -> tuple[float, float, float]:
    """Break into lines of `width`: (widest line, last line, height)."""
    widest = last = height = 0.0
    layout.beginLayout()
    while True:
        line = layout.createLine()
        if not line.isValid():
            break
        line.setLineWidth(width)
        line.setPosition(QPointF(0, height))
        height += line.height()
        last = line.naturalTextWidth()
        widest = max(widest, last)
    layout.endLayout()
    return widest + 1, last + 1, height


def _starts_right_to_left(layout: QTextLayout) -> bool:
    return any(
        layout.lineAt(number).naturalTextRect().left() > 1 for number in range(layout.lineCount())
    )


def _place_transfer(
    placed: Placed, bubble: Bubble, inner: float, fonts: Fonts, em: float
) -> tuple[float, float]:
    wide = min(inner, TRANSFER_EM * em)
    small = QFontMetricsF(fonts.small).height()
    icon = 2.5 * em
    top = 0.6 * em
    placed.icon_box = QRectF(0, top, icon, icon)
    left = icon + 0.6 * em
    placed.name_box = QRectF(left, top, wide - left, em * 1.1)
    placed.size_box = QRectF(left, top + em * 1.25, wide - left, small)
    bottom = top + icon + 0.45 * em
    transfer = bubble.transfer
    moving = (TransferState.ACTIVE, TransferState.PAUSED, TransferState.WAITING)
    if transfer is not None and (
        transfer.state in moving or transfer.state == TransferState.VERIFYING
    ):
        placed.bar_box = QRectF(0, bottom, wide, max(4.0, 0.32 * em))
        bottom += placed.bar_box.height() + 0.35 * em
    tall = _bounds(_longest_state_words(bubble), wide, fonts).height()
    placed.state_box = QRectF(0, bottom, wide, max(small, tall))
    bottom = placed.state_box.bottom()
    actions = actions_of(bubble)
    if actions:
        _put_buttons(placed, actions, 0, bottom + 0.45 * em, wide, fonts, em)
        bottom = placed.buttons[-1][0].bottom() + 0.15 * em
    sizes = _meta_size(placed, bubble, fonts)
    bottom += sizes[2] + 0.25 * em
    _put_meta(placed, sizes, max(wide, sizes[0] + sizes[1]), bottom)
    return max(wide, min(sizes[0] + sizes[1], inner)), bottom + 0.38 * em


def _put_buttons(
    placed: Placed,
    actions: list[str],
    left: float,
    top: float,
    room: float,
    fonts: Fonts,
    em: float,
) -> None:
    """A row of buttons that breaks into a second where the bubble is narrow."""
    metrics = QFontMetricsF(fonts.text)
    x, y, tall = left, top, 1.65 * em
    for action in actions:
        wide = metrics.horizontalAdvance(ACTION_WORDS[action]) + 1.5 * em
        if x > left and x + wide > left + room:
            x, y = left, y + tall + 0.35 * em
        placed.buttons.append((QRectF(x, y, wide, tall), action))
        x += wide + 0.45 * em


def _shift(placed: Placed, x: float, y: float) -> None:
    """Move what was laid out from the bubble's inner left top to where the bubble is."""
    for box in (
        placed.meta_box,
        placed.tick_box,
        placed.failed_box,
        placed.icon_box,
        placed.name_box,
        placed.size_box,
        placed.bar_box,
        placed.state_box,
        *(button for button, _ in placed.buttons),
    ):
        if box is not None:
            box.translate(x, y)
    placed.text_at = (placed.text_at[0] + x, placed.text_at[1] + y)
