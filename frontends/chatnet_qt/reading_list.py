"""A list of bubbles that is read: it keeps its place while rows come and go, fetches pages,
reports what is seen, and is walked through by keyboard."""

from chatnet_protocol.ipc.rows import LinkState, Trust
from chatnet_qt.bubble_delegate import BubbleDelegate
from chatnet_qt.bubble_layout import Numbers, Placed
from chatnet_qt.models import ConversationModel
from chatnet_qt.pager import Then, nothing
from chatnet_qt.qt import (
    QAbstractItemView,
    QEvent,
    QFocusEvent,
    QFrame,
    QKeyEvent,
    QListView,
    QModelIndex,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPoint,
    QResizeEvent,
    Qt,
    QTimer,
    QWidget,
    present,
    pyqtSignal,
)
from chatnet_qt.reading_keys import (
    Step,
    bring_into_sight,
    page_px,
    step_in_list,
    step_of,
    walk_within,
)
from chatnet_qt.reading_place import ReadingPlace
from chatnet_qt.settling import Settling
from chatnet_qt.theme import colours_of, scroll_bar_style
from chatnet_qt.wording import peer_name

OLDER_WITHIN_PX = 300
"""Nearer than this to the top, the page before is asked for."""
SETTLE_MS = 60
"""What is seen is reported after this much quiet."""
NOT_ACCEPTED = "You can write to {name} after you accept."
NOTHING_YET = "No messages yet. Anything you write now is sent as soon as {name} is online."
NOTHING_YET_LINKED = "No messages yet. {name} is connected."
IS_BLOCKED = "{name} is blocked."
MAX_TRIES = 4
"""To scroll to a row: by each try fewer rows come into sight that turn out otherwise."""


