"""The window as people start it, until messages are painted: `paint_program FILE BEGAN`,
the file being a connection.json.

Prints milliseconds since BEGAN (CLOCK_MONOTONIC) and of CPU, and MiB of memory, and ends at once.
With `bare` for the file: Qt alone, a list of as many texts.
"""

import gc
import os
import sys
import time
from typing import Any

from benchmarks.measure import memory_mib

ROWS = 50
"""What an attached window holds of a conversation at first."""


def note_paint(began: float) -> None:
    """What the first paint of messages ends with."""
    took_ms = (time.monotonic() - began) * 1000
    print(
        f"{took_ms:.1f} {time.process_time() * 1000:.1f} {memory_mib(os.getpid()):.1f}", flush=True
    )
    os._exit(0)


def start_window(connection_file: str, began: float) -> int:
    """The product's own way in, with the list of messages watched."""
    from chatnet_qt import app

    gc.disable()  # as `app.main` does before it imports the same
    with app.quick_imports():
        from chatnet_qt import bubble_delegate, reading_list, window_app  # noqa: F401
    painted: list[bool] = []
    paint_row = bubble_delegate.BubbleDelegate.paint
    paint_list = reading_list.ReadingList.paintEvent

    def noted_row(self: Any, *rest: Any) -> None:
        paint_row(self, *rest)
        painted.append(True)

    def noted_list(self: Any, event: Any) -> None:
        paint_list(self, event)
        if painted:
            note_paint(began)

    bubble_delegate.BubbleDelegate.paint = noted_row  # type: ignore[assignment, method-assign]
    reading_list.ReadingList.paintEvent = noted_list  # type: ignore[method-assign]
    return app.main([], connection_file)


def start_bare(began: float) -> int:
    """A list of Qt's own, with as many texts."""
    from chatnet_qt.qt import QAbstractListModel, QApplication, QListView, QModelIndex, Qt

    class Texts(QAbstractListModel):
        def rowCount(self, _parent: QModelIndex | None = None) -> int:
            return ROWS

        def data(self, index: QModelIndex, role: int = 0) -> object:
            words = f"Message {index.row()}. " + "It goes on. " * (index.row() % 9)
            return words if role == Qt.ItemDataRole.DisplayRole else None

    class List(QListView):
        def paintEvent(self, event: Any) -> None:
            super().paintEvent(event)
            note_paint(began)

    application = QApplication(["bare"])
    view, texts = List(), Texts()
    view.setWordWrap(True)
    view.setModel(texts)
    view.resize(800, 720)
    view.show()
    return application.exec_()


if __name__ == "__main__":
    start = float(sys.argv[2])
    sys.exit(start_bare(start) if sys.argv[1] == "bare" else start_window(sys.argv[1], start))
