"""Pictures that arrived, as they may be shown in a conversation: small, and decoded elsewhere.

Owns what is known of each picture, bounded, and the one process that decodes at a time.
"""

import sys
from collections import OrderedDict
from dataclasses import dataclass

from chatnet_protocol.ipc.rows import TransferRow, TransferState
from chatnet_qt.qt import QImage, QObject, QPixmap, QProcess, QTimer, pyqtSignal

SIDE_PX = 720
"""Of a thumbnail: twice the width of a card, for screens at 200 %."""
MAX_KEPT = 60
"""Thumbnails in memory, at most 2 MB each."""
MAX_ASKED = 40
"""Waiting to be decoded; of more, the oldest is forgotten until it is drawn again."""
MAX_BYTES = 32 * 1024 * 1024
"""Of a file; `thumbnail` has the same limit."""
MAX_ANSWER_BYTES = 4 * SIDE_PX * SIDE_PX + 100
TIMEOUT_MS = 60_000
"""A busy machine takes its time; CPU time bounds what would not end."""
ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")


@dataclass(frozen=True)
class Picture:
    """One that can be shown: its size as it is, and the small one."""

    size: tuple[int, int]
    small: QPixmap


def parsed(answer: bytes) -> Picture | None:
    """What the other process has written; None when that is no picture."""
    head, newline, pixels = answer.partition(b"\n")
    try:
        wide, tall, full_wide, full_tall = (int(word) for word in head.split())
    except ValueError:
        return None
    fits = 0 < wide <= SIDE_PX and 0 < tall <= SIDE_PX and len(pixels) == 4 * wide * tall
    if not newline or not fits or full_wide < 1 or full_tall < 1:
        return None
    image = QImage(pixels, wide, tall, 4 * wide, QImage.Format.Format_RGBA8888)
    return Picture((full_wide, full_tall), QPixmap.fromImage(image))


class Pictures(QObject):
    """`ready(message id)`: there is something to show now."""

    ready = pyqtSignal(bytes)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: OrderedDict[bytes, Picture | None] = OrderedDict()
        self._asked: OrderedDict[bytes, str] = OrderedDict()
        self._process: QProcess | None = None
        self._now = b""
        self._answer = b""
        self._shown = True
        self._timeout = QTimer(self)
        self._timeout.setSingleShot(True)
        self._timeout.setInterval(TIMEOUT_MS)
        self._timeout.timeout.connect(self._kill)

    def set_shown(self, on: bool) -> None:
        """Whether pictures are shown at all."""
        self._shown = on
        if not on:
            self._asked.clear()

    def size_of(self, row: TransferRow) -> tuple[int, int] | None:
        """Width and height; None: nothing is shown (yet)."""
        wanted = row.state == TransferState.DONE and row.files == 1 and row.path
        fits = 0 < row.size_bytes <= MAX_BYTES and row.path.lower().endswith(ENDINGS)
        if not self._shown or not wanted or not fits:
            return None
        if row.id in self._known:
            self._known.move_to_end(row.id)
            picture = self._known[row.id]
            return picture.size if picture else None
        if row.id not in self._asked and row.id != self._now:
            self._asked[row.id] = row.path
            if len(self._asked) > MAX_ASKED:
                self._asked.popitem(last=False)
            QTimer.singleShot(0, self._next)
        return None

    def pixmap(self, message_id: bytes) -> QPixmap | None:
        """The thumbnail."""
        picture = self._known.get(message_id)
        return picture.small if picture else None

    def _next(self) -> None:
        """Decode the one that was asked for last: it is on screen."""
        if self._process is not None or not self._asked:
            return
        self._now, path = self._asked.popitem(last=True)
        self._answer = b""
        process = self._process = QProcess(self)
        process.setStandardErrorFile(QProcess.nullDevice())
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._on_end)
        process.errorOccurred.connect(self._on_error)
        self._timeout.start()
        words = ["-P", "-m", "chatnet_qt.thumbnail", path, str(SIDE_PX)]
        process.start(sys.executable, words)

    def _read(self) -> None:
        if self._process is not None:
            self._answer += bytes(self._process.readAllStandardOutput())
            if len(self._answer) > MAX_ANSWER_BYTES:
                self._kill()

    def _kill(self) -> None:
        self._answer = b""
        if self._process is not None:
            self._process.kill()

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._on_end()

    def _on_end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        self._timeout.stop()
        self._answer += bytes(process.readAllStandardOutput())
        process.deleteLater()
        picture = parsed(self._answer)
        message_id, self._now, self._answer = self._now, b"", b""
        self._known[message_id] = picture
        while len(self._known) > MAX_KEPT:
            self._known.popitem(last=False)
        if picture is not None:
            self.ready.emit(message_id)
        self._next()
