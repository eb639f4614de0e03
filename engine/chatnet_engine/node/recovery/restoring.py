"""Owns restores of conversations: our requests and the peers', and the pages in progress.

The side that lost history asks for page after page, each after the last one's commit; the giver
keeps only its user's consent to this request, and reads a page when it is asked for one. Messages
are volatile, and the request is sent again on the next link.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from chatnet_engine.arq.events import MessagesArrived
from chatnet_engine.clock import Now
from chatnet_engine.files.restored import restored_transfer
from chatnet_engine.node.effects import ReadHistory, ReplyTo
from chatnet_engine.node.link_session import LinkSession
from chatnet_engine.node.links.links import Links
from chatnet_engine.node.messaging.messaging import Messaging
from chatnet_engine.node.people.peers import Peers
from chatnet_engine.node.publisher import split_rows
from chatnet_engine.node.subject import Subject
from chatnet_engine.node.turn import Turn
from chatnet_engine.node.waiting import Waiting
from chatnet_engine.store_ops import restores as cr
from chatnet_engine.store_ops.commit import HelloApplied, PeerForgotten, PeerLoaded
from chatnet_engine.store_ops.transfers import StoredTransfer
from chatnet_protocol.errors import CommandError, ErrorCode, RemoteProtocolError
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.rows import (
    RESTORE_UNDER_WAY,
    MessageKind,
    MessageRow,
    RestoreMine,
    RestoreTheirs,
)
from chatnet_protocol.limits import MAX_TOTAL_AHEAD
from chatnet_protocol.wire import restoring as wire
from chatnet_protocol.wire.messages import CHANNEL_RESTORE

MAX_RESTORE_REQUESTS = 8
"""Different restore requests of a peer on one link that the user here is shown; more are
refused."""
READ_AGAIN_S = 5.0
"""After a page of the history could not be read."""
CONSENTED = (RestoreTheirs.GIVING, RestoreTheirs.GIVEN)


@dataclass(slots=True)
class _Talk:
    """What is under way on the present link with one peer."""

    asked: int | None = None
    """Place that we asked for; None: nothing."""
    ask: wire.RestoreAsk | None = None
    """What the peer asked for and has not been given."""
    read_at: float | None = None
    """When that is tried again, since it could not be read."""
    requests: int = 0


@dataclass(frozen=True, slots=True)
class RestoreRead:
    """For whom a page is being read; one that is not the peer's present `ask` is dropped."""

    peer: int
    ask: wire.RestoreAsk


