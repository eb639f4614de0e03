"""What an eye would find wrong with a window, by measuring: cut text and overlapping parts."""

from collections.abc import Iterator

from chatnet_qt.bubble_layout import Placed
from chatnet_qt.conversation_view import ConversationView
from chatnet_qt.labels import ElidedLabel
from chatnet_qt.qt import (
    QAbstractButton,
    QAbstractScrollArea,
    QCalendarWidget,
    QComboBox,
    QLabel,
    QLineEdit,
    QListView,
    QPlainTextEdit,
    QPoint,
    QRect,
    QRectF,
    Qt,
    QWidget,
    present,
)

SLACK_PX = 1.0
"""Edges may touch, and rounding may move each by half a pixel."""
FLOATS = "floats"
"""Property of a widget that is painted over its neighbours on purpose."""


def faults_of(window: QWidget) -> list[str]:
    """Everything wrong in a window that is on screen, as sentences."""
    found: list[str] = []
    for widget in shown_widgets(window):
        found += clipped(widget)
        found += overlapping(widget)
        found += nameless(widget)
        if isinstance(widget, ConversationView):
            found += wrong_bubbles(widget)
    return found


def shown_widgets(window: QWidget) -> list[QWidget]:
    """The window and all its visible children, dialogs conflicted."""
    inside = [child for child in window.findChildren(QWidget) if child.window() is window]
    return [window, *(child for child in inside if child.isVisibleTo(window))]


def words_on(widget: QWidget) -> str:
    """What is written on a widget, mnemonics without their mark."""
    if isinstance(widget, QLabel):
        return widget.text()
    if isinstance(widget, QAbstractButton) and widget.width() and not _is_icon(widget):
        return widget.text().replace("&", "")
    if isinstance(widget, QLineEdit):
        return widget.text() or widget.placeholderText()
    return ""


def _is_icon(widget: QAbstractButton) -> bool:
    return not widget.text()


def nameless(widget: QWidget) -> Iterator[str]:
    """A control that a screen reader could only call by its kind."""
    kinds = (QAbstractButton, QLineEdit, QComboBox, QPlainTextEdit, QListView)
    if not isinstance(widget, kinds) or widget.objectName().startswith("qt_"):
        return
    named = widget.accessibleName() or words_on(widget)
    if isinstance(widget.parent(), QComboBox | QCalendarWidget | QLineEdit) or named:
        return
    yield f"{_named(widget)} has no name"


def clipped(widget: QWidget) -> Iterator[str]:
    """Words that need more room than they have, and widgets that stick out of their parent."""
    words = words_on(widget)
    if not words or isinstance(widget, ElidedLabel):
        return
    need, room = widget.sizeHint(), widget.size()
    if isinstance(widget, QLineEdit):
        wide = widget.fontMetrics().horizontalAdvance(words)
        if wide > widget.contentsRect().width() and not widget.text():
            yield f"cut placeholder: {words!r} needs {wide}, has {widget.contentsRect().width()}"
    elif isinstance(widget, QLabel) and widget.wordWrap():
        tall = widget.heightForWidth(room.width())
        if tall > room.height() + SLACK_PX:
            yield f"cut text: {words!r} needs {tall} in height, has {room.height()}"
    elif need.width() > room.width() + SLACK_PX or need.height() > room.height() + SLACK_PX:
        yield f"cut text: {words!r} needs {_size(need)}, has {_size(room)}"
    yield from _cut_by_a_parent(widget, words)


def _size(size: object) -> str:
    return f"{size.width()}x{size.height()}"  # type: ignore[attr-defined]


def _cut_by_a_parent(widget: QWidget, words: str) -> Iterator[str]:
    inner, parent = widget, widget.parentWidget()
    while parent is not None and not inner.isWindow():
        corner = widget.mapTo(parent, QPoint(0, 0))
        area = QRect(corner, widget.size())
        scrolled = parent.parentWidget()
        if isinstance(scrolled, QAbstractScrollArea):
            never = scrolled.horizontalScrollBarPolicy() == Qt.ScrollBarPolicy.ScrollBarAlwaysOff
            if never and area.right() > parent.width() + SLACK_PX:
                yield f"wider than what scrolls it: {words!r} at {area} in {parent.rect()}"
            return  # what does not fit can be scrolled to
        if not parent.rect().adjusted(-1, -1, 1, 1).contains(area):
            yield f"cut off by {type(parent).__name__}: {words!r} at {area} in {parent.rect()}"
            return
        inner, parent = parent, parent.parentWidget()


def overlapping(parent: QWidget) -> Iterator[str]:
    """Children of one parent that cover each other, unless one of them floats."""
    children = [
        child
        for child in parent.children()
        if isinstance(child, QWidget)
        and child.isVisibleTo(parent)
        and not child.isWindow()
        and not child.property(FLOATS)
        and type(child).__name__ not in ("QSplitterHandle", "QSizeGrip")
    ]
    if isinstance(parent, QAbstractScrollArea | QLineEdit):
        return  # Qt puts its own parts over each other
    for number, one in enumerate(children):
        for other in children[number + 1 :]:
            shared = one.geometry().intersected(other.geometry())
            if shared.width() > SLACK_PX and shared.height() > SLACK_PX:
                yield f"overlap: {_named(one)} and {_named(other)} share {_size(shared)}"


def _named(widget: QWidget) -> str:
    words = widget.accessibleName() or words_on(widget)
    return f"{type(widget).__name__}({words[:40]!r})"


def wrong_bubbles(view: ConversationView) -> Iterator[str]:
    """Parts of a bubble that cover each other, or that lie outside of bubble or list."""
    for row in view.visible_rows():
        placed = view.placed(row)
        for problem in wrong_parts(placed, present(view.viewport()).width()):
            yield f"bubble {row}: {problem}"


def wrong_parts(placed: Placed, width: float) -> Iterator[str]:
    """The same for one layout in a list so wide."""
    inside, beside = placed.parts()
    for name, box in inside:
        if not _holds(placed.bubble, box):
            yield f"{name} {_box(box)} is outside of {_box(placed.bubble)}"
    for name, box in beside:
        if box.left() < -SLACK_PX or box.right() > width + SLACK_PX:
            yield f"{name} {_box(box)} is outside of the list, {width} wide"
    boxes = [*inside, *beside, *([] if not beside else [("bubble", placed.bubble)])]
    for number, (name, one) in enumerate(boxes):
        for other_name, other in boxes[number + 1 :]:
            if "bubble" in (name, other_name) and (name, one) in inside:
                continue
            shared = one.intersected(other)
            if shared.width() > SLACK_PX and shared.height() > SLACK_PX:
                yield f"{name} {_box(one)} covers {other_name} {_box(other)}"


def _holds(outer: QRectF, box: QRectF) -> bool:
    return outer.adjusted(-SLACK_PX, -SLACK_PX, SLACK_PX, SLACK_PX).contains(box)


def _box(box: QRectF) -> str:
    return f"({box.left():.0f}, {box.top():.0f}, {box.width():.0f} x {box.height():.0f})"
