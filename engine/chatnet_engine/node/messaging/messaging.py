"""Owns texts, drafts, marks and typing, and the conversation with each peer."""

from collections.abc import Callable

from chatnet_engine.arq import events as arq
from chatnet_engine.clock import Now
from chatnet_engine.files.offering import OTHER_MESSAGE
from chatnet_engine.node.config import NodeConfig
from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.left_out import LeftOut
from chatnet_engine.node.link_session import LinkSession
from chatnet_engine.node.links.links import Links
from chatnet_engine.node.messaging.conversation import (
    Conversation,
    ConversationEvent,
    ConversationResult,
)
from chatnet_engine.node.people.peers import Peers
from chatnet_engine.node.subject import Subject
from chatnet_engine.node.turn import Turn
from chatnet_engine.node.waiting import Waiting
from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import settings as cs
from chatnet_engine.store_ops.restores import MessagesPutBack
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ids import require_id
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.reasons import MessageFailure
from chatnet_protocol.ipc.rows import MessageKind, MessageRow
from chatnet_protocol.limits import MAX_DRAFT_BYTES, MAX_TEXT_BYTES
from chatnet_protocol.wire.messages import CHANNEL_CONVERSATION, DisplayName


class Messaging(Subject):
    """The subject of conversations.

    What the store answers about a peer that is being read again reaches only the client that
    asked, but for new messages, whose order is that of all peers. `client_on`: the number of the
    client on a routing_id.
    """

    def __init__(
        self,
        conversations: dict[int, Conversation],
        peers: Peers,
        links: Links,
        turn: Turn,
        config: NodeConfig,
        client_on: Callable[[bytes], int],
    ) -> None:
        super().__init__()
        self.conversations = conversations
        self._peers = peers
        self._turn = turn
        self._links = links
        self._config = config
        self._client_on = client_on
        self._own_name = turn.publisher.view.session.display_name
        self.commands = {
            cmd.SendMessage: self._send,
            cmd.WithdrawMessage: self._withdraw,
            cmd.DeleteMessage: self._delete,
            cmd.SetDraft: self._set_draft,
            cmd.SetTyping: self._set_typing,
            cmd.FetchDelivery: self._fetch_delivery,
            cmd.MarkShown: self._mark,
            cmd.MarkRead: self._mark,
        }
        self.results = {
            c.MessagesQueued: self._queued,
            c.MessagesAccepted: self._accepted,
            c.ReceiptsStored: self._receipts_stored,
            c.MessageFailedStored: self._failed,
            c.OutboxPage: self._conversation_result,
            c.MarksStored: self._conversation_result,
            c.LineStored: self._conversation_result,
            c.DraftStored: self._draft_stored,
            c.HelloApplied: self._hello_applied,
            cs.DisplayNameStored: self._named,
        }
        self.channels = {CHANNEL_CONVERSATION: self._handle_event}
        self.arrivals = {
            arq.HelloArrived: self._handle_event,
            arq.ReceiptsArrived: self._handle_event,
            arq.MessagesSent: self._handle_event,
            arq.StateArrived: self._handle_event,
        }

    # --- commands ---

    def _send(self, command: cmd.SendMessage, reply_to: ReplyTo, now: Now) -> None:
        require_id(command.id)
        if command.reply_to:
            require_id(command.reply_to)
        self._peers.need_accepted(command.peer)
        body = command.text.encode()
        if not body:
            raise CommandError(ErrorCode.INVALID, "A message has at least one character.")
        if len(body) > MAX_TEXT_BYTES:
            raise CommandError(
                ErrorCode.TOO_LARGE, "A message has at most 64 KiB; send it as a file instead."
            )
        if self._turn.commits.full:
            raise CommandError(
                ErrorCode.BUSY, "Too many messages wait to be stored; send it again."
            )
        # A text may have waited for the engine; nobody writes in the future.
        sent_ms = min(command.sent_ms, now.wall_ms) if command.sent_ms > 0 else now.wall_ms
        of_draft, answers = command.draft_revision, command.reply_to
        message = c.NewMessage(
            command.id, MessageKind.TEXT, body, sent_ms, of_draft, reply_to=answers
        )
        self.queue(command.peer, message, reply_to, now)

    def _withdraw(self, command: cmd.WithdrawMessage, reply_to: ReplyTo, now: Now) -> None:
        require_id(command.id)
        self._peers.need(command.peer)
        op = c.FailMessage(command.peer, 0, MessageFailure.WITHDRAWN, command.id)
        self._turn.commits.add(op, reply_to)

    def _delete(self, command: cmd.DeleteMessage, reply_to: ReplyTo, now: Now) -> None:
        require_id(command.id)
        self._peers.need(command.peer)
        op = c.FailMessage(command.peer, 0, MessageFailure.DELETED, command.id)
        self._turn.commits.add(op, reply_to)

    def _set_draft(self, command: cmd.SetDraft, reply_to: ReplyTo, now: Now) -> None:
        self._peers.need(command.peer)
        if len(command.text.encode()) > MAX_DRAFT_BYTES:
            raise CommandError(ErrorCode.TOO_LARGE, "A draft has at most 64 KiB.")
        op = c.StoreDraft(command.peer, command.text, command.base_revision)
        self._turn.commits.add(op, reply_to)

    def _set_typing(self, command: cmd.SetTyping, reply_to: ReplyTo, now: Now) -> None:
        self._peers.need(command.peer)
        self.conversations[command.peer].set_typing(command.typing)
        self._turn.replies.reply(reply_to, cmd.Done())

    def _mark(self, command: cmd.MarkShown | cmd.MarkRead, reply_to: ReplyTo, now: Now) -> None:
        self._peers.need(command.peer)
        state = self.counters(command.peer)
        ack = min(max(command.ack, 0), state.received_total)
        read = ack if isinstance(command, cmd.MarkRead) else 0
        self.conversations[command.peer].deliveries.marked(ack, read, now)
        if ack > state.my_shown or read > state.my_read:
            self._turn.commits.add(c.StoreMarks(command.peer, my_shown=ack, my_read=read))
        self._turn.replies.reply(reply_to, cmd.Done())

    def _fetch_delivery(self, command: cmd.FetchDelivery, reply_to: ReplyTo, now: Now) -> None:
        self._peers.need(command.peer)
        deliveries = self.conversations[command.peer].deliveries
        if command.seq > 0:
            found = deliveries.of_own(command.seq, command.ack, now)
        elif command.ack > 0:
            found = deliveries.of_peers(command.ack, now)
        else:
            raise CommandError(ErrorCode.INVALID, "Name a message by its seq or its ack.")
        self._turn.replies.reply(reply_to, found)

    # --- what other subjects ask ---

    def queue(self, peer: int, message: c.NewMessage, reply_to: ReplyTo | None, now: Now) -> None:
        """Make one own message durable, then send it."""
        self.conversations[peer].queue(message, reply_to, now)

    def counters(self, peer: int) -> c.PeerState:
        """What is durable of the conversation with a peer, besides its messages."""
        return self.conversations[peer].state

    def put_back(self, result: MessagesPutBack) -> None:
        """Messages were restored from the peer; take over the counters."""
        if conversation := self.conversations.get(result.peer):
            conversation.put_back(result)

    # --- what the ledger answers ---

    def _queued(self, result: c.MessagesQueued, waiting: Waiting, now: Now) -> None:
        handled = self._follow(result, waiting)
        self.answer_queued(result, waiting)
        if handled or self._peers.get(result.peer) is None:
            self._announce_offers(result.peer, result.rows, now)

    def _accepted(self, result: c.MessagesAccepted, waiting: Waiting, now: Now) -> None:
        if self._follow(result, waiting):
            self._announce_offers(result.peer, result.rows, now)

    def _receipts_stored(self, result: c.ReceiptsStored, waiting: Waiting, now: Now) -> None:
        self._follow(result, waiting)
        for subject in self.subjects:
            subject.messages_delivered(result.peer, result.delivered_seq, now)

    def _draft_stored(self, result: c.DraftStored, waiting: Waiting, now: Now) -> None:
        self._follow(result, waiting)
        reply_to, turn = waiting.reply_to, self._turn
        if result.accepted:
            client = self._client_on(reply_to.routing_id) if reply_to else 0
            turn.publisher.publish(
                ev.DraftChanged(result.peer, result.revision, result.text, client)
            )
        turn.replies.reply(reply_to, cmd.DraftSet(result.accepted, result.revision, result.text))

    def _failed(self, result: c.MessageFailedStored, waiting: Waiting, now: Now) -> None:
        publisher, replies = self._turn.publisher, self._turn.replies
        if (conversation := self.conversations.get(result.peer)) and result.no:
            conversation.skipped(result.delivered_seq)
            publisher.publish(ev.MessageFailed(result.peer, result.no, result.reason))
            publisher.publish(ev.MessagesDelivered(result.peer, result.delivered_seq, []))
        deletes = result.reason == MessageFailure.DELETED
        for reply_to in waiting.askers:
            if result.no or result.known:
                replies.reply(reply_to, cmd.Done())
            else:
                sentence = "There is no such text that was certainly never sent."
                if deletes:
                    sentence = "Only a text that was withdrawn can be deleted."
                replies.fail(reply_to, CommandError(ErrorCode.NOT_ALLOWED, sentence))

    def _hello_applied(self, result: c.HelloApplied, waiting: Waiting, now: Now) -> None:
        self._follow(result, waiting)
        if self._peers.get(result.peer) is None or result.peer not in self.conversations:
            return
        assert isinstance(waiting.op, c.ApplyHello)
        for subject in self.subjects:
            subject.hello_applied(result)
            subject.peer_named(result.peer, waiting.op.display_name)
        session = waiting.link
        if session and session.streaming and session is self._links.sessions.get(result.peer):
            self._links.opened(session, now)
            self._send_name(session)

    def _named(self, result: cs.DisplayNameStored, waiting: Waiting, now: Now) -> None:
        for subject in self.subjects:
            subject.peer_named(result.peer, result.name)

    def _conversation_result(self, result: ConversationResult, waiting: Waiting, now: Now) -> None:
        self._follow(result, waiting)

    def _follow(self, result: ConversationResult, waiting: Waiting) -> bool:
        """What it means for the conversation; whether there is one to which it means something."""
        conversation = self.conversations.get(result.peer)
        if conversation is None or result.peer in self._links.reloading:
            if isinstance(result, c.MessagesQueued | c.MessagesAccepted):
                self._turn.publisher.publish_rows(result.peer, result.rows)
            return False
        conversation.handle_result(result, waiting)
        return True

    def answer_queued(self, result: c.MessagesQueued, waiting: Waiting) -> None:
        """Answer each client whose message this transaction has, or refuses."""
        assert isinstance(waiting.op, c.QueueMessages)
        if not any(waiting.askers):
            return
        numbers = {row.id: (row.no, row.seq) for row in result.rows}
        numbers |= {known_id: (no, seq) for known_id, no, seq in result.known}
        for place, (row, reply_to) in enumerate(zip(waiting.op.rows, waiting.askers, strict=True)):
            if place in result.refused:
                if row.kind == MessageKind.OFFER:
                    for subject in self.subjects:
                        subject.offer_refused(row.id)
                error = CommandError(ErrorCode.INVALID, OTHER_MESSAGE)
                self._turn.replies.fail(reply_to, error)
                continue
            no, seq = numbers[row.id]
            self._turn.replies.reply(reply_to, cmd.Queued(no, seq))

    def _announce_offers(self, peer: int, rows: list[MessageRow], now: Now) -> None:
        offers = [row for row in rows if row.kind == MessageKind.OFFER]
        if offers:
            for subject in self.subjects:
                subject.offers_committed(peer, offers, now)

    # --- the link ---

    def _handle_event(self, session: LinkSession, event: ConversationEvent, now: Now) -> None:
        conversation = self.conversations.get(session.peer)
        if conversation and conversation.link is session:
            conversation.handle_event(event, session, now)

    def link_made(self, session: LinkSession, now: Now) -> None:
        """Say HELLO."""
        conversation = self.conversations[session.peer]
        conversation.deliveries.link_began(session, now)
        session.name_sent = self._own_name
        conversation.open_link(session, self._own_name, self._config.fast_aes)

    def rename(self, own_name: str) -> None:
        """Each peer is notified of another own name; one without a link by the next HELLO."""
        self._own_name = own_name
        for peer, conversation in self.conversations.items():
            if conversation.link:
                self._turn.due.touch(peer)
                self._send_name(conversation.link)

    def _send_name(self, session: LinkSession) -> None:
        if session.streaming and session.name_sent != self._own_name:
            session.name_sent = self._own_name
            session.set_state(DisplayName(self._own_name))

    def link_ended(self, peer: int) -> None:
        """What was not receipted is sent again on the next link."""
        if conversation := self.conversations.get(peer):
            conversation.close_link()

    def fill(self, peer: int, now: Now) -> None:
        """Give the link of this peer what fits its window, and say how much waits."""
        conversation = self.conversations[peer]
        self._links.watch(peer, conversation.waiting, now)
        conversation.fill()
        conversation.remember_line(now)

    # --- time ---

    def handle_due(self, peer: int, now: Now) -> None:
        """Time has passed in the conversation with this peer."""
        if conversation := self.conversations.get(peer):
            conversation.handle_timeout(now)

    def due_of(self, peer: int) -> float | None:
        """When something is due in the conversation with this peer."""
        conversation = self.conversations.get(peer)
        return conversation.next_timeout() if conversation else None

    # --- what others announce ---

    def peer_stored(self, result: c.PeerStored, now: Now) -> None:
        """A peer is new, or its key brings the counters of before along."""
        peer = result.row.peer
        if peer not in self.conversations:
            self.conversations[peer] = self._make_conversation(result.state)
        self.conversations[peer].resume(result.state)

    def peer_removed(self, result: c.PeerForgotten, now: Now) -> None:
        """Its conversation goes, or into that of another peer."""
        self.conversations.pop(result.peer, None)
        if result.into and result.state and (into := self.conversations.get(result.into)):
            into.take_over(result.state)

    def peer_unloaded(self, peer: int) -> None:
        """What is under way in its conversation is thrown away."""
        if conversation := self.conversations.get(peer):
            self.conversations[peer] = self._make_conversation(conversation.state)

    def peer_loaded(self, result: c.PeerLoaded, now: Now) -> None:
        """Its conversation as the store has it."""
        if result.row is not None:
            self.conversations[result.peer] = self._make_conversation(result.state)

    def _make_conversation(self, state: c.PeerState) -> Conversation:
        turn = self._turn
        return Conversation(state, turn.commits, turn.publisher, self._config.arq.window_bytes)


def load_conversations(
    config: NodeConfig, loaded: c.Loaded, left_out: LeftOut, turn: Turn
) -> dict[int, Conversation]:
    """The conversation of each loaded peer, but of those that cannot be made."""
    made: dict[int, Conversation] = {}
    for row, state in zip(loaded.peers, loaded.states, strict=True):
        with left_out.failing(row, turn.publisher.view, config.contain):
            made[row.peer] = Conversation(
                state, turn.commits, turn.publisher, config.arq.window_bytes
            )
    return made
