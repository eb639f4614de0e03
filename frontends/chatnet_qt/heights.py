"""Heights of messages: measured at the present width, or remembered from another one.

A new width makes all of them wrong, and to measure thousands takes longer than a frame. The former
ones stand in for those out of sight until somebody has measured them.
"""

from chatnet_qt.qt import QSize

MAX_HEIGHTS = 4000
"""Of each kind, more than a list holds in memory; beyond it all are measured anew."""
GUESS = QSize(10, 60)
"""Of a message before any width is known: two lines or so."""


class Heights:
    """By message id."""

    def __init__(self) -> None:
        self._measured: dict[bytes, QSize] = {}
        self._former: dict[bytes, QSize] = {}

    def get(self, message_id: bytes) -> QSize | None:
        """The best that is known."""
        return self._measured.get(message_id) or self._former.get(message_id)

    def is_former(self, message_id: bytes) -> bool:
        """Whether it is known at another width only."""
        return message_id not in self._measured and message_id in self._former

    def put(self, message_id: bytes, size: QSize) -> None:
        """It was measured."""
        if len(self._measured) >= MAX_HEIGHTS:
            self.clear()
        self._measured[message_id] = size
        self._former.pop(message_id, None)

    def guess(self, message_id: bytes) -> QSize:
        """Some height until it is measured."""
        if len(self._former) >= MAX_HEIGHTS:
            self.clear()
        self._former[message_id] = GUESS
        return GUESS

    def forget(self, message_id: bytes) -> None:
        """One message is another one, or has other neighbours."""
        self._measured.pop(message_id, None)
        self._former.pop(message_id, None)

    def outdate(self) -> None:
        """The width is another one from now on."""
        self._former.update(self._measured)
        self._measured.clear()

    def clear(self) -> None:
        """Nothing is known."""
        self._measured.clear()
        self._former.clear()
