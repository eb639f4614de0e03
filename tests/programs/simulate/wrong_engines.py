"""Engines that leave out one rule of exactly-once, order, durability, transfers or restores."""

from typing import Any

import msgspec

from chatnet_engine.arq.channel_out import SendChannel
from chatnet_engine.arq.control import HelloSlot
from chatnet_engine.files import transfers
from chatnet_engine.files.receiving import Receiving
from chatnet_engine.files.sending import Sending
from chatnet_engine.ledger import (
    counters,
    incoming,
    ledger,
    migrations,
    outgoing,
    restores,
    schema,
)
from chatnet_engine.node.commits import CommitQueue
from chatnet_engine.node.config import NodeConfig
from chatnet_engine.node.front_ends.clients import Clients
from chatnet_engine.node.messaging.conversation import Conversation
from chatnet_engine.node.messaging.outbox import Outbox
from chatnet_engine.node.publisher import Publisher
from chatnet_engine.node.recovery.restoring import Restoring
from chatnet_engine.node.transfers.file_transfers import FileTransfers
from chatnet_engine.secure.dial import FinRepeat
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.events import MessagesAdded
from chatnet_protocol.ipc.rows import AckRange, MessageRow
from chatnet_protocol.wire import control
from chatnet_protocol.wire import messages as wire
from chatnet_protocol.wire.frames import Receipt
from simulate.mutant import Patches, mutant, noticed_by, swap
from simworld import engine as simengine
from simworld.disk import memory
from simworld.engine import SimEngine


@mutant
def receipt_before_commit() -> Patches:
    """A message is receipted when it arrives."""
    arrived = Conversation._arrived

    def early(self: Conversation, event: Any, link: Any, now: Any) -> None:
        arrived(self, event, link, now)
        total = self.state.received_total
        waiting = sum(
            len(w.op.rows)
            for w in [*self._commits._waiting, *(self._commits._flight or [])]
            if isinstance(w.op, c.AcceptMessages) and w.op.peer == self.peer
        )
        if self.link:
            last = event.first_number + len(event.messages) - 1
            self.link.connection.receipt(last, total + waiting, len(event.messages))

    def silent(self: Conversation, result: Any, waiting: Any) -> None:
        waiting.link = None
        accepted(self, result, waiting)

    accepted = Conversation._accepted
    return [swap(Conversation, "_arrived", early), swap(Conversation, "_accepted", silent)]


@mutant
def no_dedupe() -> Patches:
    """The same id may come twice."""
    unique = "CREATE UNIQUE INDEX messages_id"
    assert unique in schema.TABLES
    tables = schema.TABLES.replace(unique, "CREATE INDEX messages_id")
    steps = (tables, *migrations.STEPS[1:])
    return [swap(ledger, "migrate", lambda db: migrations.migrate(db, steps))]


@mutant
def incarnation_per_database() -> Patches:
    """Wire numbers restart in the same incarnation at each start."""
    config = NodeConfig

    def same(**fields: Any) -> Any:
        key = fields["session"].key
        return config(**(fields | {"incarnation": int.from_bytes(key[:8], "big") | 1}))

    return [swap(simengine, "NodeConfig", same)]


@mutant
def ghost_mark_accepted() -> Patches:
    """The same, and a mark above what was sent counts as delivered."""
    restart = Outbox.restart

    def trusting(self: Outbox, mark: int, receiver_is_new: bool) -> int:
        return restart(self, min(mark, self.next_number - 1), True)

    return [*incarnation_per_database(), swap(Outbox, "restart", trusting)]


@mutant
def no_totals_in_hello() -> Patches:
    """A side that lost its history is not told what it had."""
    encode = wire.encode_hello

    def forgetful(hello: wire.Hello) -> bytes:
        return encode(msgspec.structs.replace(hello, acked_total=0, received_total=0))

    return [swap(wire, "encode_hello", forgetful)]


@mutant
def lost_hello_is_not_repeated() -> Patches:
    """HELLO is said once."""
    pull = HelloSlot.pull

    def once(self: HelloSlot) -> Any:
        pulled = pull(self)
        self.on_acked(())
        return pulled

    return [swap(HelloSlot, "pull", once)]


@mutant
def lost_messages_are_not_repeated() -> Patches:
    """What a lost packet carried is forgotten."""
    return [
        swap(SendChannel, "on_lost", lambda self, token, packet: None),
        swap(SendChannel, "on_probe", lambda self, token: None),
    ]


