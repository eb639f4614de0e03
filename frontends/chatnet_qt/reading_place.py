"""Where a person reads: what must not move on screen while rows, sizes and neighbours change.

Owns that place for one list. It hangs on the newest message only while that one is in memory, else
on a message and its distance from the upper edge of the window: a strip that appears above the list
then covers text and does not push it. A later window can be given the same place again.
"""

from collections.abc import Callable

from chatnet_protocol.ipc.rows import MessageRow
from chatnet_qt.models import ConversationModel
from chatnet_qt.qt import QListView, QPoint, QScrollBar, present

AT_END_PX = 4
INSIDE_X = 8
"""Rows are as wide as the list: any column finds them."""


class ReadingPlace:
    """The place in `view`, which shows `model`; `bubble_top(row)`: how far a row's bubble is below
    its upper edge. Day and "new messages" lines stand above it, and come and go."""

    def __init__(
        self, view: QListView, model: ConversationModel, bubble_top: Callable[[int], int]
    ) -> None:
        self._view = view
        self._model = model
        self._bubble_top = bubble_top
        self._row: MessageRow | None = None
        self._offset = 0
        self._awaited: tuple[bytes, int] | None = None
        """A kept place whose message is being read from the history."""

    @property
    def at_end(self) -> bool:
        """Whether the newest message is on screen, or will be after the next layout."""
        return self._row is None and self._awaited is None and self._model.at_tail

    @property
    def kept(self) -> tuple[bytes, int] | None:
        """A message and how far its bubble is below the upper edge of the window, in px; None: the
        newest message."""
        return (self._row.id, self._offset) if self._row is not None else self._awaited

    def go_back(self, kept: tuple[bytes, int]) -> None:
        """To a place that was `kept` by an earlier window, once its message is in memory. Scrolling
        in the meantime is a new place."""
        self._awaited = kept

        def take(row: MessageRow | None) -> None:
            if self._awaited != kept:
                return
            self._awaited = None
            if row is not None:
                self._row, self._offset = row, kept[1]
                self._model.hold(row)
            self._view.scheduleDelayedItemsLayout()

        self._model.bring(kept[0], take)

    def follow_end(self) -> None:
        """The newest message from now on."""
        self._row = self._awaited = None
        self._model.hold(None)

    def hold(self, row: int) -> None:
        """The message at `row` stays where it is now."""
        self._row, self._awaited = self._model.message(row), None
        self._offset = self._top(row) + self._origin()
        self._model.hold(self._row)

    def hold_here(self, row: int) -> None:
        """The message at `row`, which has been scrolled to; the end, if that is in sight."""
        self.remember()
        if self._row is not None:
            self.hold(row)

    def remember(self) -> None:
        """What is at the top of the list now stays there; the end, if that is in sight."""
        bar = self._bar()
        if self._model.at_tail and bar.value() >= bar.maximum() - AT_END_PX:
            self.follow_end()
            return
        index = self._view.indexAt(QPoint(INSIDE_X, 1))
        if index.isValid():
            self.hold(index.row())

    def restore(self) -> None:
        """Scroll to it, after a layout."""
        bar = self._bar()
        if self._awaited is not None:
            bar.setValue(bar.maximum())
        elif self._model.at_tail and (bar.maximum() == 0 or self._row is None):
            self.follow_end()
            bar.setValue(bar.maximum())
        elif self._row is not None:
            row = self._model.row_of(self._row.id)
            if row >= 0:
                bar.setValue(bar.value() + self._top(row) + self._origin() - self._offset)

    def _top(self, row: int) -> int:
        return self._view.visualRect(self._model.index(row)).top() + self._bubble_top(row)

    def _origin(self) -> int:
        """How far the list is below the upper edge of the window."""
        return present(self._view.viewport()).mapTo(present(self._view.window()), QPoint(0, 0)).y()

    def _bar(self) -> QScrollBar:
        return present(self._view.verticalScrollBar())
