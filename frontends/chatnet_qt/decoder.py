"""Pictures decoded by a process of their own, one at a time: see `thumbnail`. Whatever a picture
does to its reader ends that process and nothing else."""

import sys
from collections import OrderedDict

from msgspec import Struct

from chatnet_qt.qt import QImage, QObject, QProcess, QTimer, pyqtSignal

MAX_ASKED = 40
"""Waiting to be decoded; of more, the oldest is forgotten: it is asked for again if it is drawn."""
MAX_SIDE_PX = 4096
"""Of what is asked for: 64 MB in memory."""
TIMEOUT_MS = 60_000
"""A busy machine takes its time; CPU time bounds what would not end."""


class Decoded(Struct, frozen=True):
    """A picture scaled to fit, and the size it has in its file."""

    image: QImage
    full: tuple[int, int]


def parsed(answer: bytes, side: int) -> Decoded | None:
    """What the other process has written; None when that is no picture of at most `side`."""
    head, newline, pixels = answer.partition(b"\n")
    try:
        wide, tall, full_wide, full_tall = (int(word) for word in head.split())
    except ValueError:
        return None
    fits = 0 < wide <= side and 0 < tall <= side and len(pixels) == 4 * wide * tall
    if not newline or not fits or full_wide < 1 or full_tall < 1:
        return None
    image = QImage(pixels, wide, tall, 4 * wide, QImage.Format.Format_RGBA8888)
    return Decoded(image.copy(), (full_wide, full_tall))  # the bytes do not outlive this


class Decoder(QObject):
    """`done(key, Decoded or None)`, once for each picture that was asked for and not forgotten."""

    done = pyqtSignal(bytes, object)

    def __init__(self, side: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        assert side <= MAX_SIDE_PX
        self._side = side
        self._asked: OrderedDict[bytes, str] = OrderedDict()
        self._process: QProcess | None = None
        self._now = b""
        self._answer = bytearray()
        self._timeout = QTimer(self)
        self._timeout.setSingleShot(True)
        self._timeout.setInterval(TIMEOUT_MS)
        self._timeout.timeout.connect(self._kill)

    def ask(self, key: bytes, path: str) -> None:
        """Decode a file soon; asking again for what waits changes nothing."""
        if key in self._asked or (key == self._now and self._process is not None):
            return
        self._asked[key] = path
        if len(self._asked) > MAX_ASKED:
            self._asked.popitem(last=False)
        QTimer.singleShot(0, self._next)

    def forget(self) -> None:
        """Nothing that waits is wanted any more."""
        self._asked.clear()

    def _next(self) -> None:
        """Decode the one that was asked for last: it is on screen."""
        if self._process is not None or not self._asked:
            return
        self._now, path = self._asked.popitem(last=True)
        self._answer.clear()
        process = self._process = QProcess(self)
        process.setStandardErrorFile(QProcess.nullDevice())
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._on_end)
        process.errorOccurred.connect(self._on_error)
        self._timeout.start()
        words = ["-P", "-m", "chatnet_qt.thumbnail", path, str(self._side)]
        process.start(sys.executable, words)

    def _read(self) -> None:
        if self._process is not None:
            self._answer += bytes(self._process.readAllStandardOutput())
            if len(self._answer) > 4 * self._side * self._side + 100:
                self._kill()

    def _kill(self) -> None:
        self._answer.clear()
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
        found, key = parsed(bytes(self._answer), self._side), self._now
        self._answer.clear()
        self.done.emit(key, found)
        self._next()
