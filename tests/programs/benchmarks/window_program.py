"""The program whose turns `scripts/bench window` measures. Its arguments: a folder, how many
messages there are, how many pages to scroll, how many messages arrive, and which parts are wanted,
with commas."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial

from benchmarks.measure import memory_mib, percentile
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_qt.qt import (
    QAbstractItemView,
    QAbstractListModel,
    QApplication,
    QListView,
    QModelIndex,
    QScrollBar,
    Qt,
    present,
)
from chatnet_qt.window_app import when_settled
from qtworld import Stage, open_stage, peer_view, session_view, text_row, with_rows

STALL_MS = 50.0
HOSTILE_STALL_MS = 100.0
LONG_TEXT_BYTES = 64 * 1024
SIZES = ((1100, 760), (520, 620))
A_SECOND = 500
"""Arrivals."""


def row_of(no: int) -> MessageRow:
    """Message `no`: some short, some of several lines."""
    text = f"Message {no}. " + "It goes on for a while, as people do. " * (no % 7)
    own = no % 3 == 0
    return text_row(no, text, mine=own, ack=no, seq=no // 3 if own else 0)


def hostile_texts() -> list[str]:
    """What a peer can send to make a window slow, or to look like something else."""
    half = LONG_TEXT_BYTES // 2
    return [
        "<b>bold</b><img src='file:///etc/passwd'>" * 400,
        "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe" * 1000,
        "x" * LONG_TEXT_BYTES,
        "e" + "\N{COMBINING ACUTE ACCENT}" * 10_000,
        "\n" * LONG_TEXT_BYTES,
        "`" * LONG_TEXT_BYTES,
        "```\n" * (LONG_TEXT_BYTES // 4),
        "https://\u0430pple.com/" + "(" * half,
        "\N{WOMAN}\N{ZERO WIDTH JOINER}" * (LONG_TEXT_BYTES // 7),
        "\N{ARABIC LETTER MEEM}" * half,
    ]


class Turns:
    """What each turn of the event loop took."""

    def __init__(self, app: QApplication, parts: str) -> None:
        self._app = app
        self._parts = parts.split(",")
        self.phases: dict[str, dict[str, float]] = {}

    def measure(
        self, name: str, acts: Iterable[Callable[[], object]], stall_ms: float = STALL_MS
    ) -> None:
        """Do each act in a turn of its own, and let everything that follows from it happen.

        Wall time is what a person waits; the thread's own time says what the window would take on
        a machine that does nothing else.
        """
        if name.partition(",")[0] not in self._parts:
            return
        took: list[tuple[float, float]] = []
        for act in acts:
            for do in (act, nothing):  # the second turn is what was put off
                began, own = time.perf_counter(), time.thread_time()
                do()
                self._app.processEvents()
                ended, own_ended = time.perf_counter(), time.thread_time()
                took.append(((ended - began) * 1000, (own_ended - own) * 1000))
        wall, own_ms = [one for one, _ in took], [one for _, one in took]
        self.phases[name] = {
            "turns": len(took),
            "over": sum(ms > stall_ms for ms in wall),
            "longest_ms": max(wall),
            "p99_ms": percentile(wall, 0.99),
            "own_over": sum(ms > stall_ms for ms in own_ms),
            "own_longest_ms": max(own_ms),
        }


def nothing() -> None:
    """No act."""


class BareModel(QAbstractListModel):
    """Texts and nothing else."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__()
        self.texts = texts

    def rowCount(self, _parent: QModelIndex | None = None) -> int:
        return len(self.texts)

    def data(self, index: QModelIndex, role: int = 0) -> object:
        return self.texts[index.row()] if role == Qt.ItemDataRole.DisplayRole else None

    def add(self, text: str) -> None:
        """One more, and the oldest goes."""
        self.beginInsertRows(QModelIndex(), len(self.texts), len(self.texts))
        self.texts.append(text)
        self.endInsertRows()
        self.beginRemoveRows(QModelIndex(), 0, 0)
        del self.texts[0]
        self.endRemoveRows()


def bare_list(texts: list[str]) -> tuple[QListView, BareModel]:
    """What Qt does by itself."""
    made, model = QListView(), BareModel(texts)
    made.setModel(model)
    made.setWordWrap(True)
    made.setResizeMode(QListView.ResizeMode.Adjust)
    made.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    made.resize(800, 760)
    made.show()
    return made, model


def page_up(bar: QScrollBar) -> None:
    """A page up; from the top of what there is, back to its end."""
    at_top = bar.value() <= bar.minimum()
    bar.setValue(bar.maximum() if at_top else bar.value() - bar.pageStep())


def page_up_and_rest(stage: Stage) -> None:
    """A page up, and what the window does when a reader rests: older messages are fetched."""
    page_up(stage.bar)
    stage.pane.view.report_now()


def history_pages(messages: int) -> Callable[[FetchHistory], HistoryPage]:
    """Answers as an engine with that many messages would."""

    def page_of(command: FetchHistory) -> HistoryPage:
        limit = command.limit
        if command.after_place is not None or command.after_no is not None:
            first = max(command.after_place or 0, command.after_no or 0) + 1
            rows = [row_of(no) for no in range(first, min(messages, first + limit - 1) + 1)]
            more = first + limit - 1 < messages
        else:
            last = (command.before_place or messages + 1) - 1
            rows = [row_of(no) for no in range(max(1, last - limit + 1), last + 1)]
            more = last - limit >= 1
        return HistoryPage(rows=rows, peers=[command.peer] * len(rows), more=more)

    return page_of


def main(argv: list[str]) -> int:
    """Prints one line of JSON."""
    messages, pages, arrivals = (int(word) for word in argv[1:4])
    app = QApplication(["bench"])
    app.setQuitOnLastWindowClosed(False)
    rows = [row_of(no) for no in range(messages - 49, messages + 1)]
    view = session_view(with_rows(peer_view(my_read=messages), rows))
    stage = open_stage(app, argv[0], view, size=SIZES[0], page_of=history_pages(messages))
    when_settled()
    turns = Turns(app, argv[4])
    pane, window = stage.pane, stage.window
    turns.measure("scrolling, window", (lambda: page_up_and_rest(stage) for _ in range(pages)))
    pane.view.go_to_end()

    def arrive(no: int) -> None:
        stage.client.change(ev.MessagesAdded(1, no, [row_of(no)]))
        time.sleep(max(0.0, 1 / A_SECOND - 0.001))

    new = range(messages + 1, messages + arrivals + 1)
    turns.measure("arrivals, window", (partial(arrive, no) for no in new))
    sizes = [(1100 - step * 5 % 500, 760) for step in range(100)]
    turns.measure("resizing, window", (partial(window.resize, *size) for size in sizes))
    pane.view.go_to_end()
    held = [pane.model.message(row).text for row in range(pane.model.rowCount())]
    hostile = [
        partial(stage.client.change, ev.MessagesAdded(1, no, [text_row(no, text, ack=no)]))
        for no, text in enumerate(hostile_texts(), messages + arrivals + 1)
    ]
    turns.measure("hostile texts, window", hostile, HOSTILE_STALL_MS)
    rss = memory_mib(os.getpid())
    bare, model = bare_list(held)
    bar = present(bare.verticalScrollBar())
    turns.measure("scrolling, bare list", (lambda: page_up(bar) for _ in range(pages)))
    turns.measure("arrivals, bare list", (partial(model.add, row_of(no).text) for no in new))
    turns.measure("resizing, bare list", (partial(bare.resize, *size) for size in sizes))
    found = {"rss_mib": rss, "phases": turns.phases}
    print(json.dumps(found))
    bare.close()
    stage.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
