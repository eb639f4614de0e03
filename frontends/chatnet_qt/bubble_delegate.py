"""Draws the bubbles and knows what lies under the mouse. Peer text is only ever laid out as text.

Keeps two bounded caches, both cleared when the font or a setting changes: finished layouts of what
was drawn lately, for one width, and heights of everything that was measured.
"""

from collections import OrderedDict

from msgspec import Struct

from chatnet_client.links import link_of
from chatnet_client.words.states import state_sentence
from chatnet_protocol.ipc.rows import MessageKind, TransferRow
from chatnet_qt.bubble import Bubble
from chatnet_qt.bubble_actions import action_words
from chatnet_qt.bubble_layout import Numbers, Placed, PlacedBlock, column_of
from chatnet_qt.bubble_painter import BubblePainter, Looks
from chatnet_qt.card_layout import place
from chatnet_qt.heights import Heights
from chatnet_qt.models import BUBBLE_ROLE, ConversationModel
from chatnet_qt.qt import (
    QAbstractItemView,
    QFont,
    QHelpEvent,
    QModelIndex,
    QObject,
    QPainter,
    QPixmap,
    QPoint,
    QPointF,
    QSize,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
)
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import Colours, Measures, measures_of
from chatnet_qt.wording import moment_words, not_sent_words

MAX_LAYOUTS = 300
CARD_LINES = 3
"""Of text, as tall as an offer."""


class Hit(Struct, frozen=True):
    """What a point lies on: at most one of `action` and `link` is set."""

    action: str = ""
    link: str = ""
    on_bubble: bool = False
    position: int = -1
    """In the text, in Qt's positions; -1: not on text."""


def key_of(bubble: Bubble) -> tuple[object, ...]:
    """Everything the size of a bubble depends on."""
    transfer = bubble.transfer
    return (
        bubble.row.id,
        bubble.row.ack if not bubble.row.mine else bool(bubble.row.ack),
        bubble.row.failed,
        bubble.day,
        bubble.is_first_new,
        bubble.starts_group,
        bubble.ends_group,
        bubble.is_last,
        bubble.state if bubble.is_last_own else "",
        bubble.picture,
        bubble.quote,
        bubble.free_px,
        _of_transfer(transfer) if transfer else None,
    )


def _of_transfer(row: TransferRow) -> tuple[object, ...]:
    why = (row.reason.code, *row.reason.params) if row.reason else ()
    return row.state, row.by, why, bool(row.path)


