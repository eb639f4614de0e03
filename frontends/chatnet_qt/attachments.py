"""The row of files that wait to be sent: each can be looked at and taken out again.

Also turns what was dropped or pasted into paths; a pasted picture becomes a file first.
"""

import os
import time

from chatnet_client.words import size_words
from chatnet_protocol.limits import MAX_FILES_IN_OFFER
from chatnet_qt.icons import draw_close, icon_of
from chatnet_qt.labels import ElidedLabel, label, tool_button
from chatnet_qt.qt import (
    QFrame,
    QHBoxLayout,
    QImage,
    QMimeData,
    QScrollArea,
    QStandardPaths,
    Qt,
    QVBoxLayout,
    QWidget,
    present,
    pyqtSignal,
)
from chatnet_qt.wording import shown_name

MAX_ATTACHED = 100
"""Entries in the row; folders count as one. More than this is refused with a word."""
assert MAX_ATTACHED <= MAX_FILES_IN_OFFER


def local_paths(data: QMimeData) -> list[str]:
    """The files and folders of this machine in what was dropped or pasted."""
    return [url.toLocalFile() for url in data.urls() if url.isLocalFile()]


def save_picture(image: QImage) -> str:
    """Write a pasted picture where it can be sent from; empty if that fails."""
    folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.CacheLocation)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError:
        return ""
    stamp = time.strftime("%Y-%m-%d-%H%M%S")
    for number in range(1, 100):
        path = os.path.join(folder, f"picture-{stamp}-{number}.png")
        if not os.path.exists(path):
            return path if image.save(path, "PNG") else ""
    return ""


def size_of(path: str) -> str:
    """The size of a file in words; folders are called folders."""
    try:
        if os.path.isdir(path):
            return "folder"
        return size_words(os.stat(path).st_size)
    except OSError:
        return "not readable"


class AttachmentRow(QScrollArea):
    """Files before sending. `changed` when one came or went; `refused(sentence)`."""

    changed = pyqtSignal()
    refused = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._paths: list[str] = []
        self._chips: list[QFrame] = []
        self.setAccessibleName("Files to be sent")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inside = QWidget()
        self._row = QHBoxLayout(inside)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(6)
        self._row.addStretch(1)
        self.setWidget(inside)
        self.hide()

    @property
    def paths(self) -> list[str]:
        """What will be sent, in the order it was added."""
        return list(self._paths)

    def add(self, paths: list[str]) -> None:
        """Put files in; those that are there already are skipped."""
        fresh = [p for p in dict.fromkeys(map(os.path.abspath, paths)) if p not in self._paths]
        room = MAX_ATTACHED - len(self._paths)
        if len(fresh) > room:
            self.refused.emit(f"At most {MAX_ATTACHED} files at once: pack them into a folder.")
        for path in fresh[:room]:
            self._paths.append(path)
            chip = self._chip(path)
            self._chips.append(chip)
            self._row.insertWidget(len(self._chips) - 1, chip)
        self._fit()

    def take(self) -> list[str]:
        """All files, for sending; the row is empty from now."""
        paths = self.paths
        for path in paths:
            self._remove(path)
        self._fit()
        return paths

    def _remove(self, path: str) -> None:
        index = self._paths.index(path)
        del self._paths[index]
        chip = self._chips.pop(index)
        self._row.removeWidget(chip)
        chip.hide()
        chip.deleteLater()

    def _fit(self) -> None:
        tall = max((chip.sizeHint().height() for chip in self._chips), default=0)
        bar = present(self.horizontalScrollBar()).sizeHint().height()
        self.setFixedHeight(tall + bar)
        self.setVisible(bool(self._paths))
        self.changed.emit()

    def _chip(self, path: str) -> QFrame:
        name = shown_name(os.path.basename(path.rstrip("/")) or path, 40)
        chip = QFrame()
        chip.setFrameShape(QFrame.Shape.StyledPanel)
        chip.setAccessibleName(f"{name}, {size_of(path)}")
        box = QHBoxLayout(chip)
        box.setContentsMargins(10, 4, 4, 4)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(label(name))
        words.addWidget(ElidedLabel(size_of(path)))
        box.addLayout(words)
        remove = tool_button(f"Do not send {name}")
        remove.setIcon(icon_of(draw_close, self.palette().color(self.palette().Text)))

        def on_click() -> None:
            self._remove(path)
            self._fit()

        remove.clicked.connect(on_click)
        box.addWidget(remove)
        return chip
