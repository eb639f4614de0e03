"""One peer's draft, shared by all front ends of the session. Pure: no Qt, no clock.

untouched: a change elsewhere is taken over
edited here: shared after a pause; whoever comes second keeps its own text and is told
apart: somebody else's draft stands in the session, ours stays in this window
"""

from dataclasses import dataclass

PAUSE_S = 0.4
"""Quiet time after the last key before a draft is shared."""
LATEST_S = 2.0
"""A draft is shared after this long even if typing goes on."""


@dataclass(frozen=True)
class Share:
    """Ask the engine to make `text` the draft in place of revision `base_revision`."""

    text: str
    base_revision: int


class Draft:
    """What is written here (`text`) against what the session has (`shared_text`)."""

    def __init__(self) -> None:
        self.text = ""
        self.shared_text = ""
        self.revision = 0
        self.apart = False
        self._asked: str | None = None
        self._edited_since: float | None = None
        self._edited_last = 0.0

    def handle_edit(self, text: str, now: float) -> None:
        """The person changed the text to `text`."""
        if text == self.text:
            return
        self.text = text
        self._edited_last = now
        if self._edited_since is None:
            self._edited_since = now
        if text == self.shared_text:
            self.apart = False

    def handle_shared(self, text: str, revision: int, cleared: bool) -> bool:
        """The session's draft changed; true if the text to be shown here did so too.

        `cleared`: a sent message emptied it.
        """
        if revision <= self.revision:
            return False
        untouched = self.text == self.shared_text
        ours = text == self._asked
        self.revision, self.shared_text = revision, text
        if ours or text == self.text:
            self.apart = False
            return False
        if untouched or not self.text:
            self.text = text
            self.apart = False
            self._edited_since = None
            return True
        self.apart = not cleared and bool(text)
        return False

    def handle_answer(self, accepted: bool, text: str, revision: int) -> None:
        """The engine's answer to the last Share; a refused one leaves our text as it is."""
        self._asked = None
        if revision >= self.revision:
            self.revision, self.shared_text = revision, text
        if not accepted and self.text and self.text != self.shared_text:
            self.apart = bool(self.shared_text)
        if self._edited_since is None and self.text != self.shared_text:
            self._edited_since = self._edited_last

    def handle_failure(self) -> None:
        """The engine did not take the last Share: it is asked again after the next edit."""
        self._asked = None

    def handle_snapshot(self, text: str, revision: int) -> bool:
        """After a reconnect: as `handle_shared`, but a smaller revision counts as well."""
        self._asked = None
        if revision < self.revision:
            self.revision = 0
        elif revision == self.revision:
            return False
        return self.handle_shared(text, revision, cleared=not text)

    def take_sent(self) -> tuple[str, int]:
        """The text that is being sent and the revision it clears; the box is empty from now.

        A share under way will have the next revision: the engine takes commands in order.
        """
        text, revision = self.text, self.revision
        if self._asked is not None:
            revision += 1
        clears = not self.apart and bool(self.shared_text or self._asked)
        self.text = ""
        self._edited_since = None
        if clears:
            self.shared_text = ""
        elif self.apart:
            self.text = self.shared_text
            self.apart = False
        return text, revision if clears else 0

    def take_theirs(self) -> str:
        """Give up the own text for the session's draft."""
        self.text = self.shared_text
        self.apart = False
        self._edited_since = None
        return self.text

    def take_share(self, now: float) -> Share | None:
        """What is to be sent now, if anything; one is under way at a time."""
        due = self.next_timeout()
        if due is None or now < due:
            return None
        self._edited_since = None
        self._asked = self.text
        return Share(self.text, self.revision)

    def take_flush(self) -> Share | None:
        """What has to be shared before the window goes."""
        if self.apart or self.text == self.shared_text:
            return None
        self._asked = self.text
        self._edited_since = None
        return Share(self.text, self.revision)

    def next_timeout(self) -> float | None:
        """When `take_share` will have something, if nothing else happens."""
        if self._edited_since is None or self.apart or self._asked is not None:
            return None
        if self.text == self.shared_text:
            return None
        return min(self._edited_last + PAUSE_S, self._edited_since + LATEST_S)