@mutant
def no_fin_repeat() -> Patches:
    """The last packet of the handshake is sent once."""
    return [
        swap(FinRepeat, "advance", lambda self, now: self.give_up() or False),
        swap(FinRepeat, "in_front", lambda self, now: False),
    ]


@mutant
def receipt_off_by_one() -> Patches:
    """A receipt empties the outbox of one message more than it says."""
    handle = Outbox.handle_receipts

    def greedy(self: Outbox, runs: Any) -> list[AckRange]:
        more = [Receipt(r.number + 1, r.ack + 1, r.count + 1) for r in runs]
        return handle(self, more)

    return [swap(Outbox, "handle_receipts", greedy)]


@mutant
def ack_number_off_by_one() -> Patches:
    """The sender stores another ACK number than the receiver gave."""
    handle = Outbox.handle_receipts

    def shifted(self: Outbox, runs: Any) -> list[AckRange]:
        return handle(self, [Receipt(r.number, r.ack + 1, r.count) for r in runs])

    return [swap(Outbox, "handle_receipts", shifted)]


@mutant
def receipts_not_repeated_on_a_new_link() -> Patches:
    """What was committed and not heard of stays unheard of."""
    return [swap(incoming, "_receipts_from", lambda db, peer, base: [])]


@mutant
def first_number_one_too_high() -> Patches:
    """A new link begins after the next message."""
    apply_hello = incoming.apply_hello

    def skipping(db: Any, op: Any) -> Any:
        result = apply_hello(db, op)
        return msgspec.structs.replace(result, mark=result.mark + 1)

    return [swap(incoming, "apply_hello", skipping)]


@mutant
def sent_messages_change_their_counter() -> Patches:
    """Lamport counters of messages that were sent are raised too."""
    raise_waiting = outgoing.raise_waiting

    def all_of_them(db: Any, peer: int, after_seq: int, above: int) -> Any:
        return raise_waiting(db, peer, 0, above)

    return [swap(outgoing, "raise_waiting", all_of_them)]


@mutant
def runs_of_settled_messages_merge_blindly() -> Patches:
    """ACK numbers of neighbours are taken to be neighbours."""
    settle = outgoing._settle

    def blind(db: Any, peer: int, new: Any, before: Any) -> Any:
        if before and before.last + 1 == new.first:
            new = new._replace(first_ack=before.first_ack + before.length)
        return settle(db, peer, new, before)

    return [swap(outgoing, "_settle", blind)]


@mutant
def store_says_done_too_early() -> Patches:
    """synchronous=NORMAL: what was committed last is gone after a crash."""
    end = SimEngine.crash
    commit = SimEngine.commit

    def remember(self: Any, transaction: c.Commit) -> None:
        if transaction.number % 3 == 0:
            self.image = self.connection.serialize()
        commit(self, transaction)

    def forget(self: Any) -> None:
        end(self)
        if getattr(self, "image", None):
            connection = memory()
            connection.deserialize(self.image)
            self.connection = connection

    return [swap(SimEngine, "commit", remember), swap(SimEngine, "crash", forget)]


@mutant
def failed_transactions_are_not_tried_again() -> Patches:
    """What the disk refused is dropped."""
    handle = CommitQueue.handle_failed

    def dropping(self: CommitQueue, failed: Any, now: Any) -> Any:
        told = handle(self, failed, now)
        self._waiting = []
        return told

    return [swap(CommitQueue, "handle_failed", dropping)]


@mutant
def drafts_overwrite_each_other() -> Patches:
    """A draft replaces another whatever it was based on."""
    store = counters.store_draft

    def last_wins(db: Any, op: c.StoreDraft) -> Any:
        found = db.execute("SELECT revision FROM drafts WHERE peer = ?", (op.peer,)).fetchone()
        base = found[0] if found else 0
        return store(db, msgspec.structs.replace(op, base_revision=base))

    return [swap(counters, "store_draft", last_wins)]


@noticed_by("tests/engine/ledger/test_counters.py::test_marks_grow_to_the_maximum")
def marks_go_back() -> Patches:
    """The last mark wins, not the highest."""
    store = counters.store_marks

    def last_wins(db: Any, op: c.StoreMarks) -> Any:
        if op.my_read:
            db.execute("UPDATE counters SET my_read = 0 WHERE peer = ?", (op.peer,))
        return store(db, op)

    return [swap(counters, "store_marks", last_wins)]