class ReadingList(QListView):
    """Signals: `seen` what is on screen may be other rows; `scrolled` it was moved by the reader;
    `typed(key event)` a key that belongs into the composer; `left` back to the composer."""

    seen = pyqtSignal()
    scrolled = pyqtSignal()
    typed = pyqtSignal(object)
    left = pyqtSignal()

    def __init__(self, model: ConversationModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._delegate = BubbleDelegate(model, self)
        self._settling = Settling(self, self._delegate, self._rows_in_sight)
        self.place = ReadingPlace(self, model, self._bubble_top)
        self._restoring = False
        self._scrolling = False
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self.report_now)
        self.setItemDelegate(self._delegate)
        self.setAccessibleName("Conversation")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAutoScroll(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setModel(model)
        model.rowsInserted.connect(self._on_rows_moved)
        model.rowsRemoved.connect(self._on_rows_moved)
        model.dataChanged.connect(self._on_data_changed)
        model.modelReset.connect(self._delegate.forget_heights)
        model.restated.connect(self._repaint)
        bar = present(self.verticalScrollBar())
        bar.valueChanged.connect(self._on_scrolled)
        bar.rangeChanged.connect(lambda _low, high: bar.setEnabled(high > 0))
        bar.setEnabled(False)
        self._style_canvas()

    # --- place ---

    @property
    def at_end(self) -> bool:
        """Whether the newest message is on screen, or will be after the next layout."""
        return self.place.at_end

    def go_to_end(self) -> None:
        """Show the newest message."""
        self._model.show_tail()
        self.place.follow_end()
        self._lay_out()

    def go_to_start(self, then: Then = nothing) -> None:
        """Show the first message of all."""

        def show() -> None:
            self.go_to_row(0)
            then()

        self._model.show_first(show)

    def read(self, step: Step) -> None:
        """Go on reading; nothing is selected by that."""
        bar = present(self.verticalScrollBar())
        match step:
            case Step.PAGE_UP:
                bar.setValue(bar.value() - page_px(self))
            case Step.PAGE_DOWN:
                bar.setValue(bar.value() + page_px(self))
            case Step.FIRST:
                self.go_to_start()
            case Step.NEWEST:
                self.go_to_end()

    def mark_found(self, words: str) -> None:
        """Mark these words wherever they stand; empty: none."""
        self._delegate.found = words
        self._repaint()

    def go_to(self, message_id: bytes) -> None:
        """Show a message that is in memory in the middle, and select it."""
        row = self._model.row_of(message_id)
        if row < 0:
            return
        self._settling.measure([row])
        self._lay_out()
        index = self._model.index(row)
        self.setCurrentIndex(index)
        hint = QAbstractItemView.ScrollHint
        fits = self.visualRect(index).height() < present(self.viewport()).height()
        self._bring(index, hint.PositionAtCenter if fits else hint.PositionAtTop)
        self.place.hold_here(row)

    def go_to_row(self, row: int) -> None:
        """Put a row near the top, below what lies over that."""
        if row >= 0:
            self.executeDelayedItemsLayout()
            self._bring(self._model.index(row), QAbstractItemView.ScrollHint.PositionAtTop)
            bar = present(self.verticalScrollBar())
            bar.setValue(bar.value() - self._model.free_px if row else 0)
            self.place.remember()

    def visible_rows(self) -> range:
        """Rows of which a part is on screen."""
        self.executeDelayedItemsLayout()
        return self._rows_in_sight()

    def _rows_in_sight(self) -> range:
        height = present(self.viewport()).height()
        first, last = self.indexAt(QPoint(8, 1)), self.indexAt(QPoint(8, height - 1))
        if not first.isValid():
            return range(0)
        return range(
            first.row(), (last.row() if last.isValid() else self._model.rowCount() - 1) + 1
        )

    def whole_rows(self) -> list[int]:
        """Rows that are on screen as a whole; those of which a part is, if there is none."""
        visible = list(self.visible_rows())
        area = present(self.viewport()).rect()
        return [
            row for row in visible if area.contains(self.visualRect(self._model.index(row)))
        ] or visible

    def set_numbers(self, when: Numbers) -> None:
        """When ACK number and source stand beside messages."""
        self._delegate.set_numbers(when)
        self._lay_out()

    def relay(self) -> None:
        """All bubbles may be of other sizes."""
        self._delegate.forget()
        self._lay_out()

    def updateGeometries(self) -> None:
        """Qt's last step of every layout: what must not move goes back to where it was."""
        if self._restoring:
            return
        self._restoring = True
        super().updateGeometries()
        if not self._scrolling:
            self.place.restore()
        self._restoring = False
        self._settling.handle_layout()
        self._settle.start()

    def _lay_out(self) -> None:
        """Put every row in its place anew: now, or before it is shown, whose width is not known
        earlier."""
        self.scheduleDelayedItemsLayout()
        if self.isVisible():
            self.executeDelayedItemsLayout()

    def _bring(self, index: QModelIndex, hint: QAbstractItemView.ScrollHint) -> None:
        """Scroll to a row, again while rows that came into sight by that turn out otherwise."""
        bar = present(self.verticalScrollBar())
        for _ in range(MAX_TRIES):
            before = bar.value()
            self.scrollTo(index, hint)
            if bar.value() == before:
                return

    def placed(self, row: int) -> Placed:
        """How the bubble at `row` is laid out."""
        return self._delegate.placed(self._model.bubble(row), self.font())

    def _bubble_top(self, row: int) -> int:
        return round(self.placed(row).bubble.top())

    def _on_rows_moved(self, _parent: QModelIndex, first: int, last: int) -> None:
        """New neighbours change groups and day separators, and with them heights."""
        count = self._model.rowCount()
        self._settling.expect(last - first + 1)
        for row in range(max(0, first - 1), min(count, last + 2)):
            self._delegate.outdate_height(row)

    def _on_data_changed(self, first: QModelIndex, last: QModelIndex) -> None:
        self._settling.expect(last.row() - first.row() + 1)
        for row in range(first.row(), last.row() + 1):
            self._delegate.outdate_height(row)
        self.scheduleDelayedItemsLayout()

    def _on_scrolled(self) -> None:
        if not self._restoring:
            self._scrolling = True  # a layout that was waiting does not take the list back
            self.place.remember()
            self._scrolling = False
            if self._settling.is_due:
                self._lay_out()
            self.scrolled.emit()
        self._settle.start()

    def report_now(self) -> None:
        """Ask for pages that are near, and say that other rows may be on screen."""
        self.executeDelayedItemsLayout()
        self._settle.stop()
        bar = present(self.verticalScrollBar())
        if bar.value() < OLDER_WITHIN_PX:
            self._model.fetch_older()
        if bar.value() > bar.maximum() - OLDER_WITHIN_PX:
            self._model.fetch_newer()
        self.seen.emit()

    def _repaint(self) -> None:
        present(self.viewport()).update()

    def _style_canvas(self) -> None:
        colours = colours_of(self.palette())
        present(self.viewport()).setAutoFillBackground(True)
        inner = present(self.viewport()).palette()
        inner.setColor(inner.Base, colours.canvas)
        present(self.viewport()).setPalette(inner)
        bar = present(self.verticalScrollBar())
        if bar.styleSheet() != (style := scroll_bar_style(self.palette())):
            bar.setStyleSheet(style)

    # --- Qt's events ---

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """A new width lays out anew: what is in sight now, the rest soon. The place stays."""
        in_sight = self.visible_rows()
        if self._delegate.set_width(present(self.viewport()).width(), self.font()):
            self._settling.measure(in_sight)
            self._lay_out()
        super().resizeEvent(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The canvas and the bubbles, or a word where there are none yet."""
        if event is not None:
            ground = QPainter(self.viewport())
            ground.fillRect(event.rect(), colours_of(self.palette()).canvas)
            ground.end()
        super().paintEvent(event)
        self._settling.handle_paint()
        if self._model.rowCount() == 0:
            painter = QPainter(self.viewport())
            painter.setPen(colours_of(self.palette()).text_2)
            area = present(self.viewport()).rect().adjusted(30, 30, -30, -30)
            flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
            peer = self._model.peer()
            name = peer_name(peer.info) if peer else "the other side"
            waits = peer is not None and peer.info.trust == Trust.PENDING
            words = NOT_ACCEPTED if waits else NOTHING_YET
            if peer is not None and peer.link.state == LinkState.UP:
                words = NOTHING_YET_LINKED
            if peer is not None and peer.info.blocked:
                words = IS_BLOCKED
            painter.drawText(area, flags, words.format(name=name))

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the theme and the font."""
        super().changeEvent(event)
        kinds = (QEvent.Type.PaletteChange, QEvent.Type.FontChange, QEvent.Type.StyleChange)
        if event is not None and event.type() in kinds:
            self._delegate.forget()
            self._style_canvas()
            self._lay_out()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Arrows, pages and ends read on; letters go to the composer."""
        if event is None:
            return
        self._by_keyboard(True)
        step = step_of(event) or step_in_list(event.key())
        if step is not None:
            self._read_here(step)
        elif event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._walk(event, down=event.key() == Qt.Key.Key_Down)
        elif event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        elif event.text().isprintable() and event.text():
            self.typed.emit(event)
        else:
            super().keyPressEvent(event)

    def _read_here(self, step: Step) -> None:
        """Read on, with the current row along."""
        if step is Step.FIRST:
            self.go_to_start(lambda: self._choose(0))
            return
        self.read(step)
        rows = self.whole_rows()
        if rows:
            self._choose(rows[0] if step is Step.PAGE_UP else rows[-1])

    def _walk(self, event: QKeyEvent, *, down: bool) -> None:
        """To the next message, beginning with what is in sight."""
        if self.currentIndex().row() not in self.visible_rows():
            self._enter()
        elif not walk_within(self, down=down):
            super().keyPressEvent(event)
            bring_into_sight(self, down=down)

    def _enter(self) -> None:
        """Begin at the newest message in sight."""
        rows = self.whole_rows()
        if rows:
            self._choose(rows[-1])

    def _choose(self, row: int) -> None:
        self.setCurrentIndex(self._model.index(row))

    def _by_keyboard(self, on: bool) -> None:
        """Whether the current message is drawn as the one that keys act on."""
        if self._delegate.ring != on:
            self._delegate.ring = on
            self._repaint()

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        """By key: begin with what is in sight, at the message that one was at if it is there."""
        by_key = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        if event is not None and event.reason() in by_key:
            self._by_keyboard(True)
            if self.currentIndex().row() not in self.visible_rows():
                self._enter()
        super().focusInEvent(event)
        # Qt reports the list, which has no state of its own for a reader, after this event.
        QTimer.singleShot(0, self._report_current)

    def _report_current(self) -> None:
        """To a screen reader: the focus is on a message."""
        if self.hasFocus():
            self.currentChanged(self.currentIndex(), QModelIndex())

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """The mouse needs no frame to show where it is."""
        self._by_keyboard(False)
        super().mousePressEvent(event)
