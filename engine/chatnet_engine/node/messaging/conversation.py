"""Owns one conversation: its counters, its outbox, and the link that carries it now.

A message is handed to the link, receipted and published only in `handle_result`: after its commit.
"""

from typing import assert_never

import msgspec

from chatnet_engine.arq import events as arq
from chatnet_engine.arq.line import KnownLine
from chatnet_engine.clock import Now
from chatnet_engine.deadlines import earliest
from chatnet_engine.node.commits import CommitQueue
from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.link_session import LinkSession
from chatnet_engine.node.messaging.deliveries import Deliveries
from chatnet_engine.node.messaging.hello import check_hello, loss_notices
from chatnet_engine.node.messaging.outbox import PAGE_ROWS, Outbox
from chatnet_engine.node.messaging.typing_peer import TypingPeer
from chatnet_engine.node.publisher import Publisher
from chatnet_engine.node.waiting import Waiting
from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import restores as cr
from chatnet_engine.store_ops import settings as cs
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_protocol.limits import (
    MAX_TOTAL_AHEAD,
    MESSAGE_OVERHEAD_BYTES,
    RECEIVE_WINDOW_BYTES,
)
from chatnet_protocol.wire import messages as wire

LINE_EVERY_S = 60.0
"""What is known of a line is stored at most so often, and at the end of a link."""
SENT_LAG_S = 0.1
"""`sent` is committed this much later, unless `delivered` comes first and makes it needless."""


ConversationEvent = (
    arq.HelloArrived
    | arq.MessagesArrived
    | arq.ReceiptsArrived
    | arq.MessagesSent
    | arq.StateArrived
)
ConversationResult = (
    c.MessagesQueued
    | c.MessagesAccepted
    | c.ReceiptsStored
    | c.OutboxPage
    | c.HelloApplied
    | c.MarksStored
    | c.LineStored
    | c.DraftStored
)


