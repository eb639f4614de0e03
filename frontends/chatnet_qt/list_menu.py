"""Where the menu of a row belongs, whether it was asked for by mouse or by key."""

from chatnet_qt.qt import QContextMenuEvent, QListView, QPoint, present


def menu_place(view: QListView, event: QContextMenuEvent) -> tuple[int, QPoint]:
    """(row, place on the screen); row -1: on no row."""
    if event.reason() == QContextMenuEvent.Reason.Keyboard:
        index = view.currentIndex()
        return index.row(), present(view.viewport()).mapToGlobal(view.visualRect(index).center())
    return view.indexAt(event.pos()).row(), event.globalPos()