class Restoring(Subject):
    """The subject of restores, in both directions, of all peers."""

    def __init__(
        self,
        loaded: list[cr.RestoreState],
        messaging: Messaging,
        peers: Peers,
        links: Links,
        turn: Turn,
        random: Callable[[int], bytes],
    ) -> None:
        super().__init__()
        self._states = {state.peer: state for state in loaded}
        self._talks: dict[int, _Talk] = {}
        self._commits = turn.commits
        self._publisher = turn.publisher
        self._messaging = messaging
        self._session = links.sessions.get
        self._peers = peers
        self._replies = turn.replies
        self._random = random
        self._reads: list[ReadHistory] = []
        self.commands = {cmd.AskRestore: self._ask_restore, cmd.AnswerRestore: self._answer_restore}
        self.channels = {CHANNEL_RESTORE: self._arrived}
        self.results = {
            cr.RestoreStored: self._restore_stored,
            cr.MessagesPutBack: self._messages_put_back,
        }

    # --- what front ends ask ---

    def _ask_restore(self, command: cmd.AskRestore, reply_to: ReplyTo, now: Now) -> None:
        self._peers.need_accepted(command.peer)
        if self.want(command.peer, command.wanted, reply_to):
            self._replies.reply(reply_to, cmd.Done())

    def _answer_restore(self, command: cmd.AnswerRestore, reply_to: ReplyTo, now: Now) -> None:
        self._peers.need_accepted(command.peer)
        if self.answer(command.peer, command.consent, reply_to):
            self._replies.reply(reply_to, cmd.Done())

    def want(self, peer: int, wanted: bool, asker: ReplyTo) -> bool:
        """Ask the peer for what is missing, or stop that; whether it is so already."""
        state = self._state(peer)
        if (state.mine in RESTORE_UNDER_WAY) is wanted:
            return True
        if wanted:
            name = int.from_bytes(self._random(8), "big") >> 2 or 1
            self._commits.add(cr.StoreRestoreRequest(peer, name, RestoreMine.ASKING), asker)
        else:
            self._commits.add(cr.StoreRestoreRequest(peer, state.want, RestoreMine.NONE), asker)
        return False

    def answer(self, peer: int, consent: bool, asker: ReplyTo) -> bool:
        """Answer the peer's request; whether it already has this answer. Raises CommandError."""
        state = self._state(peer)
        if state.theirs in (CONSENTED if consent else (RestoreTheirs.REFUSED,)):
            return True
        if state.theirs != RestoreTheirs.ASKED and (consent or state.theirs not in CONSENTED):
            raise CommandError(ErrorCode.NOT_ALLOWED, "The peer does not ask for anything back.")
        theirs = RestoreTheirs.GIVING if consent else RestoreTheirs.REFUSED
        self._commits.add(cr.StorePeerRestoreRequest(peer, state.their_want, theirs), asker)
        return False

    # --- the link ---

    def link_up(self, session: LinkSession, now: Now) -> None:
        """What was under way on the last link is not any more."""
        self._talks[session.peer] = _Talk()
        self._ask(session.peer)

    def _arrived(self, session: LinkSession, event: MessagesArrived, now: Now) -> None:
        for body in event.messages:
            self.handle_arrived(session.peer, body)

    def handle_arrived(self, peer: int, body: bytes) -> None:
        """A message of channel 2. Raises DecodeError, RemoteProtocolError."""
        message = wire.decode_restoring(body)
        state = self._state(peer)
        match message:
            case wire.RestoreAsk():
                self._asked(peer, message, state)
            case wire.RestorePage() if (
                message.want == state.want and state.mine in RESTORE_UNDER_WAY
            ):
                self._page(peer, message)
            case wire.RestoreRefuse() if (
                message.want == state.want and state.mine in RESTORE_UNDER_WAY
            ):
                self._commits.add(cr.StoreRestoreRequest(peer, message.want, RestoreMine.REFUSED))
            case wire.RestoreStop() if message.want == state.their_want:
                self._talk(peer).ask = None
                if state.theirs in (RestoreTheirs.ASKED, RestoreTheirs.GIVING):
                    self._commits.add(
                        cr.StorePeerRestoreRequest(peer, message.want, RestoreTheirs.NONE)
                    )
            case wire.RestorePage() | wire.RestoreRefuse() | wire.RestoreStop():
                pass  # about a request that has ended meanwhile
            case _:
                assert_never(message)

    def peer_removed(self, result: PeerForgotten, now: Now) -> None:
        """The peer is not in the list any more."""
        self.peer_unloaded(result.peer)

    def peer_unloaded(self, peer: int) -> None:
        """Both requests and what is under way are thrown away."""
        self._states.pop(peer, None)
        self._talks.pop(peer, None)

    def peer_loaded(self, result: PeerLoaded, now: Now) -> None:
        """Both requests as the store has them."""
        if result.row is not None and result.restore != cr.RestoreState(result.peer):
            self.handle_loss(result.restore)

    # --- what the ledger answers ---

    def _restore_stored(self, result: cr.RestoreStored, waiting: Waiting, now: Now) -> None:
        self.handle_stored(result.state)
        self._replies.reply(waiting.reply_to, cmd.Done())

    def _messages_put_back(self, result: cr.MessagesPutBack, waiting: Waiting, now: Now) -> None:
        self.handle_put_back(result)
        for subject in self.subjects:
            subject.transfers_restored(result.transfers, now)

    def handle_stored(self, state: cr.RestoreState) -> None:
        """The new state of a request: publish it and, where the peer waits for it, send it."""
        before = self._state(state.peer)
        self._changed(state)
        if before.mine in RESTORE_UNDER_WAY and state.mine in (
            RestoreMine.NONE,
            RestoreMine.POSSIBLE,
        ):
            self._say(state.peer, wire.RestoreStop(before.want))
        elif state.mine == RestoreMine.ASKING and before.want != state.want:
            self._ask(state.peer)
        ask = self._talk(state.peer).ask
        if ask is not None and ask.want == state.their_want and before.theirs != state.theirs:
            self._serve(state.peer, ask, state)

    def hello_applied(self, result: HelloApplied) -> None:
        """A HELLO may tell of messages missing on either side."""
        if result.restore:
            self.handle_loss(result.restore)

    def handle_loss(self, state: cr.RestoreState) -> None:
        """A HELLO showed that messages are missing on either side."""
        self._changed(state)

    def handle_put_back(self, result: cr.MessagesPutBack) -> None:
        """A page is in the history: tell front ends, ask for the next one."""
        peer = result.peer
        self._messaging.put_back(result)
        for rows in split_rows(result.rows):
            self._publisher.publish(ev.MessagesRestored(peer, rows[0].no, rows))
        for row in result.changed:
            self._publisher.publish(ev.MessagesRestored(peer, row.no, [row]))
        # What was published in this unit is not in the view yet, so it cannot say what that shows.
        shown = self._publisher.view.peer(peer)
        if result.rows or result.changed or (shown and shown.messages != result.tail):
            self._publisher.publish(ev.MessagesRestored(peer, 0, [], result.tail))
        self._changed(result.state)
        if self._talk(peer).asked is None:
            self._ask(peer)

    def handle_read(self, read: RestoreRead, page: HistoryPage | None, now: Now) -> None:
        """A page for a peer was read; None: it could not be, and is tried again."""
        peer, ask = read.peer, read.ask
        talk, state = self._talk(peer), self._state(peer)
        if talk.ask is not ask or state.theirs not in CONSENTED:
            return
        if page is None:
            talk.read_at = now.mono_s + READ_AGAIN_S
            return
        talk.ask = None
        rows = page.rows
        if ask.after:
            if not rows or (rows[0].no, rows[0].id) != (ask.after, ask.after_id):
                talk.ask = wire.RestoreAsk(ask.want, 0, b"")
                self._read(peer, talk.ask)
                return
            rows = rows[1:]
        given = page_of(ask, rows, page.more)
        self._say(peer, given)
        if not given.more and state.theirs == RestoreTheirs.GIVING:
            self._commits.add(cr.StorePeerRestoreRequest(peer, ask.want, RestoreTheirs.GIVEN))

    def take_reads(self) -> list[ReadHistory]:
        """Pages to read; their context is a RestoreRead."""
        out, self._reads = self._reads, []
        return out

    # --- time ---

    def handle_due(self, peer: int, now: Now) -> None:
        """Read again what could not be read; harmless when nothing is due."""
        talk = self._talks.get(peer)
        if talk and talk.read_at is not None and talk.read_at <= now.mono_s:
            talk.read_at = None
            if talk.ask is not None and self._state(peer).theirs in CONSENTED:
                self._read(peer, talk.ask)

    def due_of(self, peer: int) -> float | None:
        """When `handle_due` has something to do for this peer."""
        talk = self._talks.get(peer)
        return talk.read_at if talk else None

    # --- inside ---

    def _asked(self, peer: int, ask: wire.RestoreAsk, state: cr.RestoreState) -> None:
        talk = self._talk(peer)
        if ask.want != state.their_want:
            talk.requests += 1
            if talk.requests > MAX_RESTORE_REQUESTS:
                self._say(peer, wire.RestoreRefuse(ask.want))
                return
            talk.ask = ask
            self._commits.add(cr.StorePeerRestoreRequest(peer, ask.want, RestoreTheirs.ASKED))
        elif talk.ask is None or state.theirs not in CONSENTED:
            talk.ask = ask
            self._serve(peer, ask, state)
        else:
            raise RemoteProtocolError("asked for a page before the last one came")

    def _serve(self, peer: int, ask: wire.RestoreAsk, state: cr.RestoreState) -> None:
        if state.theirs in CONSENTED:
            self._read(peer, ask)
        elif state.theirs == RestoreTheirs.REFUSED:
            self._talk(peer).ask = None
            self._say(peer, wire.RestoreRefuse(ask.want))

    def _read(self, peer: int, ask: wire.RestoreAsk) -> None:
        query = FetchHistory(peer, after_no=max(0, ask.after - 1), limit=wire.MAX_PAGE_ROWS)
        self._talk(peer).read_at = None
        self._reads.append(ReadHistory(RestoreRead(peer, ask), query))

    def _ask(self, peer: int) -> None:
        state, talk = self._state(peer), self._talk(peer)
        session = self._session(peer)
        if state.mine in RESTORE_UNDER_WAY and session and session.streaming:
            talk.asked = state.after
            self._say(peer, wire.RestoreAsk(state.want, state.after, state.after_id))

    def _page(self, peer: int, page: wire.RestorePage) -> None:
        talk = self._talk(peer)
        if talk.asked is None or page.after not in (talk.asked, 0):
            raise RemoteProtocolError("a page of history that was not asked for")
        talk.asked = None
        session = self._session(peer)
        source = session.source if session else ""
        counters = self._messaging.counters(peer)
        for row in page.rows:
            total = counters.acked_total if row.yours else counters.received_total
            if row.lamport > counters.lamport + MAX_TOTAL_AHEAD:
                raise RemoteProtocolError("a Lamport counter is too far ahead")
            if row.ack > total + MAX_TOTAL_AHEAD:
                raise RemoteProtocolError("an ACK number is too far ahead")
        op = cr.PutBack(
            peer, page.want, page.after, page.next, page.next_id, page.more,
            [_put_back(peer, row) for row in page.rows], source,
        )  # fmt: skip
        self._commits.add(op)

    def _changed(self, state: cr.RestoreState) -> None:
        former, self._states[state.peer] = self._states.get(state.peer), state
        shown = self._publisher.view.peer(state.peer)
        if shown and not (shown.restore == state.row() and former == state):
            self._publisher.publish(ev.RestoreChanged(state.row()))

    def _say(self, peer: int, message: wire.Restoring) -> None:
        if session := self._session(peer):
            session.send(CHANNEL_RESTORE, wire.encode_restoring(message))

    def _state(self, peer: int) -> cr.RestoreState:
        return self._states.get(peer) or cr.RestoreState(peer)

    def _talk(self, peer: int) -> _Talk:
        return self._talks.setdefault(peer, _Talk())


