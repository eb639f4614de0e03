"""Paints the message that another answers: a stripe, who wrote it, how it begins."""

from chatnet_qt.bubble import Quote
from chatnet_qt.qt import QBrush, QColor, QFont, QFontMetricsF, QPainter, QRectF, Qt
from chatnet_qt.tokens import Colours, Measures

FLAGS = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


def paint_quote(
    painter: QPainter, box: QRectF, quote: Quote, own: bool, colours: Colours, m: Measures
) -> None:
    """Draw `quote` in `box`, in a bubble of ours or the peer's."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QBrush(colours.own_code if own else colours.peer_code))
    painter.drawRoundedRect(box, m.px(6), m.px(6))
    stripe = box.adjusted(0, m.px(4), 0, -m.px(4))
    stripe.setWidth(m.px(4))
    painter.setBrush(QBrush(colours.accent if quote.author else colours.text_3))
    painter.drawRoundedRect(stripe, m.px(2), m.px(2))
    line = box.adjusted(m.px(12), m.px(4), -m.px(8), -m.px(4))
    quiet = colours.own_2 if own else colours.peer_2
    if quote.author:
        upper = QRectF(line)
        upper.setHeight(m.line(m.micro_bold, 16))
        _elided(painter, upper, quote.author, colours.link, m.micro_bold)
        line.setTop(upper.bottom())
    _elided(painter, line, quote.text, colours.text if quote.author else quiet, m.small)


def _elided(painter: QPainter, box: QRectF, words: str, colour: QColor, font: QFont) -> None:
    """Plain text in one line: QPainter knows no markup."""
    shown = QFontMetricsF(font).elidedText(words, Qt.TextElideMode.ElideRight, box.width() + 1)
    painter.setFont(font)
    painter.setPen(colour)
    painter.drawText(box, FLAGS, shown)
