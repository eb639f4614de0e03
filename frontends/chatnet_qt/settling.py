"""When the rows of a list get the height that they need: those in sight before they are painted,
the others after that, in slices of time shorter than a frame. Meanwhile a height is assumed."""

import time
from collections.abc import Callable, Iterable

from chatnet_qt.bubble_delegate import BubbleDelegate
from chatnet_qt.qt import QListView, QObject, QTimer

MAX_PASSES = 4
"""Layouts in one: lower rows bring further ones into sight, each time fewer."""
FEW = 8
"""New rows that are measured in the layout itself, wherever they stand: that takes less time than
another layout."""
MEASURING_S = 0.008
"""Of this thread's own time: half a frame at 60 Hz."""


class Settling(QObject):
    """For one list; `in_sight()`: the rows of which a part is on screen, as they were laid out."""

    def __init__(
        self, view: QListView, delegate: BubbleDelegate, in_sight: Callable[[], range]
    ) -> None:
        super().__init__(view)
        self._view = view
        self._delegate = delegate
        self._in_sight = in_sight
        self._moved = False
        """Whether rows were measured since the last layout, by which they would move."""
        self._passes = 0
        """Of the layout that is being made."""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._measure_some)

    @property
    def is_due(self) -> bool:
        """Whether what is in sight would look different after another layout."""
        return self._moved or bool(self._assumed_in_sight())

    def expect(self, count: int) -> None:
        """So many rows are other ones in the next layout."""
        self._delegate.budget = FEW if count <= FEW else 0

    def measure(self, rows: Iterable[int]) -> None:
        """Measure these for the next layout."""
        for row in rows:
            self._delegate.measure(row, self._view.font())

    def handle_layout(self) -> None:
        """Rows were laid out: those in sight whose height was assumed are measured, which makes
        another layout."""
        self._delegate.budget = 0
        self._moved = False
        if self._passes < MAX_PASSES and (assumed := self._assumed_in_sight()):
            self.measure(assumed)
            self._passes += 1
            self._view.scheduleDelayedItemsLayout()
            self._view.executeDelayedItemsLayout()  # comes here again
            self._passes -= 1

    def handle_paint(self) -> None:
        """What is in sight is on screen: there is time for the others."""
        if not self._timer.isActive() and self._delegate.unmeasured():
            self._timer.start()

    def _assumed_in_sight(self) -> list[int]:
        if not self._delegate.has_width:
            return []
        return [row for row in self._in_sight() if not self._delegate.is_measured(row)]

    def _measure_some(self) -> None:
        """Measure rows out of sight; when none is left, all move to where they belong."""
        until = time.thread_time() + MEASURING_S
        for row in self._delegate.unmeasured():
            self.measure([row])
            self._moved = True
            if time.thread_time() > until:
                self._timer.start()
                return
        self._view.scheduleDelayedItemsLayout()
