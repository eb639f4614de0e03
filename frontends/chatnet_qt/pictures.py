"""Pictures that arrived, as they may be shown in a conversation: small, and decoded elsewhere.

Owns what is known of each picture, bounded.
"""

from collections import OrderedDict

from msgspec import Struct

from chatnet_protocol.ipc.rows import TransferRow, TransferState
from chatnet_qt.decoder import Decoded, Decoder
from chatnet_qt.qt import QObject, QPixmap, pyqtSignal

SIDE_PX = 720
"""Of a thumbnail: twice the width of a card, for screens at 200 %."""
MAX_KEPT = 60
"""Thumbnails in memory, at most 2 MB each."""
MAX_BYTES = 32 * 1024 * 1024
"""Of a file; `thumbnail` has the same limit."""
ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")


def may_show(path: str, size_bytes: int) -> bool:
    """Whether a file looks like a picture that may be decoded; what is in it decides later."""
    return 0 < size_bytes <= MAX_BYTES and path.lower().endswith(ENDINGS)


class Picture(Struct, frozen=True):
    """One that can be shown: its size as it is, and the small one."""

    size: tuple[int, int]
    small: QPixmap


class Pictures(QObject):
    """`ready(message id)`: there is something to show now."""

    ready = pyqtSignal(bytes)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: OrderedDict[bytes, Picture | None] = OrderedDict()
        self._decoder = Decoder(SIDE_PX, self)
        self._decoder.done.connect(self._on_done)
        self._shown = True

    def set_shown(self, on: bool) -> None:
        """Whether pictures are shown at all."""
        self._shown = on
        if not on:
            self._decoder.forget()

    def size_of(self, row: TransferRow) -> tuple[int, int] | None:
        """Width and height; None: nothing is shown (yet)."""
        wanted = row.state == TransferState.DONE and row.files == 1 and row.path
        if not self._shown or not wanted or not may_show(row.path, row.size_bytes):
            return None
        if row.id in self._known:
            self._known.move_to_end(row.id)
            picture = self._known[row.id]
            return picture.size if picture else None
        self._decoder.ask(row.id, row.path)
        return None

    def pixmap(self, message_id: bytes) -> QPixmap | None:
        """The thumbnail."""
        picture = self._known.get(message_id)
        return picture.small if picture else None

    def _on_done(self, message_id: bytes, found: Decoded | None) -> None:
        picture = Picture(found.full, QPixmap.fromImage(found.image)) if found else None
        self._known[message_id] = picture
        while len(self._known) > MAX_KEPT:
            self._known.popitem(last=False)
        if picture is not None:
            self.ready.emit(message_id)
