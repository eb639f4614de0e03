"""Owns one snapshot while its parts are fetched: which are here, which to ask for next."""

from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.commands import Attached, FetchSnapshot
from chatnet_protocol.ipc.view import MAX_SNAPSHOT_BYTES, View
from chatnet_protocol.limits import SNAPSHOT_PART_BYTES

PARTS_UNDER_WAY = 4
MAX_PARTS = MAX_SNAPSHOT_BYTES // SNAPSHOT_PART_BYTES
"""A snapshot of more parts is refused before the first is fetched."""


class SnapshotFetch:
    """The parts of the snapshot that `attached` names."""

    def __init__(self, attached: Attached) -> None:
        """Raises DecodeError for more than MAX_PARTS parts."""
        if attached.parts > MAX_PARTS:
            raise DecodeError("the snapshot is too large")
        self.attached = attached
        self._parts: dict[int, bytes] = {}
        self._asked = 0

    @property
    def is_complete(self) -> bool:
        """Whether every part is here."""
        return len(self._parts) == self.attached.parts

    def handle_part(self, part: int, data: bytes) -> None:
        """Keep one part."""
        if 0 <= part < self.attached.parts:
            self._parts[part] = data

    def take_requests(self) -> list[FetchSnapshot]:
        """The next parts to ask for, so that PARTS_UNDER_WAY are under way."""
        until = min(self.attached.parts, len(self._parts) + PARTS_UNDER_WAY)
        first, self._asked = self._asked, max(self._asked, until)
        boot, seq = self.attached.boot, self.attached.seq
        return [FetchSnapshot(boot, seq, part) for part in range(first, until)]

    def view(self) -> View:
        """The view that the parts make. Raises DecodeError."""
        return View.from_parts([self._parts[part] for part in sorted(self._parts)])
