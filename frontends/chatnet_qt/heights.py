"""Heights of messages: measured at the present width, or good enough until somebody measures.

To lay out a page of messages takes longer than a frame. Those out of sight have the height that
they had before (at another width, with other neighbours), or a guess, until they are measured.
"""

from chatnet_qt.qt import QSize

MAX_HEIGHTS = 4000
"""Of each kind, more than a list holds in memory; beyond it all are measured anew."""
ONE_LINE_PX, NEXT_LINE_PX = 38, 20
"""Of a guess, at the usual size of text."""
LINE_CHARACTERS = 70


class Heights:
    """By message id."""

    def __init__(self) -> None:
        self._measured: dict[bytes, QSize] = {}
        self._assumed: dict[bytes, QSize] = {}

    def get(self, message_id: bytes) -> QSize | None:
        """The best that is known."""
        return self._measured.get(message_id) or self._assumed.get(message_id)

    @property
    def any_assumed(self) -> bool:
        """Whether some that was asked for may not be the height at the present width."""
        return bool(self._assumed)

    def is_measured(self, message_id: bytes) -> bool:
        """Whether it is the height at the present width."""
        return message_id in self._measured

    def put(self, message_id: bytes, size: QSize) -> None:
        """It was measured."""
        if len(self._measured) >= MAX_HEIGHTS:
            self.clear()
        self._measured[message_id] = size
        self._assumed.pop(message_id, None)

    def guess(self, message_id: bytes, characters: int, breaks: int) -> QSize:
        """Some height for a message of so many characters and line breaks."""
        if len(self._assumed) >= MAX_HEIGHTS:
            self.clear()
        lines = breaks + characters // LINE_CHARACTERS
        size = self._assumed[message_id] = QSize(10, ONE_LINE_PX + NEXT_LINE_PX * lines)
        return size

    def outdate(self, message_id: bytes) -> None:
        """One message is another one, or has other neighbours."""
        size = self._measured.pop(message_id, None)
        if size is not None:
            self._assumed[message_id] = size

    def outdate_all(self) -> None:
        """The width is another one from now on."""
        self._assumed.update(self._measured)
        self._measured.clear()

    def clear(self) -> None:
        """Nothing is known."""
        self._measured.clear()
        self._assumed.clear()