class Conversation:
    """The conversation with one peer."""

    def __init__(
        self,
        state: c.PeerState,
        commits: CommitQueue,
        publisher: Publisher,
        window_bytes: int = RECEIVE_WINDOW_BYTES,
    ) -> None:
        self.state = state
        self.link: LinkSession | None = None
        """The present one, if any."""
        self._line_due: float | None = None
        """When the line may be stored again; None before the link was first served."""
        self._commits = commits
        self._publisher = publisher
        self._outbox = Outbox(state.delivered_seq, window_bytes)
        self.deliveries = Deliveries(state, self._outbox.numbers)
        self._local_incarnation = 0
        self._sent_seq = 0
        self._sent_due: float | None = None
        self._typing = TypingPeer(state.peer, publisher)

    @property
    def peer(self) -> int:
        """Number of the peer."""
        return self.state.peer

    @property
    def waiting(self) -> int:
        """Own messages the peer has not committed."""
        return self.state.last_seq - self.state.delivered_seq

    @property
    def streaming(self) -> bool:
        """HELLO has been exchanged and applied on the present link."""
        return self.link is not None and self.link.streaming

    # --- what front ends ask ---

    def queue(self, message: c.NewMessage, asker: ReplyTo | None, now: Now) -> None:
        """Make one own message durable, then send it."""
        release = self.streaming and self._outbox.complete and not self._outbox.loading
        op = c.QueueMessages(self.peer, [message], now.wall_ms, release)
        self._commits.add(op, asker)

    def set_typing(self, typing: bool) -> None:
        """Tell the peer; the newest value wins."""
        if self.link:
            self.link.set_state(wire.Typing(typing))

    # --- the link ---

    def open_link(self, link: LinkSession, name: str, fast_aes: bool) -> None:
        """A new link: say HELLO, wait for the peer's."""
        link.numbers_new = link.local_incarnation != self._local_incarnation
        self._local_incarnation = link.local_incarnation
        self.link = link
        self._line_due = None
        line = link.connection.line
        if not line.known and (known := KnownLine.unpack(self.state.line)):
            line.resume(known)
        same = self.state.incarnation == link.remote_incarnation
        hello = wire.Hello(
            base=self._outbox.base,
            mark=self.state.mark if same else 0,
            acked_total=max(self._outbox.acked, self.state.acked_total),
            received_total=self.state.received_total,
            lamport=self.state.lamport,
            name=name,
            fast_aes=fast_aes,
        )
        link.send_hello(hello)

    def close_link(self) -> None:
        """The link is over; what was not receipted is sent again on the next one."""
        self._store_line()
        self.link = None
        self._typing.end()

    def remember_line(self, now: Now) -> None:
        """While a link lives, what it knows of the line is stored now and then: an engine may be
        killed."""
        if self._line_due is None:
            self._line_due = now.mono_s + LINE_EVERY_S
        elif now.mono_s >= self._line_due:
            self._line_due = now.mono_s + LINE_EVERY_S
            self._store_line()

    def _store_line(self) -> None:
        known = self.link.connection.line.remember() if self.link else None
        if known and known.differs(KnownLine.unpack(self.state.line)):
            self._commits.add(c.StoreLine(self.peer, known.pack()))

    def handle_event(self, event: ConversationEvent, link: LinkSession, now: Now) -> None:
        """What arrived on the link. Raises RemoteProtocolError, DecodeError."""
        match event:
            case arq.MessagesArrived():
                self._arrived(event, link, now)
            case arq.ReceiptsArrived():
                self._receipts_arrived(event, now)
                self.fill()
            case arq.MessagesSent():
                if event.channel == wire.CHANNEL_CONVERSATION:
                    self._sent_seq = self._outbox.seq_of(event.upto) or self._sent_seq
                    self._sent_due = self._sent_due or now.mono_s + SENT_LAG_S
            case arq.StateArrived():
                self._state_arrived(event, link, now)
            case arq.HelloArrived():
                self._hello_arrived(event, link)
            case _:
                assert_never(event)

    def fill(self) -> None:
        """Give the link what fits its window; ask the store for more when memory runs low."""
        link, outbox = self.link, self._outbox
        if link is None or not link.streaming:
            return
        if outbox.complete and not outbox.unsent:
            return
        credit = link.credit(wire.CHANNEL_CONVERSATION)
        if outbox.unsent and (batch := outbox.take_unsent(credit, MESSAGE_OVERHEAD_BYTES)):
            link.send_batch(wire.CHANNEL_CONVERSATION, batch)
        if outbox.wants_page(credit):
            outbox.loading = True
            page = c.LoadOutbox(self.peer, outbox.loaded_seq, outbox.page_bytes, PAGE_ROWS)
            self._commits.add(page)

    def resume(self, state: c.PeerState) -> None:
        """The counters as the store has them; a key known from before brings its own along."""
        self.state = state
        shown = self._publisher.view.peer(self.peer)
        marks = (shown.my_shown, shown.my_read) if shown else (0, 0)
        if marks != (state.my_shown, state.my_read):
            self._publish_marks()

    def put_back(self, result: cr.MessagesPutBack) -> None:
        """Messages were restored; take over the counters."""
        before = self.state
        self._update(**{name: getattr(result, name) for name in cr.PUT_BACK_COUNTERS})
        if (before.my_shown, before.my_read) != (result.my_shown, result.my_read):
            self._publish_marks()

    def skipped(self, delivered_seq: int) -> None:
        """A message will never be sent; those before `delivered_seq` are done with."""
        self._update(delivered_seq=delivered_seq)

    def take_over(self, state: c.PeerState) -> None:
        """Another peer turned out to be this one; its messages are in the outbox now."""
        self.state = state
        self._outbox.complete = False

    def handle_timeout(self, now: Now) -> None:
        """Commit what waited for company; forget a peer's typing."""
        if self._sent_due is not None and now.mono_s >= self._sent_due:
            self._sent_due = None
            if self._sent_seq > max(self.state.delivered_seq, self.state.sent_seq):
                self._commits.add(c.StoreMarks(self.peer, sent_seq=self._sent_seq))
        self._typing.handle_timeout(now)

    def next_timeout(self) -> float | None:
        """When `handle_timeout` has something to do."""
        return earliest((self._sent_due, self._typing.until))

    # --- what the ledger answers ---

    def handle_result(self, result: ConversationResult, waiting: Waiting) -> None:
        """Whatever depended on one committed operation, except replies."""
        match result:
            case c.MessagesQueued():
                self._queued(result, waiting)
            case c.MessagesAccepted():
                self._accepted(result, waiting)
            case c.ReceiptsStored():
                self._update(delivered_seq=result.delivered_seq, acked_total=result.acked_total)
                if result.runs:
                    event = ev.MessagesDelivered(self.peer, result.delivered_seq, result.runs)
                    self._publisher.publish(event)
            case c.OutboxPage():
                self._outbox.loading = False
                self._outbox.extend(result.rows)
                self._outbox.complete = not result.more
                self.fill()
            case c.HelloApplied():
                self._hello_applied(result, waiting.link)
            case c.MarksStored():
                self._marks_stored(result)
            case c.LineStored():
                self._update(line=result.line)
            case c.DraftStored():
                self._update(draft=result.text, draft_revision=result.revision)
            case _:
                assert_never(result)

    def _queued(self, result: c.MessagesQueued, waiting: Waiting) -> None:
        rows = result.rows
        if rows:
            self._update(last_seq=rows[-1].seq, lamport=max(self.state.lamport, rows[-1].lamport))
            self._publisher.publish(ev.MessagesAdded(self.peer, rows[0].no, rows))
        if result.cleared_draft:
            self._update(draft="", draft_revision=result.cleared_draft)
            self._publisher.publish(ev.DraftChanged(self.peer, result.cleared_draft, "", 0))
        outbox = self._outbox
        assert isinstance(waiting.op, c.QueueMessages)
        direct = waiting.op.release and self.streaming and outbox.complete and not outbox.loading
        if direct and rows:
            outbox.extend([c.OutboxRow(row.seq, _message(row)) for row in rows])
        elif rows:
            outbox.complete = False
        self.fill()

    def _accepted(self, result: c.MessagesAccepted, waiting: Waiting) -> None:
        rows = result.rows
        op = waiting.op
        assert isinstance(op, c.AcceptMessages)
        if self.state.incarnation == op.incarnation:
            self._update(mark=result.mark)
        self.deliveries.accepted(op.incarnation, result.receipts)
        if rows:
            lamport = max(row.lamport for row in rows)
            self._update(received_total=rows[-1].ack, lamport=max(self.state.lamport, lamport))
            self._typing.end()
            self._publisher.publish(ev.MessagesAdded(self.peer, rows[0].no, rows))
        # A later link repeats what is committed now, by its HELLO.
        if self.link and self.link is waiting.link:
            self.link.receipt(result.receipts)

    def _hello_applied(self, result: c.HelloApplied, link: LinkSession | None) -> None:
        before, self.state = self.state, result.state
        if (before.my_shown, before.my_read) != (self.state.my_shown, self.state.my_read):
            self._publish_marks()
        if result.raised_by:
            raised = ev.CountersRaised(self.peer, result.raised_after_seq, result.raised_by)
            self._publisher.publish(raised)
        for notice in loss_notices(result):
            self._publisher.publish(notice)
        base = self._outbox.base
        if link and link is self.link and link.start(result.mark, result.receipts, base):
            self._send_marks()
            self.fill()

    def _marks_stored(self, result: c.MarksStored) -> None:
        mine_moved = (result.my_shown, result.my_read) != (self.state.my_shown, self.state.my_read)
        self._update(
            sent_seq=result.sent_seq,
            peer_shown=result.peer_shown,
            peer_read=result.peer_read,
            my_shown=result.my_shown,
            my_read=result.my_read,
        )
        if mine_moved:
            self._send_marks()
        if result.changed:
            self._publish_marks()

    def _publish_marks(self) -> None:
        s = self.state
        marks = (s.sent_seq, s.peer_shown, s.peer_read, s.my_shown, s.my_read)
        self._publisher.publish(ev.MarksMoved(self.peer, *marks))

    # --- what the peer says ---

    def _arrived(self, event: arq.MessagesArrived, link: LinkSession, now: Now) -> None:
        rows: list[wire.Message] = []
        ceiling = self.state.lamport + MAX_TOTAL_AHEAD
        for data in event.messages:
            message = wire.decode_message(data)
            if message.lamport > ceiling:
                raise RemoteProtocolError("a Lamport counter is too far ahead")
            rows.append(message)
        op = c.AcceptMessages(
            self.peer, link.remote_incarnation, event.first_number, rows, link.source, now.wall_ms
        )
        self._commits.add(op, link=link)

    def _receipts_arrived(self, event: arq.ReceiptsArrived, now: Now) -> None:
        ceiling = max(self.state.acked_total, self._outbox.acked) + MAX_TOTAL_AHEAD
        if any(receipt.ack > ceiling for receipt in event.receipts):
            raise RemoteProtocolError("an ACK number is too far ahead")
        if new := self._outbox.handle_receipts(event.receipts):
            self.deliveries.receipts_arrived(new, now)
            self._commits.add(c.StoreReceipts(self.peer, new))

    def _hello_arrived(self, event: arq.HelloArrived, link: LinkSession) -> None:
        hello = wire.decode_hello(event.body)
        check_hello(hello, self.state)
        is_new = link.numbers_new or self.state.incarnation != link.remote_incarnation
        link.first_number = self._outbox.restart(hello.mark, is_new)
        link.hello = hello
        op = c.ApplyHello(
            self.peer,
            link.remote_incarnation,
            hello.base,
            hello.acked_total,
            hello.received_total,
            hello.lamport,
            hello.name,
        )
        self._commits.add(op, link=link)

    def _state_arrived(self, event: arq.StateArrived, link: LinkSession, now: Now) -> None:
        if event.key == wire.STATE_MARKS:
            marks = wire.decode_marks(event.value)
            if max(marks.shown, marks.read) > self.state.acked_total + MAX_TOTAL_AHEAD:
                raise RemoteProtocolError("a read mark is too far ahead")
            self.deliveries.peer_marked(marks.shown, marks.read, now)
            op = c.StoreMarks(self.peer, peer_shown=marks.shown, peer_read=marks.read)
            self._commits.add(op)
        elif event.key == wire.STATE_TYPING:
            self._typing.handle(wire.decode_typing(event.value).typing, now)
        elif event.key == wire.STATE_LINE:
            link.loss_in = wire.decode_line(event.value).loss_permille / 1000
        elif event.key == wire.STATE_NAME:
            name = wire.decode_name(event.value).name
            self._commits.add(cs.StoreDisplayName(self.peer, name))

    def _send_marks(self) -> None:
        if self.link and (self.state.my_shown or self.state.my_read):
            self.link.set_state(wire.Marks(self.state.my_shown, self.state.my_read))

    def _update(self, **changes: int | str | bytes) -> None:
        self.state = msgspec.structs.replace(self.state, **changes)


def _message(row: MessageRow) -> wire.Message:
    return wire.Message(row.kind, row.id, row.lamport, row.sent_ms, row.body, row.reply_to)
