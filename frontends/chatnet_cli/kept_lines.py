"""What a terminal chat prints of the texts that no engine has made durable yet. Pure."""

from chatnet_cli import render
from chatnet_cli.transcript import Transcript
from chatnet_client.client_events import Answered
from chatnet_client.kept import KeptTexts, Waiting

TAKE_BACK = "/withdraw takes it back into the line"


class KeptLines:
    """The kept texts of one chat, each printed once while it waits."""

    def __init__(self, texts: KeptTexts, transcript: Transcript) -> None:
        self.texts = texts
        self._transcript = transcript
        self._shown: set[bytes] = set()
        """Ids of texts that wait and were printed; a subset of those kept."""

    def show(self, number: int) -> None:
        """Print what waits for a peer and was not printed yet."""
        waiting = self.texts.texts(number)
        for one in waiting:
            if one.text.id not in self._shown:
                self._show(one)
        self._shown = {one.text.id for one in waiting}

    def handle_written(self, number: int, draft_revision: int, live: bool) -> None:
        """The text that was just added is not in the line any more."""
        self.texts.set_draft_revision(draft_revision)
        if not live:
            self.show(number)

    def handle_answer(self, answer: Answered) -> None:
        """A text that can no longer be sent is printed with its content."""
        refused = self.texts.handle_answer(answer)
        if refused is not None:
            self._show(refused)

    def take_back(self, number: int) -> str | None:
        """The newest text that waits for a peer, which is not sent then."""
        for one in reversed(self.texts.texts(number)):
            text = self.texts.take_back(one.text.id)
            if text is not None:
                return text
        return None

    def _show(self, one: Waiting) -> None:
        text = render.escape_line(one.text.text)
        if one.refused:
            reason = render.escape_line(one.refused)
            self._transcript.say(f"not sent ({reason}): {text} · {TAKE_BACK}", "error")
        else:
            self._transcript.say(f"waiting for the engine: {text}", "own")
