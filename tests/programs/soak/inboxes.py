"""Received files: whatever has its final name is whole and right, at every moment, and comes once.

What both sides have put down as done is taken away now and then, as people do with their files.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from checker.histories import History

PARTIAL_FOLDER = ".chatnet-partial"


class Inbox:
    """What landed at one engine of what the other's people offered."""

    def __init__(self, folder: Path, sources: Path) -> None:
        self.folder = folder
        self.sources = sources
        self.landed: dict[str, bytes] = {}
        """Digests by final name, of files taken away too."""
        self.offered: dict[bytes, dict[str, bytes]] = {}
        """Digests by name, by transfer."""
        self.size_bytes = 0
        self._gone: set[str] = set()

    def partials(self) -> int:
        """Files of which a part has arrived."""
        return sum(1 for _ in (self.folder / PARTIAL_FOLDER).glob("*"))

    def note_offers(self, offers: list[dict[str, str]]) -> None:
        """What may arrive."""
        for each in offers:
            digest = bytes.fromhex(each["digest"])
            self.offered[bytes.fromhex(each["id"])] = {each["name"]: digest}

    def look(self, read_offers: Callable[[], list[dict[str, str]]]) -> Iterator[str]:
        """Check what has landed since the last look."""
        # What lands is listed first: a small file is offered and there within milliseconds.
        paths = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        self.note_offers(read_offers())
        known = {name: digest for files in self.offered.values() for name, digest in files.items()}
        for path in paths:
            if not path.is_file():
                continue
            if path.name in self._gone:
                yield f"{path.name} landed twice"
            elif path.name not in self.landed:
                digest = hashlib.blake2b(path.read_bytes()).digest()
                self.landed[path.name] = digest
                self.size_bytes += path.stat().st_size
                if known.get(path.name) != digest:
                    yield f"{path.name} has its final name and is not what was offered"

    def tidy(self, sender: History, receiver: History) -> None:
        """Take away what both sides know to be done."""
        for transfer, files in self.offered.items():
            rows = [side.transfers.get(transfer) for side in (sender, receiver)]
            if all(row is not None and row.state == "done" for row in rows):
                for name in files:
                    if name in self.landed and name not in self._gone:
                        self._gone.add(name)
                        (self.folder / name).unlink()
                        (self.sources / name).unlink()
