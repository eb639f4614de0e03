"""Draws the bubbles and knows what lies under the mouse. Peer text is only ever laid out as text.

Keeps two bounded caches, both cleared when the width, font or a setting changes: finished layouts
of what was drawn lately, and heights of everything that was measured.
"""

import html
from collections import OrderedDict
from dataclasses import dataclass

from chatnet_client.links import link_of
from chatnet_qt.bubble_layout import ACTION_WORDS, Fonts, Placed, place, room_for
from chatnet_qt.bubble_painter import BubblePainter, Looks
from chatnet_qt.models import BUBBLE_ROLE, Bubble, ConversationModel
from chatnet_qt.qt import (
    QAbstractItemView,
    QFont,
    QFontMetricsF,
    QHelpEvent,
    QModelIndex,
    QObject,
    QPainter,
    QPoint,
    QPointF,
    QSize,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
)
from chatnet_qt.theme import Colours, colours_of
from chatnet_qt.wording import STATE_SENTENCES, moment_words

MAX_LAYOUTS = 300
MAX_HEIGHTS = 4000


@dataclass(frozen=True)
class Hit:
    """What a point lies on: at most one of `action` and `link` is set."""

    action: str = ""
    link: str = ""
    on_bubble: bool = False


def key_of(bubble: Bubble) -> tuple[object, ...]:
    """Everything the size of a bubble depends on."""
    transfer = bubble.transfer
    return (
        bubble.row.id,
        bubble.row.ack if not bubble.row.mine else 0,
        bubble.row.failed,
        bubble.day,
        bubble.is_first_new,
        bubble.starts_group,
        bubble.ends_group,
        (transfer.state, transfer.by, transfer.reason, bool(transfer.path)) if transfer else None,
    )


class BubbleDelegate(QStyledItemDelegate):
    """Paints one conversation."""

    def __init__(self, model: ConversationModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._width = 0.0
        self._fonts: Fonts | None = None
        self._colours: Colours | None = None
        self._footers = True
        self._layouts: OrderedDict[tuple[object, ...], Placed] = OrderedDict()
        self._heights: dict[bytes, QSize] = {}
        self.hover: tuple[bytes, str] = (b"", "")
        self.ring = False
        """Whether the current message of the list in focus is framed."""
        self.found = ""
        """Words that are marked in texts."""

    def set_footers(self, on: bool) -> None:
        """Whether ACK number and source stand under the peer's messages."""
        self._footers = on
        self.forget()

    def forget(self) -> None:
        """The palette or the font is another one."""
        self._fonts = None
        self._colours = None
        self._layouts.clear()
        self._heights.clear()

    def set_width(self, width: float, font: QFont) -> bool:
        """Bubbles are laid out for this width from now on; true if heights may be other ones."""
        if width == self._width:
            return False
        em = QFontMetricsF(font).height()
        same_room = room_for(width, em) == room_for(self._width, em)
        self._width = width
        self._layouts.clear()
        if not same_room:
            self._heights.clear()
        return not same_room

    def placed(self, bubble: Bubble, font: QFont) -> Placed:
        """The layout of a bubble, from the cache if it is there."""
        key = key_of(bubble)
        found = self._layouts.get(key)
        if found is None:
            if self._fonts is None:
                self._fonts = Fonts.of(font)
            found = place(bubble, self._width, self._fonts, self._footers)
            self._layouts[key] = found
            if len(self._layouts) > MAX_LAYOUTS:
                self._layouts.popitem(last=False)
        else:
            self._layouts.move_to_end(key)
        return found

    def forget_heights(self) -> None:
        """All rows are other ones."""
        self._heights.clear()

    def forget_height(self, message_id: bytes) -> None:
        """One row is another one, or has other neighbours."""
        self._heights.pop(message_id, None)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Height for the current width. Asked for every row at every layout, so it is kept."""
        row = index.row()
        message_id = self._model.message(row).id
        size = self._heights.get(message_id)
        if size is None:
            if len(self._heights) >= MAX_HEIGHTS:
                self._heights.clear()
            size = QSize(10, round(self.placed(self._model.bubble(row), option.font).height))
            self._heights[message_id] = size
        return size

    def paint(
        self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Draw one message."""
        bubble = index.data(BUBBLE_ROLE)
        if painter is None or not isinstance(bubble, Bubble):
            return
        placed = self.placed(bubble, option.font)
        if self._colours is None:
            self._colours = colours_of(option.palette)
        assert self._fonts is not None
        painter.save()
        painter.translate(QPointF(option.rect.topLeft()))
        hovered = self.hover[1] if self.hover[0] == bubble.row.id else ""
        looks = Looks(
            hovered=hovered,
            selected=bool(option.state & QStyle.StateFlag.State_Selected),
            ring=self.ring and bool(option.state & QStyle.StateFlag.State_HasFocus),
            found=self.found,
        )
        BubblePainter(painter, self._colours, self._fonts, looks).paint(bubble, placed)
        painter.restore()

    def hit(self, bubble: Bubble, font: QFont, at: QPoint) -> Hit:
        """What lies at `at`, measured from the item's corner."""
        placed = self.placed(bubble, font)
        point = QPointF(at)
        for box, action in placed.buttons:
            if box.contains(point):
                return Hit(action=action, on_bubble=True)
        if placed.text is not None and placed.links:
            inside = point - QPointF(*placed.text_at)
            for number in range(placed.text.lineCount()):
                line = placed.text.lineAt(number)
                if line.naturalTextRect().contains(inside):
                    cursor = line.xToCursor(inside.x())
                    position = cursor[0] if isinstance(cursor, tuple) else cursor
                    for start, length, address in placed.links:
                        if start <= position < start + length:
                            return Hit(link=address, on_bubble=True)
        return Hit(on_bubble=placed.bubble.contains(point))

    def helpEvent(
        self,
        event: QHelpEvent | None,
        view: QAbstractItemView | None,
        option: QStyleOptionViewItem,
        index: QModelIndex,
    ) -> bool:
        """Say exactly what the state and the times are."""
        bubble = index.data(BUBBLE_ROLE)
        if event is None or view is None or not isinstance(bubble, Bubble):
            return False
        found = self.hit(bubble, option.font, event.pos() - option.rect.topLeft())
        words = tip_words(bubble, found) if found.on_bubble else ""
        QToolTip.showText(event.globalPos(), f"<span>{html.escape(words)}</span>" if words else "")
        return True


def tip_words(bubble: Bubble, found: Hit) -> str:
    """The tooltip of a bubble."""
    if found.link:
        return f"Opens after a question: {link_of(found.link).honest}"
    if found.action:
        return ACTION_WORDS[found.action]
    row = bubble.row
    times = f"Written {moment_words(row.sent_ms)}."
    if not row.mine:
        return f"{times} Arrived {moment_words(row.arrived_ms)} from {row.source}."
    if row.failed:
        return f"{times} Not sent: {row.failed}"
    state = STATE_SENTENCES.get(bubble.state, "")
    ack = f" ACK {row.ack}." if row.ack else ""
    return f"{bubble.state.capitalize()}: {state}{ack} {times}"
