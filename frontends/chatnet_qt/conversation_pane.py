"""One conversation: news above, bubbles, the button to the end, the composer below.

Puts the parts together and passes signals between them; each part owns its own state.
"""

import time
from functools import cached_property
from typing import TYPE_CHECKING

from chatnet_client.client_events import Answered
from chatnet_client.words.notices import notice_words
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import RemovePeer, RetryPeer, SetPeer, TrustPeer
from chatnet_protocol.ipc.rows import MessageKind, MessageRow
from chatnet_qt.banner import Banner, BannerSlot, Tone, key_banner, link_banner
from chatnet_qt.composer import Composer
from chatnet_qt.conversation_view import ConversationView
from chatnet_qt.day_pin import DayPin
from chatnet_qt.header import Header
from chatnet_qt.jump_button import JumpButton
from chatnet_qt.message_actions import MessageActions
from chatnet_qt.models import ConversationModel
from chatnet_qt.qt import (
    QKeyEvent,
    QResizeEvent,
    QTimer,
    QVBoxLayout,
    QWidget,
    present,
    pyqtSignal,
)
from chatnet_qt.read_marker import ReadMarker
from chatnet_qt.reading_keys import step_of
from chatnet_qt.reply_bar import answerable_beside
from chatnet_qt.restore_strip import RestoreStrip
from chatnet_qt.session import Session
from chatnet_qt.wording import peer_name, shown_name

if TYPE_CHECKING:
    from chatnet_qt.find_bar import FindBar

CLOCK_MS = 5000
"""How often words that hold a duration are renewed."""
HISTORY_FAILED = "That part of the history could not be read. Try again."
NO_SUCH_DAY = "There are no messages from that day on."
NOTICE_MS = 20_000
"""How long news stay that nobody dismisses."""


