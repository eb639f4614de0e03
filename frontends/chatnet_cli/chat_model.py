"""Owns what a chat in a terminal shows and asks, without a terminal. Pure.

Client events, lines and keystrokes go in; lines to print, commands to send and the text of the
line being written come out. The interactive face and the one for pipes are loops around it.
"""

from collections.abc import Callable

from chatnet_cli import render
from chatnet_cli.hints import IN_CHAT, Hints
from chatnet_cli.kept_lines import KeptLines
from chatnet_cli.news import News
from chatnet_cli.outage_lines import outage_lines
from chatnet_cli.status_line import status_lines
from chatnet_cli.targets import is_meant
from chatnet_cli.transcript import Line, Transcript
from chatnet_client.client_events import (
    Answered,
    Changed,
    ClientEvent,
    ClientFailed,
    EngineLost,
    Live,
    Missed,
    Refused,
    Reset,
)
from chatnet_client.draft import SharedDraft
from chatnet_client.kept import KeptTexts
from chatnet_client.mirror import Mirror
from chatnet_client.words import count_words, restarted_words
from chatnet_protocol.ipc.commands import (
    Command,
    DraftSet,
    HistoryPage,
    MarkRead,
    MarkShown,
    Queued,
    SendMessage,
    SetDraft,
    SetTyping,
    WithdrawMessage,
)
from chatnet_protocol.ipc.events import (
    DraftChanged,
    MessagesAdded,
    MessagesDelivered,
)
from chatnet_protocol.ipc.rows import AckRange, LinkState, MessageRow
from chatnet_protocol.ipc.view import PeerView, screen_order
from chatnet_protocol.text import valid_text

FIRST_ROWS = 20
"""Messages shown when a chat opens; more by /history."""
TYPING_REPEAT_S = 3.0


