"""Where everything in the bubble of a text goes: paragraphs, code, emoji alone. Pure geometry."""

from chatnet_client.links import links_in
from chatnet_qt.bubble import Bubble
from chatnet_qt.bubble_actions import ACTION_WORDS, SHOW_ALL
from chatnet_qt.bubble_layout import Placed, PlacedBlock, Placer, lay_lines, wrapping
from chatnet_qt.message_text import Block, blocks_of, emoji_in, is_emoji_alone
from chatnet_qt.qt import QFont, QFontMetricsF, QPointF, QRectF, Qt, QTextLayout
from chatnet_qt.tokens import Measures
from chatnet_qt.wording import cut_text, utf16_span


def place_text(placer: Placer, bubble: Bubble) -> Placed:
    """Lay out a text."""
    m = placer.m
    placed, top = placer.begin(bubble)
    text, was_cut = cut_text(bubble.text)
    if not was_cut and bubble.quote is None and is_emoji_alone(text):
        _place_emoji(placer, placed, bubble, text, top)
        return placed
    pad_x, inner = m.px(12), placer.space - 2 * m.px(12)
    blocks = blocks_of(text + (" …" if was_cut else ""))
    widest, last, start = _place_quote(m, placed, bubble, inner), 0.0, 0
    y = placed.quote_box.bottom() + m.px(4) if placed.quote_box is not None else float(m.px(8))
    from_right = False
    for block in blocks:
        made, wide, last, y = _place_block(m, block, inner, y, start)
        placed.blocks.append(made)
        widest = max(widest, wide)
        start += _length(block.text) + 1
        from_right = from_right or _starts_right_to_left(made.layout)
    sizes = placer.meta_size(placed, bubble)
    meta_wide = sizes[0] + sizes[1] - (m.px(4) if bubble.row.mine else 0)
    if from_right:
        last = widest
    gap = m.px(12)
    fits = not was_cut and not blocks[-1].is_code and last + gap + meta_wide <= inner
    bottom = y
    if fits:
        wide = max(widest, last + gap + meta_wide)
        meta_bottom = y - (m.line(m.body, 20) - sizes[2]) / 2
    else:
        wide = max(widest, min(meta_wide, inner))
        if was_cut:
            tall = put_buttons(placed, [SHOW_ALL], pad_x, y + m.px(4), inner, m)
            bottom = y + m.px(4) + tall + m.px(4)
        bottom += sizes[2]
        meta_bottom = bottom
    box_wide = wide + 2 * pad_x
    for made in placed.blocks:
        if from_right:
            lay_lines(made.layout, widest if fits else wide, m.line(m.body, 20))
        if made.ground is not None:
            made.ground.setWidth(box_wide - 2 * m.px(8))
    if placed.quote_box is not None:
        placed.quote_box.setWidth(box_wide - 2 * m.px(8))
    placer.put_meta(placed, bubble, box_wide - m.px(8 if bubble.row.mine else 12), meta_bottom)
    placer.finish(placed, bubble, top, box_wide, bottom + m.px(8))
    return placed


def _place_quote(m: Measures, placed: Placed, bubble: Bubble, inner: float) -> float:
    """Room for the message that is answered, two lines high whatever it says; its width."""
    quote = bubble.quote
    if quote is None:
        return 0.0
    tall = m.line(m.micro_bold, 16) + m.line(m.small, 16) + 2 * m.px(4)
    placed.quote_box = QRectF(m.px(8), m.px(8), inner, tall)
    author = QFontMetricsF(m.micro_bold).horizontalAdvance(quote.author)
    wide = max(author, QFontMetricsF(m.small).horizontalAdvance(quote.text))
    return min(inner, wide + 1 + m.px(12) + m.px(8) - 2 * m.px(4))


def _length(text: str) -> int:
    """As Qt counts."""
    return utf16_span(text, 0, len(text))[1]


def _place_block(
    m: Measures, block: Block, inner: float, y: float, start: int
) -> tuple[PlacedBlock, float, float, float]:
    """(the block, its widest line, its last line, where the next one begins)."""
    font = m.code if block.is_code else m.body
    layout = QTextLayout(block.text.replace("\n", "\N{LINE SEPARATOR}"), font)
    option = wrapping()
    option.setTextDirection(Qt.LayoutDirection.LayoutDirectionAuto)
    option.setTabStopDistance(4 * QFontMetricsF(font).horizontalAdvance(" ") + 4)
    layout.setTextOption(option)
    step = m.line(font, 20)
    codes = tuple(utf16_span(block.text, at, length) for at, length in block.codes)
    emoji = tuple(utf16_span(block.text, at, length) for at, length in emoji_in(block.text))
    if codes or emoji:
        layout.setFormats([*_formats(codes, m.code), *_formats(emoji, m.emoji_body)])
    if block.is_code:
        around = m.px(8)
        widest, last, height = lay_lines(layout, inner - around, step)
        ground = QRectF(m.px(8), y + m.px(4), 0, height + 2 * m.px(8))
        made = PlacedBlock(layout, QPointF(m.px(20), ground.top() + m.px(8)), start, ground)
        return made, widest + 2 * around, last, ground.bottom() + m.px(4)
    widest, last, height = lay_lines(layout, inner, step)
    made = PlacedBlock(layout, QPointF(m.px(12), y), start, codes=codes)
    made.links = [
        (*utf16_span(block.text, link.start, link.length), link.address)
        for link in links_in(block.text)
    ]
    return made, widest, last, y + height


def _formats(spans: tuple[tuple[int, int], ...], font: QFont) -> list[QTextLayout.FormatRange]:
    formats = []
    for start, length in spans:
        made = QTextLayout.FormatRange()
        made.start, made.length = start, length
        ink = made.format
        ink.setFont(font)
        made.format = ink
        formats.append(made)
    return formats


def _place_emoji(placer: Placer, placed: Placed, bubble: Bubble, text: str, top: float) -> None:
    m = placer.m
    layout = QTextLayout(text.strip(), m.emoji)
    layout.setTextOption(wrapping())
    widest, _, height = lay_lines(layout, placer.space, m.px(44))
    words, tick, tall = placer.meta_size(placed, bubble)
    own, gap = bubble.row.mine, m.px(8)
    meta = words + tick
    placed.bare = True
    at = QPointF(meta + gap if own else 0, 0)
    placed.blocks = [PlacedBlock(layout, at, 0)]
    right = meta if own else widest + gap + meta
    placer.put_meta(placed, bubble, right, height - m.px(4))
    placer.finish(placed, bubble, top, widest + gap + meta, max(height, tall))


def _starts_right_to_left(layout: QTextLayout) -> bool:
    return any(
        layout.lineAt(number).naturalTextRect().left() > 1 for number in range(layout.lineCount())
    )


def put_buttons(
    placed: Placed, actions: list[str], left: float, top: float, space: float, m: Measures
) -> float:
    """A row of buttons that breaks into a second where the bubble is narrow; their height."""
    metrics = QFontMetricsF(m.body)
    x, y, tall = left, top, m.px(32)
    for action in actions:
        wide = metrics.horizontalAdvance(ACTION_WORDS[action]) + 2 * m.px(12)
        if x > left and x + wide > left + space:
            x, y = left, y + tall + m.px(8)
        placed.buttons.append((QRectF(x, y, wide, tall), action))
        x += wide + m.px(8)
    return y + tall - top