class ConversationPane(QWidget):
    """The conversation with one peer. `invite_wanted(peer)`: a new invite for it."""

    invite_wanted = pyqtSignal(int)

    def __init__(self, session: Session, peer: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.peer_number = peer
        self.model = ConversationModel(session, peer, self)
        self.view = ConversationView(self.model)
        self.composer = Composer(session, peer)
        self.header = Header(session, peer)
        self.key_strip = BannerSlot("Key", self)
        self.link_strip = BannerSlot("Connection", self)
        self.draft_strip = BannerSlot("Draft", self)
        self.notice_strip = BannerSlot("News", self)
        self.restore_strip = RestoreStrip(session, peer, self)
        self.jump = JumpButton(self.view)
        self.day_pin = DayPin(self.view, self.model)
        self.marker = ReadMarker(session, self.model, self.view, self)
        self.message_actions = MessageActions(session, self.model, self.view, self)
        self._notice_timer = QTimer(self)
        self._notice_timer.setSingleShot(True)
        self._notice_timer.setInterval(NOTICE_MS)
        self._clock = QTimer(self)
        self._clock.setInterval(CLOCK_MS)
        self.composer.box.setAcceptDrops(False)
        self.view.setAcceptDrops(False)
        self._lay_out()
        self._connect()
        self._on_reset()

    def _lay_out(self) -> None:
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.view, 1)
        column.addWidget(self.composer)

    @cached_property
    def find_bar(self) -> "FindBar":
        """Between header and bubbles: made, and its module loaded, when it is opened first."""
        from chatnet_qt.find_bar import FindBar

        bar = FindBar(self._session, self.peer_number)
        bar.found.connect(self._on_found)
        bar.day_chosen.connect(lambda minute: self.model.show_day(minute * 60_000))
        bar.searched.connect(self.view.mark_found)
        bar.closed.connect(self.composer.box.setFocus)
        self._column.insertWidget(1, bar)
        return bar

    def slots(self) -> list[BannerSlot]:
        """News about this conversation, the most urgent first."""
        key, link, restore = self.key_strip, self.link_strip, self.restore_strip
        asked = restore.shown is not None and restore.shown.tone is Tone.WARNING
        news = [restore, link] if asked else [link, restore]
        return [self.notice_strip, key, *news, self.draft_strip]

    def _connect(self) -> None:
        session, view, composer = self._session, self.view, self.composer
        session.was_reset.connect(self._on_reset)
        session.changed.connect(self._on_event)
        session.connection_changed.connect(self._on_connection)
        session.refused.connect(self._on_refused)
        view.seen.connect(self._update_jump)
        view.typed.connect(composer.type_key)
        view.left.connect(composer.box.setFocus)
        self.model.found.connect(view.go_to)
        self.model.day_missed.connect(lambda: self.tell(NO_SUCH_DAY, Tone.INFO))
        self.model.not_found.connect(lambda: self.tell(HISTORY_FAILED))
        composer.send_wanted.connect(self._send)
        composer.refused.connect(self.tell)
        composer.recalled.connect(self._recall)
        composer.box.escaped.connect(self._on_escape)
        composer.conflict_changed.connect(self._on_conflict)
        composer.box.stepped.connect(self._step_reply)
        composer.reply_bar.dropped.connect(view.clearSelection)
        self.message_actions.reply_wanted.connect(self._answer)
        self.message_actions.refused.connect(self.tell)
        self.message_actions.withdrawn.connect(composer.put_back)
        self.message_actions.taken_back.connect(composer.put_below)
        self.header.safety_wanted.connect(self.show_safety_number)
        self.key_strip.acted.connect(self._act)
        self.link_strip.acted.connect(self._act)
        self.draft_strip.acted.connect(lambda _name: composer.take_theirs())
        self.notice_strip.acted.connect(lambda _name: self._hide_notice())
        self.restore_strip.ended.connect(lambda words: self.tell(words, Tone.INFO))
        self.restore_strip.compare_wanted.connect(self.show_safety_number)
        self._notice_timer.timeout.connect(self._hide_notice)
        self.jump.clicked.connect(self._jump)
        self._clock.timeout.connect(self.update_link)
        self._clock.start()

    # --- what people do ---

    def enter(self) -> None:
        """This conversation is the one on screen now."""
        peer = self.model.peer()
        if peer is not None and peer.unread and peer.messages:
            self.model.mark_new_from_here()
            row = self.model.first_new_row()
            if self.view.at_end and row >= 0:
                self.view.go_to_end()
                if row not in self.view.visible_rows():
                    self.view.go_to_row(row)
        (self.view if self.composer.is_closed else self.composer.box).setFocus()
        self.marker.update_marks()
        self._update_jump()

    def leave(self) -> None:
        """Another conversation or window is looked at now."""
        self.marker.handle_leave()

    def tell(self, sentence: str, tone: Tone = Tone.WARNING) -> None:
        """Show news that disappear after a few seconds."""
        self.notice_strip.show_banner(Banner(tone, shown_name(sentence, 400), (("ok", "OK"),)))
        self._notice_timer.start()

    def show_safety_number(self) -> None:
        """Open the digits to compare."""
        from chatnet_qt.safety import SafetyDialog  # as late as its window

        peer = self.model.peer()
        if peer is not None:
            dialog = SafetyDialog(self._session, peer.info, self)
            dialog.review_wanted.connect(self.show_offered_key)
            dialog.show()

    def show_offered_key(self) -> None:
        """Open the question about a key that was refused."""
        from chatnet_qt.safety import KeyChangedDialog  # as late as its window

        peer = self.model.peer()
        if peer is not None:
            KeyChangedDialog(self._session, peer.info, self).show()

    def update_link(self) -> None:
        """Say anew what the link is doing."""
        peer = self.model.peer()
        known = peer is not None and self._session.online
        banner = link_banner(peer, int(time.time() * 1000)) if peer and known else None
        self.link_strip.show_banner(banner)
        self.key_strip.show_banner(key_banner(peer) if peer and known else None)

    def _send(self, text: str, revision: int, paths: list[str]) -> None:
        if paths and not self._session.offer_files(self.peer_number, paths):
            self.composer.attachments.add(paths)
            self.tell("Too many messages wait for the engine.")
        if text:
            self._session.hand_over(revision)
        self.view.go_to_end()

    def _answer(self, message_id: bytes) -> None:
        """What is written next answers this message."""
        row = self.model.row_of(message_id)
        if row >= 0:
            self.composer.reply_bar.answer(self.model.quotes.quote(self.model.message(row)))
            self.composer.box.setFocus()

    def _step_reply(self, by: int) -> None:
        """Answer the message above or below the one that was chosen; below the newest, none."""
        rows = map(self.model.message, range(self.model.rowCount()))
        row = answerable_beside(rows, self.composer.reply_bar.message_id, by)
        if row is None:
            self.composer.reply_bar.drop()
            return
        self._answer(row.id)
        self.view.go_to(row.id)

    def _recall(self) -> None:
        """The last own text, to be sent again or changed first."""
        rows = map(self.model.message, reversed(range(self.model.rowCount())))
        own = (row.text for row in rows if row.mine and row.kind == MessageKind.TEXT)
        self.composer.put_back(next(own, ""))

    def _on_escape(self) -> None:
        """Esc while one writes: whatever is open closes, then back to the newest message."""
        if self.composer.reply_bar.message_id:
            self.composer.reply_bar.drop()
        elif "find_bar" in vars(self) and self.find_bar.isVisible():
            self.find_bar.close_bar()
        elif self.notice_strip.shown is not None:
            self._hide_notice()
        else:
            self.view.go_to_end()

    def set_pictures(self, on: bool) -> None:
        """Whether pictures are shown in this conversation."""
        self.model.pictures.set_shown(on)
        self.view.relay()

    def _act(self, name: str) -> None:
        number = self.peer_number
        if name == "retry":
            self._session.request(RetryPeer(number))
        elif name == "accept":
            self._session.request(TrustPeer(number, "accept"))
        elif name == "block":
            self._session.request(SetPeer(number, blocked=True))
        elif name == "key":
            self.show_offered_key()
        elif name == "keep":
            self._keep_refusing()
        elif name == "uninvite":
            self._session.request(RemovePeer(number))
        elif name == "invite":
            self.invite_wanted.emit(number)

    def _keep_refusing(self) -> None:
        peer = self.model.peer()
        if peer is not None and peer.info.offered_key:
            self._session.request(TrustPeer(self.peer_number, "keep", peer.info.offered_key))

    # --- what happens ---

    def _on_connection(self) -> None:
        self.update_link()
        if self.model.rowCount() == 0:
            present(self.view.viewport()).update()  # it says whether they are connected
        self.restore_strip.update_restore()

    def _on_reset(self) -> None:
        self._on_connection()
        self._update_jump()

    def _on_event(self, event: ev.Event) -> None:
        if isinstance(event, ev.LinkChanged | ev.PeerChanged | ev.RestoreChanged):
            if event.row.peer == self.peer_number:
                self._on_connection()
            return
        if getattr(event, "peer", 0) != self.peer_number:
            return
        match event:
            case ev.MessagesAdded():
                self.marker.handle_arrival(event)
            case ev.MarksMoved():
                self._update_jump()
            case ev.Notice():
                tones = {"info": Tone.INFO, "error": Tone.DANGER}
                peer = self._session.peer(event.peer)
                name = peer_name(peer.info) if peer else f"peer {event.peer}"
                self.tell(notice_words(event, name), tones.get(event.level, Tone.WARNING))
            case _:
                pass  # the view shows it

    def _on_refused(self, peer: int, sentence: str, _answer: Answered | None = None) -> None:
        if peer in (0, self.peer_number):
            self.tell(sentence)

    def _on_found(self, row: MessageRow) -> None:
        self.model.show_message(row)

    def _on_conflict(self, conflicted: bool) -> None:
        words = "A different draft was written in another window. Yours is kept here."
        theirs = (("theirs", "Use that one"),)
        self.draft_strip.show_banner(Banner(Tone.INFO, words, theirs) if conflicted else None)

    def _hide_notice(self) -> None:
        self._notice_timer.stop()
        self.notice_strip.show_banner(None)

    def _jump(self) -> None:
        """First to what is new, then to the end."""
        row = self.model.first_new_row()
        rows = self.view.visible_rows()
        if row >= 0 and rows and row > rows[-1]:
            self.view.go_to_row(row)
        else:
            self.view.go_to_end()

    def _update_jump(self) -> None:
        peer = self.model.peer()
        unread = peer.unread if peer else 0
        self.jump.count = unread if self.model.new_after is not None else 0
        self.jump.setVisible(not self.view.at_end and self.model.rowCount() > 0)
        self._place_jump()

    def _place_jump(self) -> None:
        self.jump.place(self.view.rect(), present(self.view.verticalScrollBar()).width())

    # --- Qt's events ---

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """The conversation is read with the same keys wherever the focus is."""
        step = step_of(event) if event is not None else None
        if step is not None:
            self.view.read(step)
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep the button in its corner."""
        super().resizeEvent(event)
        QTimer.singleShot(0, self._place_jump)
