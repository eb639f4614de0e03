"""Where everything in the card of a transfer goes. Pure geometry."""

from chatnet_protocol.ipc.rows import TransferState
from chatnet_qt.bubble import Bubble
from chatnet_qt.bubble_actions import ICONS, action_words, actions_of, is_quiet
from chatnet_qt.bubble_layout import Numbers, Placed, Placer, bounds
from chatnet_qt.qt import QFontMetricsF, QRectF
from chatnet_qt.text_layout import place_text
from chatnet_qt.tokens import CARD, Measures
from chatnet_qt.wording import card_words, longest_card_words

MOVING = frozenset(
    {
        TransferState.ACTIVE,
        TransferState.PAUSED,
        TransferState.WAITING,
        TransferState.VERIFYING,
    }
)
"""States with a bar."""


def state_words(bubble: Bubble) -> str:
    """The line about the transfer in a bubble."""
    if bubble.transfer is None:
        return "An earlier transfer"
    delivered = bubble.state not in ("queued", "sent")
    return card_words(bubble.transfer, bubble.peer_name, delivered, bubble.progress)


def _longest(bubble: Bubble) -> str:
    """What the words may become while the transfer stays in this state."""
    if bubble.transfer is None:
        return state_words(bubble)
    return longest_card_words(bubble.transfer, bubble.peer_name)


def place(bubble: Bubble, width: float, m: Measures, numbers: Numbers) -> Placed:
    """Lay `bubble` out for a list `width` pixels wide."""
    placer = Placer(width, m, numbers)
    return place_text(placer, bubble) if bubble.offer is None else place_card(placer, bubble)


def place_card(placer: Placer, bubble: Bubble) -> Placed:
    """Lay out the files that somebody offers."""
    m = placer.m
    placed, top = placer.begin(bubble)
    pad = m.px(12)
    wide = min(m.px(CARD), placer.column) - 2 * pad
    tile, y = m.px(40), float(pad)
    icons = [action for action in actions_of(bubble) if action in ICONS]
    x = pad + wide + m.px(4)
    for action in reversed(icons):
        x -= m.px(28)
        placed.buttons.insert(0, (QRectF(x, y - m.px(4), m.px(28), m.px(28)), action))
        x -= m.px(4)
    if bubble.picture is not None:
        y = _put_picture(placed, placer, bubble, wide)
        placed.name_box = QRectF(pad, y, x - pad if icons else wide, m.line(m.body, 20))
        placed.size_box = QRectF(pad, placed.name_box.bottom(), wide, m.line(m.small, 16))
        y = placed.size_box.bottom() + m.px(4)
    else:
        placed.icon_box = QRectF(pad, y, tile, tile)
        left = pad + tile + pad
        right = x if icons else pad + wide
        line, small = m.line(m.bold, 20), m.line(m.small, 16)
        inset = max(0.0, (tile - line - small) / 2)
        placed.name_box = QRectF(left, y + inset, right - left, line)
        placed.size_box = QRectF(left, y + inset + line, right - left, small)
        y += max(tile, line + small) + m.px(8)
    transfer = bubble.transfer
    if transfer is not None and transfer.state in MOVING:
        placed.bar_box = QRectF(pad, y + m.px(4), wide, m.px(4))
        y = placed.bar_box.bottom() + m.px(8)
    y = _put_state(placed, placer, bubble, wide, y)
    placer.finish(placed, bubble, top, wide + 2 * pad, y + pad)
    return placed


def _put_picture(placed: Placed, placer: Placer, bubble: Bubble, wide: float) -> float:
    """The picture itself, as wide as the card, at most 16:9."""
    m, size = placer.m, bubble.picture
    assert size is not None
    full = wide + 2 * m.px(12) - 2 * m.px(4)
    tall = min(full * size[1] / max(1, size[0]), full * 9 / 16, m.px(200))
    placed.picture_box = QRectF(m.px(4), m.px(4), full, max(tall, m.px(48)))
    return placed.picture_box.bottom() + m.px(8)


def _put_state(placed: Placed, placer: Placer, bubble: Bubble, wide: float, y: float) -> float:
    """The words about the transfer, its buttons, and the time where there is space for it."""
    m, pad = placer.m, placer.m.px(12)
    words, tick, meta_tall = placer.meta_size(placed, bubble)
    meta = words + tick + m.px(8)
    right = pad + wide + (m.px(4) if bubble.row.mine else 0)
    worded = [action for action in actions_of(bubble) if action not in ICONS]
    loud = [action for action in worded if not is_quiet(bubble, action)]
    links = [action for action in worded if is_quiet(bubble, action)]
    longest = bounds(_longest(bubble), wide, m.small)
    line = m.line(m.small, 16)
    lines = max(1, round(longest.height() / max(1.0, QFontMetricsF(m.small).height())))
    tall = max(longest.height(), lines * line)
    beside = not worded and lines == 1 and longest.width() + meta <= wide
    placed.state_box = QRectF(pad, y, wide - meta if beside else wide, tall)
    y = placed.state_box.bottom()
    if beside:
        placer.put_meta(placed, bubble, right, y)
        return y
    x = end = float(pad)
    for action in links:
        link = QFontMetricsF(m.small).horizontalAdvance(action_words(bubble, action)) + m.px(8)
        placed.buttons.append((QRectF(x - m.px(4), y + m.px(2), link, m.px(24)), action))
        x = end = x + link
    if links:
        y = placed.buttons[-1][0].bottom()
    if loud:
        y, end = _put_loud(placed, placer, bubble, loud, wide, y + m.px(8))
    if end + meta > pad + wide or not worded:
        y += meta_tall + m.px(4)
    placer.put_meta(placed, bubble, right, y)
    return y


def _put_loud(
    placed: Placed, placer: Placer, bubble: Bubble, actions: list[str], wide: float, y: float
) -> tuple[float, float]:
    """A row of buttons, or several: (their bottom, where the last one ends)."""
    m, pad = placer.m, placer.m.px(12)
    x, tall = float(pad), m.px(32)
    for action in actions:
        needs = QFontMetricsF(m.body).horizontalAdvance(action_words(bubble, action))
        needs += 2 * m.px(12)
        if x > pad and x + needs > pad + wide:
            x, y = float(pad), y + tall + m.px(8)
        placed.buttons.append((QRectF(x, y, needs, tall), action))
        x += needs + m.px(8)
    return y + tall, x - m.px(8)