@mutant
def read_only_is_a_word() -> Patches:
    """A read-only front end may do everything."""
    return [swap(Clients, "check", lambda self, routing_id, command, now: None)]


@mutant
def replay_begins_one_too_late() -> Patches:
    """A front end that attaches misses an event."""
    page = Publisher.events_page

    def late(self: Publisher, boot: bytes, first_seq: int) -> bytes:
        return page(self, boot, min(first_seq + 1, self.seq + 1))

    return [swap(Publisher, "events_page", late)]


@mutant
def told_before_it_is_durable() -> Patches:
    """Front ends see a message when it arrives, whatever becomes of its commit."""
    arrived = Conversation._arrived

    def early(self: Conversation, event: Any, link: Any, now: Any) -> None:
        arrived(self, event, link, now)
        no = self._publisher.view.last_no + 1
        message = wire.decode_message(event.messages[0])
        row = MessageRow(
            no, message.id, False, message.kind, message.body, message.sent_ms, now.wall_ms, 0,
            self.state.received_total + 1, link.source, message.lamport, no,
        )  # fmt: skip
        self._publisher.publish(MessagesAdded(self.peer, no, [row]))

    return [swap(Conversation, "_arrived", early)]


@mutant
def offer_without_its_transfer() -> Patches:
    """An offer and its transfer are two transactions."""
    return [swap(outgoing, "_store_offer", lambda db, peer, message, op: None)]


@mutant
def offers_are_not_resumed() -> Patches:
    """An offer that came right before a crash is forgotten."""
    return [swap(FileTransfers, "offers_resumed", lambda self, peer, offers, now: None)]


@mutant
def receipt_without_hello() -> Patches:
    """A link is told of messages that came on another."""

    def accepted(self: Conversation, result: Any, waiting: Any) -> None:
        original(self, result, waiting)
        if self.link and self.link is not waiting.link:
            for each in result.receipts:
                self.link.connection.receipt(each.number, each.ack, each.count)

    original = Conversation._accepted
    return [swap(Conversation, "_accepted", accepted)]


@mutant
def unknown_transfers_are_not_answered() -> Patches:
    """Who lost a history says nothing about the transfers that were in it."""
    return [swap(transfers, "answer_unknown", lambda control: None)]


@mutant
def transfers_spoken_of_before_their_offer() -> Patches:
    """A sender speaks of an offer that may still be on its way."""

    def standing(self: Sending) -> None:
        self._out.say(self.peer, control.TransferStatus(self.id, self.detail.held))

    return [swap(Sending, "_say_standing", standing)]


@noticed_by(
    "tests/engine/files/test_transfer_endings.py::test_a_cancel_that_crosses_done_has_become_done"
)
def a_cancel_stays_a_cancel() -> Patches:
    """A sender that has ended does not take over how its receiver did."""
    handle_end = Sending._handle_end

    def deaf(self: Sending, said: Any, at: Any) -> None:
        if not self.ended:
            handle_end(self, said, at)

    return [swap(Sending, "_handle_end", deaf)]


@noticed_by(
    "tests/engine/files/test_transfer_endings.py::test_an_ending_is_said_until_it_is_received_and_then_no_more"
)
def endings_are_said_once() -> Patches:
    """A receiver does not repeat how a transfer ended."""
    link_up = Receiving.handle_link_up

    def silent(self: Receiving, at: Any, is_other: bool = False) -> None:
        if not self.ended:
            link_up(self, at, is_other)

    return [swap(Receiving, "handle_link_up", silent)]


@mutant
def done_is_final() -> Patches:
    """A sender that was done before does not begin again."""
    late = Sending._handle_late

    def refuse(self: Sending, said: Any, at: Any) -> None:
        if not isinstance(said, control.Accept):
            late(self, said, at)

    return [swap(Sending, "_handle_late", refuse)]


@mutant
def unread_page_forgotten() -> Patches:
    """A page that comes back and could not be read is not read again."""
    read = Restoring.handle_read

    def forgetful(self: Restoring, asked: Any, page: Any, now: Any) -> None:
        if page is None:
            self._talk(asked.peer).ask = None
        else:
            read(self, asked, page, now)

    return [swap(Restoring, "handle_read", forgetful)]


@noticed_by(
    "tests/engine/ledger/test_restores.py::test_a_text_withdrawn_after_a_rollback_did_not_fail"
)
def restored_failures_stay() -> Patches:
    """A text that failed here is not said to have arrived when the peer gives it back."""
    return [swap(restores, "_agree", lambda db, row, known: False)]
