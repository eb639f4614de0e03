"""Puts one message together from parts that come in any order, twice, or overlapping."""

from bisect import bisect_right

from chatnet_protocol.errors import RemoteProtocolError

MAX_HOLES = 1024
"""Pieces of one message that do not touch each other. A sender has no reason for more: that would
be every other 32 bytes of the longest message, all at once."""
PIECE_OVERHEAD_BYTES = 128
"""What keeping a piece costs besides its bytes."""


class Partial:
    """A message of which some bytes are missing. Keeps no more than what has come."""

    __slots__ = ("_pieces", "_starts", "held_bytes", "total")

    def __init__(self, total: int) -> None:
        self.total = total
        self.held_bytes = 0
        """What is kept weighs so much: bytes and PIECE_OVERHEAD_BYTES for each piece."""
        self._starts: list[int] = []
        self._pieces: list[bytearray] = []

    def add(self, offset: int, total: int, data: bytes) -> bytes | None:
        """Take a part in; the whole message once nothing is missing.

        `offset + len(data) <= total` is the decoder's promise. Raises RemoteProtocolError when
        `total` contradicts an earlier part, or at more than MAX_HOLES.
        """
        if total != self.total:
            raise RemoteProtocolError("parts of one message disagree about its size")
        pieces = self._pieces
        if len(pieces) == 1 and offset == self._starts[0] + len(pieces[0]):  # in order
            pieces[0] += data
            self.held_bytes += len(data)
        else:
            self._swallow(self._extend(offset, data))
            if len(pieces) > MAX_HOLES:
                raise RemoteProtocolError("too many holes in one message")
        first = pieces[0]
        return bytes(first) if len(first) == total else None

    def _extend(self, offset: int, data: bytes) -> int:
        """Put the bytes where they belong; the piece that they are now part of."""
        starts, pieces = self._starts, self._pieces
        index = bisect_right(starts, offset) - 1
        if index >= 0 and starts[index] + len(pieces[index]) >= offset:
            fresh = data[starts[index] + len(pieces[index]) - offset :]
            pieces[index] += fresh
            self.held_bytes += len(fresh)
            return index
        index += 1
        starts.insert(index, offset)
        pieces.insert(index, bytearray(data))
        self.held_bytes += len(data) + PIECE_OVERHEAD_BYTES
        return index

    def _swallow(self, index: int) -> None:
        """Join what this piece has reached."""
        starts, pieces = self._starts, self._pieces
        piece = pieces[index]
        begin = starts[index]
        end = index + 1
        while end < len(starts) and starts[end] <= begin + len(piece):
            following = pieces[end]
            fresh = following[begin + len(piece) - starts[end] :]
            piece += fresh
            self.held_bytes += len(fresh) - len(following) - PIECE_OVERHEAD_BYTES
            end += 1
        del starts[index + 1 : end], pieces[index + 1 : end]
