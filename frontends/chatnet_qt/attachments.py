"""The row of files that wait to be sent: each can be looked at and taken out again.

Also turns what was dropped or pasted into paths; a pasted picture becomes a file first.
"""

import os
import time

from chatnet_client.words import size_words
from chatnet_protocol.limits import MAX_FILES_IN_OFFER
from chatnet_qt.controls import push_button
from chatnet_qt.decoder import Decoded, Decoder
from chatnet_qt.icons import draw_icon
from chatnet_qt.labels import ElidedLabel, label, tool_button
from chatnet_qt.pictures import may_show
from chatnet_qt.qt import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QImage,
    QMimeData,
    QPainter,
    QPaintEvent,
    QPixmap,
    QRectF,
    QResizeEvent,
    QScrollArea,
    QStandardPaths,
    Qt,
    QVBoxLayout,
    QWidget,
    pyqtSignal,
)
from chatnet_qt.shapes import draw_filling
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import measures_of
from chatnet_qt.wording import shown_name

MAX_ATTACHED = 100
"""Entries in the row; folders count as one. More than this is refused with a word."""
assert MAX_ATTACHED <= MAX_FILES_IN_OFFER
SMALL_PX = 160
"""Of a picture on a tile: 40 at 200 %, and the sides that are left out."""
TILE_PX, TALL_PX = 184, 56
"""Of one file before sending: least width, height."""


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


class AttachmentRow(QWidget):
    """Files before sending. `changed` when one came or went; `refused(sentence)`."""

    changed = pyqtSignal()
    refused = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._paths: list[str] = []
        self._chips: list[Tile] = []
        self._decoder = Decoder(SMALL_PX, self)
        self._decoder.done.connect(self._on_decoded)
        self.setAccessibleName("Files to be sent")
        self._scroll = QScrollArea()
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidgetResizable(True)
        self._inside = QWidget()
        self._grid = QGridLayout(self._inside)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._scroll.setWidget(self._inside)
        self.total = label(font="small", ink="text_2")
        self.clear = push_button("Clear all", "quiet")
        self.clear.clicked.connect(self._clear)
        foot = QHBoxLayout()
        foot.addWidget(self.total)
        foot.addStretch(1)
        foot.addWidget(self.clear)
        m = measures_of(self.font())
        self._grid.setSpacing(m.px(8))
        column = QVBoxLayout(self)
        column.setContentsMargins(m.px(12), m.px(12), m.px(12), 0)
        column.setSpacing(m.px(4))
        column.addWidget(self._scroll)
        column.addLayout(foot)
        self.hide()

    @property
    def paths(self) -> list[str]:
        """What will be sent, in the order it was added."""
        return list(self._paths)

    def add(self, paths: list[str]) -> None:
        """Put files in; those that are there already are skipped."""
        fresh = [p for p in dict.fromkeys(map(os.path.abspath, paths)) if p not in self._paths]
        space = MAX_ATTACHED - len(self._paths)
        if len(fresh) > space:
            self.refused.emit(f"At most {MAX_ATTACHED} files at once: pack them into a folder.")
        for path in fresh[:space]:
            self._paths.append(path)
            tile = Tile(path, self._inside)
            tile.removed.connect(self._on_removed)
            self._chips.append(tile)
            if may_show(path, tile.size_bytes):
                self._decoder.ask(os.fsencode(path), path)
        self._fit()

    def _on_decoded(self, key: bytes, found: Decoded | None) -> None:
        path = os.fsdecode(key)
        if found is not None and path in self._paths:
            self._chips[self._paths.index(path)].show_picture(QPixmap.fromImage(found.image))

    def take(self) -> list[str]:
        """All files, for sending; the row is empty from now."""
        paths = self.paths
        for path in paths:
            self._remove(path)
        self._fit()
        return paths

    def _clear(self) -> None:
        self.take()

    def _on_removed(self, path: str) -> None:
        self._remove(path)
        self._fit()

    def _remove(self, path: str) -> None:
        index = self._paths.index(path)
        del self._paths[index]
        tile = self._chips.pop(index)
        self._grid.removeWidget(tile)
        tile.hide()
        tile.deleteLater()

    def _fit(self) -> None:
        """Tiles in as many columns as there is space for; two rows, then it scrolls."""
        m = measures_of(self.font())
        across = max(1, (self.width() - 2 * m.px(12) + m.px(8)) // m.px(TILE_PX + 8))
        for number, tile in enumerate(self._chips):
            self._grid.addWidget(tile, number // across, number % across)
        for column in range(max(across, self._grid.columnCount())):
            self._grid.setColumnStretch(column, 1 if column < across else 0)
        rows = min(2, -(-len(self._chips) // across))
        self._scroll.setFixedHeight(rows * m.px(TALL_PX) + max(0, rows - 1) * m.px(8))
        count = len(self._paths)
        size = size_words(sum(tile.size_bytes for tile in self._chips))
        self.total.setText(f"{count} items · {size}" if count > 1 else f"1 item · {size}")
        self.setVisible(bool(self._paths))
        self.changed.emit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Another number of columns."""
        super().resizeEvent(event)
        if self._paths:
            self._fit()


class Tile(QFrame):
    """One file or folder before sending. `removed(path)`."""

    removed = pyqtSignal(str)

    def __init__(self, path: str, parent: QWidget) -> None:
        super().__init__(parent)
        name = shown_name(os.path.basename(path.rstrip("/")) or path, 40)
        words = size_of(path)
        self._is_folder = words == "folder"
        self.picture: QPixmap | None = None
        self.size_bytes = _size_bytes(path)
        self.setAccessibleName(f"{name}, {words}")
        m = measures_of(self.font())
        row = QHBoxLayout(self)
        row.setContentsMargins(m.px(8 + 40 + 8), 0, m.px(4), 0)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addStretch(1)
        column.addWidget(ElidedLabel(name, font="medium"))
        column.addWidget(ElidedLabel(words, font="small", ink="text_2"))
        column.addStretch(1)
        row.addLayout(column, 1)
        remove = tool_button("close", f"Do not send {name}")
        remove.clicked.connect(lambda: self.removed.emit(path))
        row.addWidget(remove)
        self.setFixedHeight(m.px(TALL_PX))
        self.show()

    def show_picture(self, picture: QPixmap) -> None:
        """It is a picture: show it small."""
        self.picture = picture
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """A quiet ground and what kind of thing it is."""
        painter, c, m = QPainter(self), colours_of(self.palette()), measures_of(self.font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(c.sunken)
        painter.drawRoundedRect(QRectF(self.rect()), m.px(8), m.px(8))
        side, picture = m.px(40), m.px(20)
        box = QRectF(m.px(8), (self.height() - side) / 2, side, side)
        painter.setBrush(c.raised)
        painter.drawRoundedRect(box, m.px(8), m.px(8))
        if self.picture is not None:
            draw_filling(painter, box, self.picture, m.px(8))
            return
        inset = (side - picture) / 2
        inner = box.adjusted(inset, inset, -inset, -inset)
        draw_icon(painter, inner, c.link, "folder" if self._is_folder else "file")


def _size_bytes(path: str) -> int:
    try:
        return 0 if os.path.isdir(path) else os.stat(path).st_size
    except OSError:
        return 0
