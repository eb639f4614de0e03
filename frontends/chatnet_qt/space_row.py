"""A row of the settings page: what unfinished files and earlier folders take, and their removal."""

from chatnet_client.client_events import Answered
from chatnet_client.words.space import NOTHING, removable_words, space_line
from chatnet_protocol.ipc.commands import CleanUp, FetchSpace, Space
from chatnet_qt.controls import push_button
from chatnet_qt.labels import label
from chatnet_qt.page import Card
from chatnet_qt.session import Session

LOOKING = "Looking…"
REMOVING = "Removing…"
NOT_KNOWN = "Not known now"


class SpaceRow:
    """Two steps: the first names what would go, and the second removes it."""

    def __init__(self, session: Session, card: Card) -> None:
        self._session = session
        self._removable = ""
        self._line = ""
        self.words = label(wrap=True, font="small", ink="text_2")
        self.clean = push_button("Clean up…")
        self.keep = push_button("Keep them")
        self.remove = push_button("Remove", "danger")
        card.add_row("Unfinished and earlier files", self.words, self.clean, self.keep, self.remove)
        self.clean.clicked.connect(self._ask)
        self.keep.clicked.connect(self._settle)
        self.remove.clicked.connect(self._remove)
        self._show(LOOKING)

    def renew(self) -> None:
        """Have the engine look again."""
        self._removable = ""
        self._show(LOOKING)
        self._session.request(FetchSpace(), self._on_answer)

    def _ask(self) -> None:
        """The second question."""
        self._show(f"Remove {self._removable}? What is still needed stays.", asking=True)
        self.keep.setFocus()

    def _settle(self) -> None:
        had_focus = self.keep.hasFocus()
        self._show(self._line)
        if had_focus:
            self.clean.setFocus()

    def _remove(self) -> None:
        self._removable = ""
        self._show(REMOVING)
        self._session.request(CleanUp(), self._on_answer)

    def _on_answer(self, answer: Answered) -> None:
        space = answer.result
        if isinstance(space, Space):
            self._removable = removable_words(space)
            self._line = space_line(space) or NOTHING
        else:
            refused = answer.error is not None and not answer.timed_out
            self._line = answer.error.detail if answer.error and refused else NOT_KNOWN
        self._show(self._line)

    def _show(self, words: str, *, asking: bool = False) -> None:
        self.words.setText(words)
        self.clean.setVisible(not asking)
        self.clean.setEnabled(bool(self._removable))
        self.keep.setVisible(asking)
        self.remove.setVisible(asking)
