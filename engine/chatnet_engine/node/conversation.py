"""Owns one conversation: its counters, what is on its way, and the ARQ connection that carries it.
A message is handed to the ARQ, receipted and published only in `handle_result`: after its commit.
"""

import msgspec

from chatnet_engine.arq import events as arq
from chatnet_engine.arq.connection import Connection
from chatnet_engine.node.commits import Asker, CommitQueue, Waiting
from chatnet_engine.node.config import Now
from chatnet_engine.node.hello import check_hello, loss_notices
from chatnet_engine.node.outbox import PAGE_ROWS, Outbox
from chatnet_engine.node.publisher import Publisher
from chatnet_engine.node.typing_peer import TypingPeer
from chatnet_protocol import commit as c
from chatnet_protocol import commit_restore as cr
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import MessageKind, MessageRow
from chatnet_protocol.limits import (
    MAX_TOTAL_AHEAD,
    MESSAGE_OVERHEAD_BYTES,
    RECEIVE_WINDOW_BYTES,
)
from chatnet_protocol.wire import messages as wire

SENT_LAG_S = 0.1
"""`sent` is committed this much later, unless `delivered` comes first and makes it needless."""


class Conversation:
    """One peer's conversation; see the module."""

    def __init__(
        self,
        state: c.PeerState,
        commits: CommitQueue,
        publisher: Publisher,
        window_bytes: int = RECEIVE_WINDOW_BYTES,
    ) -> None:
        self.state = state
        self.connection: Connection | None = None
        self.remote_incarnation = 0
        self.streaming = False
        """HELLO has been exchanged and applied on the present link."""
        self.offers: list[MessageRow] = []
        """Committed offers, own and the peer's, for the owner of transfers to take."""
        self.controls: list[bytes] = []
        """Arrived control messages, for the owner of transfers to take."""
        self.restores: list[bytes] = []
        """What arrived about having the conversation back, for `Restoring` to take."""
        self.closed: arq.Closed | None = None
        """The peer ended the link; for the owner of links to take."""
        self.path_tokens: list[bytes] = []
        """Echoes of path challenges, for the owner of links to take."""
        self.remote_name = ""
        """What the peer calls itself."""
        self.fast_aes = False
        self._commits = commits
        self._publisher = publisher
        self._outbox = Outbox(state.delivered_seq, window_bytes)
        self.source = ""
        """`ip:port` the peer's messages come from."""
        self._local_incarnation = 0
        self._numbers_new = True
        self._hellos_pending = 0
        self._first_number = 1
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
    def unanswered_since(self) -> float | None:
        """When the oldest packet left that asked for an answer and got none, on a live link."""
        return self.connection.first_unanswered if self.connection else None

    # --- what front ends ask ---

    def queue(self, message: c.NewMessage, asker: Asker | None, now: Now) -> None:
        """Make one own message durable, then send it."""
        release = self.streaming and self._outbox.complete and not self._outbox.loading
        op = c.QueueMessages(self.peer, [message], now.wall_ms, release)
        self._commits.add(op, asker)

    def set_typing(self, typing: bool) -> None:
        """Tell the peer; the newest value wins."""
        if self.connection and self.streaming:
            self.connection.set_state(wire.STATE_TYPING, wire.encode_state(wire.Typing(typing)))

    def send(self, channel: int, body: bytes) -> None:
        """Say it on a volatile channel; said again by its owner on the next link if this one is
        down or its window full."""
        if self.connection is None or not self.streaming:
            return
        if self.connection.room(channel) >= len(body) + MESSAGE_OVERHEAD_BYTES:
            self.connection.queue(channel, [body])

    # --- the link ---

    def open_link(
        self,
        connection: Connection,
        incarnations: tuple[int, int],
        source: str,
        name: str,
        fast_aes: bool,
    ) -> None:
        """A new link between (our, the peer's) incarnations: say HELLO, wait for the peer's."""
        local, incarnation = incarnations
        self._numbers_new = local != self._local_incarnation
        self._local_incarnation = local
        self.connection = connection
        self.remote_incarnation = incarnation
        self.streaming = False
        self.closed = None
        self.source = source
        same = self.state.incarnation == incarnation
        hello = wire.Hello(
            base=self._outbox.base,
            mark=self.state.mark if same else 0,
            acked_total=max(self._outbox.acked, self.state.acked_total),
            received_total=self.state.received_total,
            lamport=self.state.lamport,
            name=name,
            fast_aes=fast_aes,
        )
        connection.set_hello(wire.encode_hello(hello))

    def moved(self, source: str) -> None:
        """The peer's address changed; messages from now on come from there."""
        self.source = source

    def close_link(self) -> None:
        """The link is over; what was not receipted is sent again on the next one."""
        self.connection = None
        self.streaming = False
        self.remote_incarnation = 0
        self._typing.end()

    def drain(self, now: Now) -> None:
        """Take in what the ARQ has to tell. Raises RemoteProtocolError, DecodeError."""
        if self.connection is None:
            return
        for event in self.connection.take_events():
            match event:
                case arq.MessagesArrived(channel=wire.CHANNEL_CONVERSATION):
                    self._arrived(event, now)
                case arq.MessagesArrived(channel=wire.CHANNEL_RESTORE):
                    self.restores.extend(event.messages)
                case arq.MessagesArrived():
                    self.controls.extend(event.messages)
                case arq.ReceiptsArrived():
                    runs = [c.ReceiptRun(r.number, r.ack, r.run) for r in event.runs]
                    if told := self._outbox.handle_receipts(runs):
                        self._commits.add(c.StoreReceipts(self.peer, told))
                case arq.MessagesSent(channel=wire.CHANNEL_CONVERSATION):
                    self._sent_seq = self._outbox.seq_of(event.upto) or self._sent_seq
                    self._sent_due = self._sent_due or now.mono_s + SENT_LAG_S
                case arq.StateArrived():
                    self._state_arrived(event, now)
                case arq.HelloArrived():
                    self._hello_arrived(event)
                case arq.PathResponded():
                    self.path_tokens.append(event.token)
                case arq.Closed():
                    self.closed = event
        self.fill()

    def fill(self) -> None:
        """Give the ARQ what fits its window; ask the store for more when memory runs low."""
        if not self.streaming or self.connection is None:
            return
        outbox = self._outbox
        room = self.connection.room(wire.CHANNEL_CONVERSATION)
        if outbox.unsent and (batch := outbox.take_unsent(room, MESSAGE_OVERHEAD_BYTES)):
            self.connection.queue(wire.CHANNEL_CONVERSATION, batch)
        if outbox.wants_page(room):
            outbox.loading = True
            page = c.LoadOutbox(self.peer, outbox.loaded_seq, outbox.page_bytes, PAGE_ROWS)
            self._commits.add(page)

    def resume(self, state: c.PeerState) -> None:
        """The counters as the store has them; a key known from before brings its own along."""
        self.state = state
        shown = self._publisher.view.peer(self.peer)
        if shown and (shown.my_shown, shown.my_read) != (state.my_shown, state.my_read):
            self._publish_marks()

    def put_back(self, result: cr.MessagesPutBack) -> None:
        """Messages came back; the counters know them now."""
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
        dues = [due for due in (self._sent_due, self._typing.until) if due is not None]
        return min(dues, default=None)

    # --- what the ledger answers ---

    def handle_result(self, result: c.OpResult, waiting: Waiting) -> None:
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
                self._hello_applied(result)
            case c.MarksStored():
                self._marks_stored(result)
            case c.DraftStored():
                self._update(draft=result.text, draft_revision=result.revision)
            case _:
                raise AssertionError(f"no rule for {type(result).__name__}")

    def _queued(self, result: c.MessagesQueued, waiting: Waiting) -> None:
        rows = result.rows
        if rows:
            self._update(last_seq=rows[-1].seq, lamport=max(self.state.lamport, rows[-1].lamport))
            self._publisher.publish(ev.MessagesAdded(self.peer, rows[0].no, rows))
            self.offers += [row for row in rows if row.kind == MessageKind.OFFER]
        if result.cleared_draft:
            self._update(draft="", draft_revision=result.cleared_draft)
            self._publisher.publish(ev.DraftChanged(self.peer, result.cleared_draft, "", 0))
        outbox = self._outbox
        assert isinstance(waiting.op, c.QueueMessages)
        direct = waiting.op.release and self.streaming and outbox.complete and not outbox.loading
        if direct and rows:
            outbox.extend(
                [c.OutboxRow(r.seq, r.id, r.kind, r.lamport, r.sent_ms, r.body) for r in rows]
            )
        elif rows:
            outbox.complete = False
        self.fill()

    def _accepted(self, result: c.MessagesAccepted, waiting: Waiting) -> None:
        rows = result.rows
        op = waiting.op
        assert isinstance(op, c.AcceptMessages)
        if self.state.incarnation == op.incarnation:
            self._update(mark=result.mark)
        if rows:
            lamport = max(row.lamport for row in rows)
            self._update(received_total=rows[-1].ack, lamport=max(self.state.lamport, lamport))
            self._typing.end()
            self._publisher.publish(ev.MessagesAdded(self.peer, rows[0].no, rows))
            self.offers += [row for row in rows if row.kind == MessageKind.OFFER]
        # On a new link whose HELLO is not applied, the answer to it repeats what is committed now.
        if self.connection and self.streaming and op.incarnation == self.remote_incarnation:
            for run in result.runs:
                self.connection.receipt(run.number, run.ack, run.run)

    def _hello_applied(self, result: c.HelloApplied) -> None:
        before, self.state = self.state, result.state
        if (before.my_shown, before.my_read) != (self.state.my_shown, self.state.my_read):
            self._publish_marks()
        self._hellos_pending -= 1
        if result.raised_by:
            raised = ev.CountersRaised(self.peer, result.raised_after_seq, result.raised_by)
            self._publisher.publish(raised)
        if (
            self._hellos_pending
            or self.connection is None
            or result.state.incarnation != (self.remote_incarnation)
        ):
            return
        connection = self.connection
        connection.start_receiving(result.mark + 1)
        for run in result.runs:
            connection.receipt(run.number, run.ack, run.run)
        connection.start_sending(self._first_number, self._outbox.base)
        self.streaming = True
        self._send_marks()
        for notice in loss_notices(result):
            self._publisher.publish(notice)
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
        if mine_moved and self.streaming:
            self._send_marks()
        if result.changed:
            self._publish_marks()

    def _publish_marks(self) -> None:
        s = self.state
        marks = (s.sent_seq, s.peer_shown, s.peer_read, s.my_shown, s.my_read)
        self._publisher.publish(ev.MarksMoved(self.peer, *marks))

    # --- what the peer says ---

    def _arrived(self, event: arq.MessagesArrived, now: Now) -> None:
        rows: list[c.ArrivedMessage] = []
        ceiling = self.state.lamport + MAX_TOTAL_AHEAD
        for data in event.messages:
            message = wire.decode_message(data)
            if message.lamport > ceiling:
                raise RemoteProtocolError("a Lamport counter is too far ahead")
            rows.append(
                c.ArrivedMessage(
                    message.id, message.kind, message.lamport, message.sent_ms, message.body
                )
            )
        self._commits.add(
            c.AcceptMessages(
                self.peer,
                self.remote_incarnation,
                event.first_number,
                rows,
                self.source,
                now.wall_ms,
            )
        )

    def _hello_arrived(self, event: arq.HelloArrived) -> None:
        hello = wire.decode_hello(event.body)
        s = self.state
        check_hello(hello, s)
        is_new = self._numbers_new or s.incarnation != self.remote_incarnation
        self._first_number = self._outbox.restart(hello.mark, is_new)
        self.fast_aes = hello.fast_aes
        self.remote_name = hello.name
        self._hellos_pending += 1
        self._commits.add(
            c.ApplyHello(
                self.peer,
                self.remote_incarnation,
                hello.base,
                hello.acked_total,
                hello.received_total,
                hello.lamport,
                hello.name,
            )
        )

    def _state_arrived(self, event: arq.StateArrived, now: Now) -> None:
        if event.key == wire.STATE_MARKS:
            marks = wire.decode_marks(event.value)
            if max(marks.shown, marks.read) > self.state.acked_total + MAX_TOTAL_AHEAD:
                raise RemoteProtocolError("a read mark is too far ahead")
            op = c.StoreMarks(self.peer, peer_shown=marks.shown, peer_read=marks.read)
            self._commits.add(op)
        elif event.key == wire.STATE_TYPING:
            self._typing.handle(wire.decode_typing(event.value).typing, now)

    def _send_marks(self) -> None:
        if self.connection and (self.state.my_shown or self.state.my_read):
            marks = wire.Marks(self.state.my_shown, self.state.my_read)
            self.connection.set_state(wire.STATE_MARKS, wire.encode_state(marks))

    def _update(self, **changes: int | str) -> None:
        self.state = msgspec.structs.replace(self.state, **changes)
