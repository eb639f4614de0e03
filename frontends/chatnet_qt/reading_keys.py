"""Reading without a mouse: which keys move a conversation, and how far.

Owns no state. The pane hands over keys that come from anywhere in it, the list its own.
"""

import enum

from chatnet_qt.qt import QKeyEvent, QListView, Qt, present

LINES_KEPT = 2
"""Of the last page, on the next one."""


class Step(enum.Enum):
    """A way to go on reading."""

    PAGE_UP = "page-up"
    PAGE_DOWN = "page-down"
    FIRST = "first"
    NEWEST = "newest"


def step_of(event: QKeyEvent) -> Step | None:
    """What a key does wherever the focus is; keys that select text do nothing of the kind."""
    key, modifiers = event.key(), int(event.modifiers())
    modifiers &= ~int(Qt.KeyboardModifier.KeypadModifier)
    if modifiers == int(Qt.KeyboardModifier.NoModifier):
        pages = {Qt.Key.Key_PageUp: Step.PAGE_UP, Qt.Key.Key_PageDown: Step.PAGE_DOWN}
        return pages.get(Qt.Key(key))
    if modifiers == int(Qt.KeyboardModifier.ControlModifier):
        return step_in_list(key)
    return None


def step_in_list(key: int) -> Step | None:
    """What a key means where there is no text that it could move in."""
    return {Qt.Key.Key_Home: Step.FIRST, Qt.Key.Key_End: Step.NEWEST}.get(Qt.Key(key))


def page_px(view: QListView) -> int:
    """How far a page goes."""
    height = present(view.viewport()).height()
    return max(height // 2, height - LINES_KEPT * view.fontMetrics().lineSpacing())


def hidden_px(view: QListView, *, below: bool) -> int:
    """How much of the current row is beyond the lower or upper edge."""
    box = view.visualRect(view.currentIndex())
    return box.bottom() + 1 - present(view.viewport()).height() if below else -box.top()


def walk_within(view: QListView, *, down: bool) -> bool:
    """Scroll in the current row if it goes on in that direction; false when it does not."""
    hidden = hidden_px(view, below=down)
    if hidden <= 0:
        return False
    by = min(hidden, page_px(view))
    bar = present(view.verticalScrollBar())
    bar.setValue(bar.value() + (by if down else -by))
    return True


def bring_into_sight(view: QListView, *, down: bool) -> None:
    """Scroll as little as shows the current row; of one that does not fit, what comes first when
    one goes `down` or up."""
    above, below = hidden_px(view, below=False), hidden_px(view, below=True)
    if above <= 0 and below <= 0:
        return
    fits = view.visualRect(view.currentIndex()).height() <= present(view.viewport()).height()
    up = above > 0 if fits else down
    bar = present(view.verticalScrollBar())
    bar.setValue(bar.value() - above if up else bar.value() + below)
