"""Puts one message together from parts that come in any order, twice, or overlapping."""

from chatnet_engine.arq.ranges import RangeSet
from chatnet_protocol.errors import RemoteProtocolError


class Partial:
    """A message of which some bytes are missing."""

    __slots__ = ("_bytes", "_received", "total")

    def __init__(self, total: int) -> None:
        self.total = total
        self._bytes = bytearray(total)
        self._received = RangeSet()

    def add(self, offset: int, total: int, data: bytes) -> bytes | None:
        """Take a part in; the whole message once nothing is missing.

        `offset + len(data) <= total` is the decoder's promise. Raises RemoteProtocolError when
        `total` contradicts an earlier part.
        """
        if total != self.total:
            raise RemoteProtocolError("parts of one message disagree about its size")
        end = offset + len(data)
        self._bytes[offset:end] = data
        self._received.add(offset, end - 1)
        if (
            len(self._received) == 1
            and self._received.highs[0] - self._received.lows[0] == total - 1
        ):
            return bytes(self._bytes)
        return None
