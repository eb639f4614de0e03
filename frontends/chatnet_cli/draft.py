"""Owns the line being written, shared with the other front ends of the session. Pure.

The draft has revisions; a write names the one it replaces. Somebody who writes meanwhile wins, and
whoever loses keeps the own text and stops sharing it until the line is empty again.
"""

from chatnet_protocol.ipc.commands import DraftSet, SetDraft
from chatnet_protocol.limits import MAX_DRAFT_BYTES

DEBOUNCE_S = 0.4
"""How long a line has to rest before it is shared."""


class SharedDraft:
    """One peer's draft and the local line."""

    def __init__(self, peer: int, text: str, revision: int) -> None:
        self.peer = peer
        self.line = text
        """What the local line holds."""
        self._common = text
        """What line and draft last had in common; equal to the line while nobody typed here."""
        self._revision = revision
        self._writing = 0
        """The revision that a write under way will have; 0: none is."""
        self._alone = False
        self._due: float | None = None

    @property
    def revision(self) -> int:
        """The revision that a message sent now replaces, counting a write that is under way."""
        if self._alone:
            return 0
        return max(self._revision, self._writing)

    def typed(self, line: str, now: float) -> None:
        """The person changed the line."""
        self.line = line
        if not line:
            self._alone = False
        # Even if this is what draft and line have in common: a write may be under way.
        self._due = now + DEBOUNCE_S

    def sent(self) -> None:
        """The line went off as a message: it is empty, and the engine clears the draft."""
        self.line = self._common = ""
        self._alone = False
        self._due = None

    def changed(self, text: str, revision: int, ours: bool) -> tuple[bool, bool]:
        """The draft is another one: (whether the line follows, whether ours stays different)."""
        if revision <= self._revision:
            return False, False
        self._revision = revision
        if ours:
            self._common = text
            return False, False
        if self.line == self._common:
            follows = self.line != text
            self.line = self._common = text
            self._due = None
            return follows, False
        self._common = text
        if text and text != self.line:
            self._alone = True
            self._due = None
            return False, True
        return False, False

    def reopened(self, text: str, revision: int) -> bool:
        """What the draft is after the engine was away; whether the line follows."""
        self._writing = 0
        self._revision = revision
        follows = self.line == self._common != text
        if follows:
            self.line = text
        elif text not in (self._common, self.line, ""):
            self._alone = True
        self._common = text
        return follows

    def answered(self, result: DraftSet | None) -> bool:
        """A write has ended; whether somebody else was first (the line stays)."""
        self._writing = 0
        if result is None:
            return False
        if result.revision >= self._revision:
            self._revision = result.revision
            self._common = result.text
        if result.accepted:
            return False
        self._alone = bool(self.line) and result.text != self.line
        self._due = None
        return self._alone

    def take_command(self, now: float) -> SetDraft | None:
        """The write that is due, if one is."""
        if self._due is None or now < self._due or self._writing or self._alone:
            return None
        self._due = None
        if self.line == self._common or self.line.startswith("/"):
            return None
        if len(self.line.encode()) > MAX_DRAFT_BYTES:
            return None
        self._writing = self._revision + 1
        return SetDraft(self.peer, self.line, self._revision)

    def next_timeout(self) -> float | None:
        """When a write will be due."""
        return None if self._writing or self._alone else self._due
