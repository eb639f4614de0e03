"""One peer's draft, shared by all front ends of the session. Pure: no I/O, no clock.

The session holds one draft for each peer, with a revision. A write (`SetDraft`) names the revision
that it replaces, so of two people who write at once one comes second. The rules that keep every
front end alike:

untouched: whatever the session's draft becomes, the own text follows
edited: the own text is shared a few times a second, one write at a time
conflicted: somebody else was first; the own text stays here, is shared no more, and sending it
leaves
    the other's draft alone; once it is sent, emptied or discarded, the other's is shown

A front end keeps one `SharedDraft` for each conversation that it shows:

- `handle_edit` when the person changes the text, `handle_changed` for each `DraftChanged` of the
  peer, `handle_snapshot` after a `Reset`, `handle_answer` when a write was answered or failed;
- whenever one of these returns true, what has to be shown has become `text`;
- `take_command(now)` at `next_timeout()` gives the `SetDraft` to ask, `take_flush()` the last one
  before leaving;
- `take_sent()` when the text is sent gives the `draft_revision` of that `SendMessage`, after which
  `text` is what has to be shown.

Times are seconds of any clock that does not go back.
"""

from chatnet_protocol.ipc.commands import DraftSet, SetDraft
from chatnet_protocol.limits import MAX_DRAFT_BYTES

SHARE_S = 0.3
"""What is typed is shared, and by that stored, so long after the first key that was not yet.
A front end that is killed loses no more than that; fast typing is a few writes a second."""


class SharedDraft:
    """What is written here (`text`) against what the session has."""

    def __init__(self, peer: int, text: str = "", revision: int = 0) -> None:
        self.peer = peer
        self.text = text
        """What has to stand in the box or line of this front end."""
        self.conflicted = False
        """Whether the session has somebody else's draft while ours is kept here."""
        self._shared_text = text
        self._revision = revision
        self._asked: SetDraft | None = None
        """The newest write; kept after its end, to recognise its event."""
        self._under_way = False
        self._sent_revision: int | None = None
        """The revision that a message sent from here clears."""
        self._private = False
        self._edited_since: float | None = None
        self._edited_last = 0.0

    # --- inputs ------------------------------------------------------------------------------

    def handle_edit(self, text: str, now: float, *, private: bool = False) -> bool:
        """The person changed the text to `text`; true if another one has to be shown instead.

        `private`: not for sharing, such as a command for the front end itself.
        """
        if text == self.text:
            return False
        if self.conflicted and not text:
            self._replace(self._shared_text)
            return True
        self.text, self._private = text, private
        self._edited_last = now
        if self._edited_since is None:
            self._edited_since = now
        if text == self._shared_text:
            self.conflicted = False
        return False

    def handle_changed(self, text: str, revision: int) -> bool:
        """The session's draft is another one; whether `text` is so too."""
        if revision <= self._revision:
            return False
        return self._learn(text, revision, self._is_ours(text, revision))

    def handle_snapshot(self, text: str, revision: int) -> bool:
        """As `handle_changed`, from a snapshot: a smaller revision counts as well."""
        return self._learn(text, revision, self._is_ours(text, revision))

    def handle_answer(self, command: SetDraft, result: DraftSet | None) -> bool:
        """A write has ended; None: it failed, and is tried again by the next edit.

        True if another text has to be shown. Answers to writes of others are ignored.
        """
        if not self._under_way or command != self._asked:
            return False
        self._under_way = False
        if result is None or result.revision < self._revision:
            return False
        return self._learn(result.text, result.revision, result.accepted)

    # --- outputs -----------------------------------------------------------------------------

    def take_command(self, now: float) -> SetDraft | None:
        """The write that is due, if one is."""
        due = self.next_timeout()
        if due is None or now < due:
            return None
        self._edited_since = None
        return self._write()

    def take_flush(self) -> SetDraft | None:
        """What has to be shared before the front end goes, if anything."""
        coming = self._asked.text if self._asked and self._under_way else self._shared_text
        if self.conflicted or self._private or self.text == coming:
            return None
        return self._write()

    def take_sent(self) -> int:
        """The text is being sent: the revision that its message clears; 0: none.

        A write under way will have the next revision: the engine takes commands in order.
        """
        if self.conflicted:
            self._replace(self._shared_text)
            return 0
        clears = bool(self._shared_text) or self._under_way
        revision = self._coming_revision() if clears else 0
        self._sent_revision = revision or None
        self._shared_text = ""
        self._replace("")
        return revision

    def take_theirs(self) -> str:
        """Discard the own text and show the session's draft."""
        self._replace(self._shared_text)
        return self.text

    def next_timeout(self) -> float | None:
        """When `take_command` will have something, if nothing else happens."""
        if self._edited_since is None or self.conflicted or self._under_way or self._private:
            return None
        if self.text == self._shared_text:
            return None
        return self._edited_since + SHARE_S

    # --- inside ------------------------------------------------------------------------------

    def _learn(self, text: str, revision: int, ours: bool) -> bool:
        untouched = self.text == self._shared_text
        same = text == self._shared_text
        self._revision, self._shared_text = revision, text
        follows = False
        if ours or text == self.text:
            self.conflicted = False
        elif untouched or not self.text:
            self._replace(text)
            follows = True
        elif not same:
            self.conflicted = bool(text)
        # A draft that was sent is about to be cleared by its message, and need not be by us.
        waits_for_clearing = self._revision == self._sent_revision
        if self.text != text and self._edited_since is None and not waits_for_clearing:
            self._edited_since = self._edited_last
        return follows

    def _is_ours(self, text: str, revision: int) -> bool:
        asked = self._asked
        return asked is not None and (text, revision) == (asked.text, asked.base_revision + 1)

    def _coming_revision(self) -> int:
        """What the revision is after a write that is under way. Its event may come first."""
        asked = self._asked
        if asked is not None and self._under_way and asked.base_revision == self._revision:
            return self._revision + 1
        return self._revision

    def _write(self) -> SetDraft | None:
        try:
            size = len(self.text.encode())
        except UnicodeEncodeError:  # a lone surrogate of a broken terminal
            return None
        if size > MAX_DRAFT_BYTES:
            return None
        self._asked = SetDraft(self.peer, self.text, self._coming_revision())
        self._under_way = True
        return self._asked

    def _replace(self, text: str) -> None:
        self.text = text
        self.conflicted = self._private = False
        self._edited_since = None