class BubbleDelegate(QStyledItemDelegate):
    """Paints one conversation."""

    def __init__(self, model: ConversationModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._width = 0.0
        self._measures: Measures | None = None
        self._colours: Colours | None = None
        self._numbers = Numbers.ALWAYS
        self._layouts: OrderedDict[tuple[object, ...], Placed] = OrderedDict()
        self._heights = Heights()
        self.budget = 0
        """So many rows may be measured by the layout that comes next."""
        self.hover: tuple[bytes, str] = (b"", "")
        """The message under the mouse, and the action."""
        self.chosen: tuple[bytes, int, int] | None = None
        """The message of which a part is selected, and that part."""
        self.ring = False
        """Whether the current message of the list in focus is framed."""
        self.found = ""
        """Words that are marked in texts."""
        self.hit_id = b""
        """The message that a search is at: it is framed."""

    def set_numbers(self, when: Numbers) -> None:
        """When ACK number and source stand beside messages."""
        self._numbers = when
        self.forget()

    def forget(self) -> None:
        """The palette or the font is another one."""
        self._measures = None
        self._colours = None
        self._layouts.clear()
        self._heights.outdate_all()

    def set_width(self, width: float, font: QFont) -> bool:
        """Bubbles are laid out for this width from now on; true if heights may be other ones."""
        if width == self._width:
            return False
        m = measures_of(font)
        same = column_of(width, m)[1] == column_of(self._width, m)[1]
        self._width = width
        self._layouts.clear()
        if not same:
            self._heights.outdate_all()
        return not same

    def placed(self, bubble: Bubble, font: QFont) -> Placed:
        """The layout of a bubble, from the cache if it is there."""
        key = key_of(bubble)
        found = self._layouts.get(key)
        if found is None:
            if self._measures is None:
                self._measures = measures_of(font)
            found = place(bubble, self._width, self._measures, self._numbers)
            self._layouts[key] = found
            if len(self._layouts) > MAX_LAYOUTS:
                self._layouts.popitem(last=False)
        else:
            self._layouts.move_to_end(key)
        return found

    @property
    def has_width(self) -> bool:
        """Whether the list was shown: nothing can be measured earlier."""
        return self._width > 0

    def forget_heights(self) -> None:
        """All rows are other ones."""
        self._heights.clear()

    def outdate_height(self, row: int) -> None:
        """One row is another one, or has other neighbours."""
        self._heights.outdate(self._model.message(row).id)

    def is_measured(self, row: int) -> bool:
        """Whether the height of this row is the right one at the present width."""
        return self._heights.is_measured(self._model.message(row).id)

    def unmeasured(self) -> list[int]:
        """Rows whose height is assumed; none before the width is known."""
        if not self.has_width or not self._heights.any_assumed:  # asked with every paint
            return []
        return [row for row in range(self._model.rowCount()) if not self.is_measured(row)]

    def measure(self, row: int, font: QFont) -> QSize:
        """The height at the present width, from now on."""
        size = QSize(10, round(self.placed(self._model.bubble(row), font).height))
        self._heights.put(self._model.message(row).id, size)
        return size

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """The best height that is known. Asked for every row at every layout: no more than
        `budget` bubbles are laid out for it."""
        row = self._model.message(index.row())
        if self.budget and self.has_width and not self._heights.is_measured(row.id):
            self.budget -= 1
            return self.measure(index.row(), option.font)
        size = self._heights.get(row.id)
        if size is not None:
            return size
        is_text = row.kind == MessageKind.TEXT
        breaks = row.body.count(b"\n") if is_text else CARD_LINES
        return self._heights.guess(row.id, len(row.body) if is_text else 0, breaks)

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
        m = measures_of(option.font)
        painter.save()
        painter.translate(QPointF(option.rect.topLeft()))
        message_id = bubble.row.id
        under = self.hover[0] == message_id
        chosen = self.chosen
        picture = self._model.pictures.pixmap(message_id) if bubble.picture else None
        looks = Looks(
            hovered=self.hover[1] if under else "",
            under_mouse=under,
            selected=bool(option.state & QStyle.StateFlag.State_Selected) and not chosen,
            ring=(self.ring and bool(option.state & QStyle.StateFlag.State_HasFocus))
            or message_id == self.hit_id,
            found=self.found,
            chosen=chosen[1:] if chosen and chosen[0] == message_id else None,
            picture=picture if isinstance(picture, QPixmap) else None,
        )
        BubblePainter(painter, self._colours, m, looks).paint(bubble, placed)
        painter.restore()

    def hit(self, bubble: Bubble, font: QFont, at: QPoint) -> Hit:
        """What lies at `at`, measured from the item's corner."""
        placed = self.placed(bubble, font)
        point = QPointF(at)
        for box, action in (*placed.buttons, *placed.below):
            if box.contains(point):
                return Hit(action=action, on_bubble=True)
        if placed.quote_box is not None and placed.quote_box.contains(point):
            here = bubble.quote is not None and bubble.quote.author
            return Hit(action="answered" if here else "", on_bubble=True)
        if placed.picture_box is not None and placed.picture_box.contains(point):
            return Hit(action="view", on_bubble=True)
        for block in placed.blocks:
            position = position_in(block, point, exact=True)
            if position < 0:
                continue
            for start, length, address in block.links:
                if start <= position < start + length:
                    return Hit(link=address, on_bubble=True, position=block.start + position)
            return Hit(on_bubble=True, position=block.start + position)
        return Hit(on_bubble=placed.bubble.contains(point))

    def position_near(self, bubble: Bubble, font: QFont, at: QPoint) -> int:
        """The position in a text that is nearest to `at`; -1 where there is no text."""
        placed, point = self.placed(bubble, font), QPointF(at)
        best = -1
        for block in placed.blocks:
            box = block.layout.boundingRect().translated(block.at)
            if best < 0 or point.y() >= box.top():
                best = block.start + position_in(block, point, exact=False)
        return best

    def text_of(self, bubble: Bubble, font: QFont) -> str:
        """What is shown of a text, as positions count it."""
        blocks = self.placed(bubble, font).blocks
        return "\n".join(b.layout.text().replace("\N{LINE SEPARATOR}", "\n") for b in blocks)

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
        import html  # its tables of entities are large, and the first paint needs none

        QToolTip.showText(event.globalPos(), f"<span>{html.escape(words)}</span>" if words else "")
        return True


def position_in(block: PlacedBlock, point: QPointF, *, exact: bool) -> int:
    """The position in a block under a point; if not `exact`, the nearest one."""
    inside = point - block.at
    nearest = 0
    for number in range(block.layout.lineCount()):
        line = block.layout.lineAt(number)
        box = line.naturalTextRect()
        over = box.adjusted(0, -3, 0, 3).contains(inside) if exact else inside.y() >= line.y()
        if not over and not (number == 0 and not exact):
            continue
        cursor = line.xToCursor(inside.x())
        nearest = cursor[0] if isinstance(cursor, tuple) else int(cursor)
        if exact:
            return nearest
    return -1 if exact else nearest


def tip_words(bubble: Bubble, found: Hit) -> str:
    """The tooltip of a bubble."""
    if found.link:
        return f"Opens after a question: {link_of(found.link).honest}"
    if found.action:
        return "View the picture" if found.action == "view" else action_words(bubble, found.action)
    row = bubble.row
    times = f"Written {moment_words(row.sent_ms)}."
    if not row.mine:
        arrived = f"{times} Arrived {moment_words(row.arrived_ms)} from {row.source}."
        return f"{arrived} ACK {row.ack}." if row.ack else arrived
    if row.failed:
        return f"{times} {not_sent_words(row)}"
    ack = f" ACK {row.ack}." if row.ack else ""
    return f"{state_sentence(bubble.state, bubble.peer_name)}.{ack} {times}"
