"""Pictures that arrived, as they may be shown in a conversation. Nothing yet."""

from chatnet_protocol.ipc.rows import TransferRow
from chatnet_qt.qt import QObject, QPixmap, pyqtSignal


class Pictures(QObject):
    """`ready(message id)`: there is something to show now."""

    ready = pyqtSignal(bytes)

    def size_of(self, _row: TransferRow) -> tuple[int, int] | None:
        """Width and height; None: nothing is shown."""
        return None

    def pixmap(self, _message_id: bytes) -> QPixmap | None:
        """The thumbnail."""
        return None
