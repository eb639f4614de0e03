"""Tells the engine what a person could see and has read, and places the "new messages" line.

Shown: the message was on a visible part of the window. Read: the window was active and showed the
end. Each is sent once per step; repeats are idempotent, but every one is a packet to the peer.
"""

from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import MarkRead, MarkShown
from chatnet_qt.conversation_view import ConversationView
from chatnet_qt.models import ConversationModel
from chatnet_qt.qt import QObject
from chatnet_qt.session import Session


class ReadMarker(QObject):
    """For one conversation; the pane says when something may have changed."""

    def __init__(
        self, session: Session, model: ConversationModel, view: ConversationView, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._model = model
        self._view = view
        self._sent_shown = 0
        self._sent_read = 0
        self._covered = False
        session.was_reset.connect(self._on_reset)
        view.seen.connect(self.update_marks)

    def handle_arrival(self, event: ev.MessagesAdded) -> None:
        """Messages came: those that nobody is looking at get the line above them."""
        incoming = any(not row.mine for row in event.rows)
        if incoming and not (self._is_active() and self._view.at_end):
            self._model.mark_new_from_here()
        if any(row.mine for row in event.rows):
            self._model.clear_new_line()

    def handle_leave(self) -> None:
        """The person turns away: what has been read is new no longer."""
        peer = self._model.peer()
        if peer is not None and peer.unread == 0:
            self._model.clear_new_line()

    def set_covered(self, on: bool) -> None:
        """While something hides the conversation, nobody sees what arrives."""
        self._covered = on
        self.update_marks()

    def update_marks(self) -> None:
        """Tell the engine if more has been shown or read than it knows."""
        peer = self._model.peer()
        window = self._view.window()
        if self._covered:
            return
        if peer is None or not self._view.isVisible() or window is None or window.isMinimized():
            return
        if not self._session.online:
            return
        seen = [self._model.message(row) for row in self._view.visible_rows()]
        shown = max((row.ack for row in seen if not row.mine), default=0)
        if shown > max(peer.my_shown, self._sent_shown):
            self._sent_shown = shown
            self._session.request(MarkShown(peer.info.peer, shown), lambda _answer: None)
        read = peer.last_ack
        if self._is_active() and self._view.at_end and read > max(peer.my_read, self._sent_read):
            self._sent_read = read
            self._session.request(MarkRead(peer.info.peer, read), lambda _answer: None)

    def _is_active(self) -> bool:
        window = self._view.window()
        return window is not None and window.isActiveWindow() and self._view.isVisible()

    def _on_reset(self) -> None:
        self._sent_shown = self._sent_read = 0
