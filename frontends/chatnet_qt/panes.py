"""The conversations of one window: one pane each, made when it is opened first, then kept.

Which one is on screen, and what is read in it, is written down for the next window.
"""

from collections.abc import Collection, Sequence

from chatnet_protocol.limits import MAX_PEERS
from chatnet_qt.bubble_layout import Numbers
from chatnet_qt.conversation_pane import ConversationPane
from chatnet_qt.qt import QObject, QPoint, QStackedWidget, QTimer, pyqtSignal
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings

KEEP_MS = 300
"""A place is written down this long after it was reached: not at every step of scrolling."""


class Panes(QObject):
    """Signals of the conversation on screen: `header_used(name)`; `invite_wanted(peer)`;
    `emoji_wanted(insert, corner)`."""

    header_used = pyqtSignal(str)
    invite_wanted = pyqtSignal(int)
    emoji_wanted = pyqtSignal(object, QPoint)

    def __init__(
        self, session: Session, settings: Settings, stack: QStackedWidget, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._settings = settings
        self._stack = stack
        self._all: dict[int, ConversationPane] = {}
        self._folded = False
        self._covered = False
        self.current = 0
        """The peer whose conversation is on screen, or was before a page took its place."""
        self._last = settings.place
        """Where an earlier window was, until that conversation is opened."""
        self._keeping = QTimer(self)
        self._keeping.setSingleShot(True)
        self._keeping.setInterval(KEEP_MS)
        self._keeping.timeout.connect(self._keep_place)

    def __len__(self) -> int:
        return len(self._all)

    @property
    def pane(self) -> ConversationPane | None:
        """The current conversation."""
        return self._all.get(self.current)

    def first_of(self, numbers: Sequence[int]) -> int:
        """Which of these to begin with: the one that an earlier window showed."""
        return self._last[0] if self._last[0] in numbers else numbers[0]

    def open(self, number: int) -> ConversationPane:
        """Put the conversation with a peer in its place."""
        if self.pane is not None:
            self.pane.leave()
        if number not in self._all:
            self._all[number] = self._make(number)
            assert len(self._all) <= MAX_PEERS
        self.current = number
        pane = self._all[number]
        pane.header.set_folded(self._folded)
        self._stack.setCurrentWidget(pane)
        peer, message, px = self._last
        if number == peer:
            self._last = (0, b"", 0)
            if message:
                pane.view.place.go_back((message, px))
        self._keeping.start()
        return pane

    def _make(self, number: int) -> ConversationPane:
        pane = ConversationPane(self._session, number)
        pane.view.set_numbers(self._settings.numbers)
        pane.set_pictures(self._settings.pictures)
        pane.marker.set_covered(self._covered)
        pane.header.wanted.connect(self.header_used)
        pane.invite_wanted.connect(self.invite_wanted)
        pane.composer.emoji_wanted.connect(self.emoji_wanted)
        pane.view.seen.connect(self._place_moved)
        self._stack.addWidget(pane)
        return pane

    def keep_only(self, numbers: Collection[int]) -> bool:
        """Peers that are gone take their conversations along; whether one was."""
        gone = [number for number in self._all if number not in numbers]
        for number in gone:
            pane = self._all.pop(number)
            self._stack.removeWidget(pane)
            pane.deleteLater()
        return bool(gone)

    def set_numbers(self, when: Numbers) -> None:
        """When ACK number and source stand beside messages, everywhere."""
        self._settings.numbers = when
        for pane in self._all.values():
            pane.view.set_numbers(when)

    def set_pictures(self, on: bool) -> None:
        """Whether pictures are shown."""
        for pane in self._all.values():
            pane.set_pictures(on)

    def set_folded(self, on: bool) -> None:
        """Whether the list is a step back from the conversation."""
        self._folded = on
        for pane in self._all.values():
            pane.header.set_folded(on)

    def set_covered(self, on: bool) -> None:
        """Whether nobody can read what is on screen."""
        self._covered = on
        for pane in self._all.values():
            pane.marker.set_covered(on)

    def _place_moved(self) -> None:
        if not self._keeping.isActive():
            self._keeping.start()

    def _keep_place(self) -> None:
        if self.pane is None:
            return
        message, px = self.pane.view.place.kept or (b"", 0)
        if (place := (self.current, message, px)) != self._settings.place:
            self._settings.place = place

    def flush(self) -> None:
        """Share what is written, keep the place: the window goes."""
        self._keep_place()
        for pane in self._all.values():
            pane.composer.flush()
