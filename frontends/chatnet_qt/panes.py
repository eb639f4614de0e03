"""The conversations of one window: one pane each, made when it is opened first, then kept."""

from collections.abc import Collection

from chatnet_protocol.limits import MAX_PEERS
from chatnet_qt.bubble_layout import Numbers
from chatnet_qt.conversation_pane import ConversationPane
from chatnet_qt.qt import QObject, QPoint, QStackedWidget, pyqtSignal
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings


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

    def __len__(self) -> int:
        return len(self._all)

    @property
    def pane(self) -> ConversationPane | None:
        """The current conversation."""
        return self._all.get(self.current)

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
        return pane

    def _make(self, number: int) -> ConversationPane:
        pane = ConversationPane(self._session, number)
        pane.view.set_numbers(self._settings.numbers)
        pane.set_pictures(self._settings.pictures)
        pane.marker.set_covered(self._covered)
        pane.header.wanted.connect(self.header_used)
        pane.invite_wanted.connect(self.invite_wanted)
        pane.composer.emoji_wanted.connect(self.emoji_wanted)
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

    def flush(self) -> None:
        """Share what is written: the window goes."""
        for pane in self._all.values():
            pane.composer.flush()