class ChatModel:
    """A chat with one peer of a session."""

    def __init__(
        self,
        wanted_peer: str | None,
        *,
        watched: bool,
        new_id: Callable[[], bytes],
        has_line: bool = True,
        hints: Hints = IN_CHAT,
        kept: KeptTexts | None = None,
    ) -> None:
        """`watched`: a person sees what is printed. `has_line`: a person writes a line here, which
        is the session's draft; without one the draft is somebody else's and left alone. `hints`:
        how advice names commands. `kept`: where texts wait until they are durable."""
        self.mirror = Mirror()
        self.number = 0
        """The peer that is talked to; 0 before the first snapshot."""
        self.done = False
        self.failed = False
        """Whether a message could not be queued."""
        self.unanswered = 0
        """Messages handed over and not durable yet."""
        self._wanted = wanted_peer
        self._watched = watched
        self._has_line = has_line
        self._news = News(hints)
        self.transcript = Transcript(watched=watched)
        self._kept = KeptLines(kept, self.transcript) if kept is not None else None
        self._new_id = new_id
        self._commands: list[Command] = []
        self._draft: SharedDraft | None = None
        self._new_input: str | None = None
        self._typing_until = 0.0
        self._shown, self._was_lost = 0, False
        self._queued_no = 0
        self._away_seq = 0
        """The newest own message that was written while the link was down."""

    @property
    def is_settled(self) -> bool:
        """Whether everything that was sent is durable, and was printed."""
        view = self.mirror.view
        return not self.unanswered and (view is None or view.last_no >= self._queued_no)

    @property
    def peer(self) -> PeerView | None:
        """The conversation that is shown."""
        return self.mirror.peer(self.number)

    # --- inputs ------------------------------------------------------------------------------

    def handle_event(self, event: ClientEvent) -> None:
        """Whatever the client tells."""
        self.mirror.handle(event)
        self.transcript.handle_event(event)
        match event:
            case Reset(view=view) if self.number:
                if view.session.restarts and self._was_lost:
                    self.say(restarted_words(view.session))
                self._was_lost = False
                self._open_draft()
            case Missed() | Changed() if not self.number:
                pass  # the snapshot may be seconds old; the chat opens once it is the present
            case Missed(rows=rows, peers=peers):
                for row, number in zip(rows, peers, strict=False):
                    # Restored rows are old: /history shows them in their place.
                    if not row.restored:
                        self._message(number, row)
            case Changed():
                self._changed(event)
            case EngineLost():
                self._was_lost = True
                for line in outage_lines(event, self.mirror):
                    self.say(line)
                if self._kept and self.number:
                    self._kept.show(self.number)
            case Refused(text=text, final=False):
                self.say(text, "error")
            case Refused(text=text) | ClientFailed(reason=text):
                self.fail(text)
                self.done = True
            case Answered():
                self._answered(event)
            case Live():
                if self._kept:
                    self._kept.texts.adopt(self.mirror.draft)
                if not self.number:
                    self._open()
                self._mark()
            case _:
                pass

    def send_text(self, text: str, reply_to: bytes = b"") -> None:
        """Send one message to the peer that is shown, which may answer another one of theirs."""
        text = valid_text(text)
        if not text.strip():
            return
        if not self.number:
            self.say("not connected to the engine yet", "error")
            self._new_input = text
            return
        if self._kept and (problem := self._kept.texts.add(self.number, text, 0, reply_to)):
            self.say(problem, "error")
            self._new_input = text
            return
        revision = 0
        if self._draft:
            revision = self._draft.take_sent()
            self._new_input = self._draft.text or self._new_input
        self._typing_until = 0.0
        if self._kept is None:
            self.ask(SendMessage(self._new_id(), self.number, text, revision, 0, reply_to))
            self.unanswered += 1
        else:
            self._kept.handle_written(self.number, revision, self.mirror.live)

    def typed(self, line: str, now: float) -> None:
        """The line being written changed."""
        line = valid_text(line)
        if self._draft is None or line == self._draft.text:
            return
        is_command = line.startswith("/")
        if self._draft.handle_edit(line, now, private=is_command):
            self._new_input = self._draft.text
        typing = bool(line) and not is_command
        if typing and now >= self._typing_until:
            self._typing_until = now + TYPING_REPEAT_S
            self.ask(SetTyping(self.number, True))
        elif not typing and self._typing_until:
            self._typing_until = 0.0
            self.ask(SetTyping(self.number, False))

    def handle_timeout(self, now: float) -> None:
        """Share the draft when it is due."""
        command = self._draft.take_command(now) if self._draft else None
        if command is not None:
            self.ask(command)
        if self._kept:
            self._kept.texts.handle_timeout(now)

    def ask(self, command: Command) -> None:
        """A command for the engine."""
        self._commands.append(command)

    def say(self, text: str, style: str = "quiet") -> None:
        """A line for the screen that is nobody's message."""
        self.transcript.say(text, style)

    def fail(self, text: str) -> None:
        """Something that this chat was to do cannot be done: it will end with FAILED."""
        self.say(text, "error")
        self.failed = True

    def switch(self, number: int) -> None:
        """Show another peer."""
        self.number = number
        self.transcript.start_over()
        self._away_seq = 0
        self._show_peer()

    # --- outputs -----------------------------------------------------------------------------

    def take_lines(self) -> list[Line]:
        """What to print."""
        return self.transcript.take_lines()

    def take_commands(self) -> list[Command]:
        """What to send."""
        asked = self.transcript.take_command()
        commands, self._commands = [*self._commands, *([asked] if asked else [])], []
        if self._kept:
            commands += self._kept.texts.take_commands(self.mirror.live)
        return commands

    def take_input(self) -> str | None:
        """What the line being written has to become: another front end wrote it."""
        text, self._new_input = self._new_input, None
        return text

    def next_timeout(self) -> float | None:
        """When handle_timeout has something to do."""
        owners = (self._draft, self._kept and self._kept.texts)
        times = [owner.next_timeout() for owner in owners if owner]
        return min((due for due in times if due is not None), default=None)

    def status(self, width: int) -> list[str]:
        """The lines at the bottom: transfers under way, then peer and link."""
        return status_lines(self.mirror, self.number, width)

    # --- inside ------------------------------------------------------------------------------

    def _open(self) -> None:
        assert self.mirror.view is not None
        known = self.mirror.view.peers
        wanted = self._wanted
        numbers = [p.info.peer for p in known if wanted is None or is_meant(p.info, wanted)]
        if numbers:
            self.switch(numbers[0])
            return
        self.say(f"there is no peer {wanted}" if wanted else "no peer is known", "error")
        self.done = self.failed = True

    def _show_peer(self) -> None:
        peer = self.peer
        if peer is None:
            return
        self.say(f"{render.peer_name(peer.info)} · {render.link_words(peer)}")
        for line in self._news.opening(peer):
            self.say(line.text)
        unread = False
        for row in peer.messages[-FIRST_ROWS:]:
            if not row.mine and row.ack > peer.my_read and not unread:
                unread = True
                self.say("new messages")
            self.transcript.message(row, peer)
        self._open_draft()
        self._mark()

    def _open_draft(self) -> None:
        peer = self.peer
        if peer is None or not self._has_line:
            return
        if self._draft and self._draft.peer == self.number:
            was_conflicted = self._draft.conflicted
            follows = self._draft.handle_snapshot(peer.draft, peer.draft_revision)
            self._show_draft(follows, was_conflicted)
            return
        self._draft = SharedDraft(self.number, peer.draft, peer.draft_revision)
        self._new_input = peer.draft or self._new_input

    def _show_draft(self, follows: bool, was_conflicted: bool) -> None:
        assert self._draft is not None
        if follows:
            self._new_input = self._draft.text
        if self._draft.conflicted and not was_conflicted:
            self.say("a draft is being written in another window; your line is unchanged")

    def _changed(self, changed: Changed) -> None:
        match changed.event:
            case MessagesAdded(peer=number, rows=rows):
                for row in rows:
                    self._message(number, row)
                self._mark()
            case MessagesDelivered(peer=number, runs=runs) if number == self.number:
                self._delivered(runs)
            case DraftChanged(peer=number) as draft if self._draft and number == self.number:
                was_conflicted = self._draft.conflicted
                follows = self._draft.handle_changed(draft.text, draft.revision)
                self._show_draft(follows, was_conflicted)
            case event:
                for line in self._news.of(event, self.mirror):
                    if line.is_for_all or line.peer == self.number:
                        self.say(line.text, "error" if line.is_error else "quiet")

    def _delivered(self, runs: list[AckRange]) -> None:
        peer = self.peer
        if peer is None or not runs:
            return
        words = f"{render.TICKS['delivered']} delivered up to ACK {runs[-1].ack}"
        if not self._watched:
            self.say(words)
        elif self._away_seq and peer.delivered_seq >= self._away_seq:
            # The status line shows how far the newest message got; this one is old news there.
            self._away_seq = 0
            self.say(f"{words}: {render.peer_name(peer.info)} has everything you wrote")

    def _message(self, number: int, row: MessageRow) -> None:
        peer = self.mirror.peer(number)
        if peer is None:
            return
        if number == self.number:
            if row.mine and peer.link.state != LinkState.UP:
                self._away_seq = row.seq
            # A line that scrolls away cannot change its ticks: the status line shows them.
            self.transcript.message(row, peer, tail=not row.mine)
        elif not row.mine:
            name = render.peer_name(peer.info)
            self.say(f"New message from {name} ({peer.unread} unread): /peer {peer.info.peer}")

    def take_back_kept(self) -> bool:
        """Put the newest text that waits into an empty line; false when there is none."""
        free = self._draft is None or not self._draft.text
        text = self._kept.take_back(self.number) if self._kept and free else None
        self._new_input = text or self._new_input
        return text is not None

    def _answered(self, answer: Answered) -> None:
        if self.transcript.handle_answer(answer):
            return
        if isinstance(answer.command, SendMessage) and self._kept:
            self._kept.handle_answer(answer)
            return
        if isinstance(answer.command, SendMessage):
            self.unanswered -= 1
            if isinstance(answer.result, Queued):
                self._queued_no = max(self._queued_no, answer.result.no)
        if isinstance(answer.command, SetDraft) and self._draft:
            result = answer.result if isinstance(answer.result, DraftSet) else None
            was_conflicted = self._draft.conflicted
            follows = self._draft.handle_answer(answer.command, result)
            self._show_draft(follows, was_conflicted)
        elif isinstance(answer.command, SetDraft | SetTyping | MarkShown | MarkRead):
            return
        elif answer.error is not None:
            self.say(render.escape_line(answer.error.detail), "error")
            if isinstance(answer.command, SendMessage):
                self.failed = True
                if not self._draft or not self._draft.text:
                    self._new_input = answer.command.text
        elif isinstance(answer.result, HistoryPage):
            self._page(answer.result)
        elif isinstance(answer.command, WithdrawMessage):
            self._take_back(answer.command.id)

    def _take_back(self, message_id: bytes) -> None:
        """A text that was withdrawn is the line being written, unless that is another one."""
        rows = self.peer.messages if self.peer else []
        text = next((row.text for row in rows if row.id == message_id), "")
        if "\n" not in text and (self._draft is None or not self._draft.text):
            self._new_input = text or self._new_input

    def _page(self, page: HistoryPage) -> None:
        rows = sorted(
            zip(page.rows, page.peers, strict=False), key=lambda item: screen_order(item[0])
        )
        for row, number in rows:
            peer = self.mirror.peer(number)
            if peer is not None:
                self.transcript.old_message(row, peer)
        self.say(count_words(len(rows)) + (", and more before" if page.more else ""))

    def _mark(self) -> None:
        """What a person could see was shown, and in a terminal that is all reading there is."""
        peer = self.peer
        if not self._watched or peer is None or not self.mirror.live:
            return
        if peer.last_ack > max(peer.my_read, self._shown):
            self._shown = peer.last_ack
            self.ask(MarkShown(self.number, peer.last_ack))
            self.ask(MarkRead(self.number, peer.last_ack))