def _put_back(peer: int, row: wire.RestoredRow) -> cr.RestoredMessage:
    """One message of a page, an offer with the record of its transfer."""
    transfer = None
    if row.kind == MessageKind.OFFER:
        offer = MessageRow(
            0, row.id, row.yours, row.kind, row.body, row.sent_ms, row.arrived_ms, 0, row.ack, "",
            row.lamport, 0,
        )  # fmt: skip
        record = restored_transfer(offer, peer, row.arrived_ms)
        transfer = StoredTransfer(record.row, record.detail, listing=record.listing)
    return cr.RestoredMessage(
        row.yours, row.id, row.kind, row.lamport, row.sent_ms, row.arrived_ms, row.ack, row.body,
        transfer, row.reply_to,
    )  # fmt: skip


def page_of(ask: wire.RestoreAsk, rows: list[MessageRow], more: bool) -> wire.RestorePage:
    """What of `rows` both sides had, as the side that asks sees it, up to PAGE_BYTES."""
    out: list[wire.RestoredRow] = []
    place, place_id, size = ask.after, ask.after_id, 0
    for row in rows:
        size += len(row.body) + wire.ROW_BYTES
        if size > wire.PAGE_BYTES and place != ask.after:
            more = True
            break
        place, place_id = row.no, row.id
        if row.ack and not row.failed:
            out.append(
                wire.RestoredRow(
                    not row.mine, row.kind, row.id, row.lamport, row.sent_ms, row.arrived_ms,
                    row.ack, row.body, row.reply_to,
                )
            )  # fmt: skip
    return wire.RestorePage(ask.want, ask.after, place, place_id, more, out)
