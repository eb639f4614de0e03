"""The order of records that a receiver of files accepts, and what each means. No bytes are kept.

Everything a sender may get wrong ends here: offsets that do not follow, more bytes than announced,
a file that was not offered.
"""

import enum
from collections.abc import Iterator, Sequence

from chatnet_engine.files.file_set import FileSet
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.wire.file_records import (
    DIGEST_BYTES,
    Position,
    RecordType,
    Skip,
    decode_header,
)

_DATA, _FILE, _FILE_END = map(int, (RecordType.DATA, RecordType.FILE, RecordType.FILE_END))
"""Three of them come for each small file."""


def skips(have: FileSet, start: int) -> Iterator[Skip]:
    """The files from `start` on that are here already, as ranges."""
    return (Skip(index, count) for index, count in have.ranges(start))


class Step(enum.Enum):
    """What the owner of the file has to do."""

    BEGIN = enum.auto()
    """Continue the file at the offset, after the bytes that are there."""
    OVER = enum.auto()
    """Forget the file's bytes: it starts over."""
    WRITE = enum.auto()
    CHECK = enum.auto()
    """The body is the digest of the complete file."""
    FINISH = enum.auto()


class IncomingFiles:
    """One connection's worth of files, from `start` on. `sizes`: all sizes as offered, as far as
    they are known; there are `count` files. `have`: those that are not sent."""

    def __init__(
        self,
        sizes: Sequence[int],
        start: Position,
        count: int | None = None,
        have: FileSet | None = None,
    ) -> None:
        self._sizes = sizes
        self._have = have or FileSet()
        self.finished = -1
        """The file that was complete last."""
        self._count = len(sizes) if count is None else count
        self.index = start.index
        self.offset = start.offset
        self._open = False

    def handle(self, record_type: int, body: memoryview) -> Step:
        """What a record asks for. Raises RemoteProtocolError or DecodeError."""
        if record_type == _DATA:
            return self._data(len(body))
        if record_type == _FILE:
            return self._header(bytes(body))
        if record_type == _FILE_END:
            if not self._open or self.offset != self._sizes[self.index]:
                raise RemoteProtocolError("a file ends before its size")
            if len(body) != DIGEST_BYTES:
                raise RemoteProtocolError("a digest has 32 bytes")
            self._open = False
            self.finished = self.index
            self.index = self._have.next_missing(self.index + 1)
            self.offset = 0
            return Step.CHECK
        if record_type == RecordType.END:
            if self._open or self.index != self._count:
                raise RemoteProtocolError("the last record comes before the last file")
            return Step.FINISH
        raise RemoteProtocolError("a record that only a receiver may send")

    def _data(self, length: int) -> Step:
        if not self._open or length == 0:
            raise RemoteProtocolError("data outside a file")
        if self.offset + length > self._sizes[self.index]:
            raise RemoteProtocolError("more bytes than were offered")
        self.offset += length
        return Step.WRITE

    def _header(self, body: bytes) -> Step:
        header = decode_header(body)
        if header.index != self.index or self.index >= len(self._sizes):
            raise RemoteProtocolError("a file out of turn")
        if header.offset == self.offset and not self._open:
            self._open = True
            return Step.BEGIN
        if header.offset != 0:
            raise RemoteProtocolError("a file continues where it did not stop")
        self._open = True
        self.offset = 0
        return Step.OVER
