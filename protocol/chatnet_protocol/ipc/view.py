"""The bounded picture of a session, and the one reducer that changes it.

The engine builds its snapshots with `View.apply`, every client mirrors it with `View.apply`, and
the ledger builds the durable part of it from the store; so the three cannot drift apart. The view
is bounded: per peer the last VIEW_MESSAGES messages within VIEW_TEXT_BYTES, and watermarks from
which each bubble derives its own state.
"""

from bisect import bisect_left
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.reasons import MessageFailure
from chatnet_protocol.ipc.rows import (
    ENDED_TRANSFER_STATES,
    AckRange,
    ClientRow,
    LinkRow,
    LinkState,
    MessageRow,
    PeerRow,
    RestoreRow,
    SessionRow,
    TransferRow,
)
from chatnet_protocol.limits import (
    MAX_VIEW_TRANSFERS,
    SNAPSHOT_PART_BYTES,
    VIEW_MESSAGES,
    VIEW_TEXT_BYTES,
)

MAX_SNAPSHOT_BYTES = 256 * 1024 * 1024
"""No honest view of MAX_PEERS peers comes near this."""


class PeerView(Struct, array_like=True):
    """One conversation as front ends show it."""

    info: PeerRow
    link: LinkRow
    messages: list[MessageRow] = []
    """The newest, oldest first, in (place, lamport, author, id) order."""
    last_no: int = 0
    last_seq: int = 0
    """Own messages so far."""
    last_ack: int = 0
    """The peer's messages so far: the highest ACK number given."""
    sent_seq: int = 0
    delivered_seq: int = 0
    peer_shown: int = 0
    peer_read: int = 0
    my_shown: int = 0
    my_read: int = 0
    draft: str = ""
    draft_revision: int = 0
    typing: bool = False
    restore: RestoreRow = RestoreRow(0)
    """The state of restores after a history was lost; `peer` is 0 before there was any."""

    @property
    def unread(self) -> int:
        """How many of the peer's messages nobody here has read."""
        return max(0, self.last_ack - self.my_read)

    @property
    def waiting(self) -> int:
        """How many own messages the peer has not committed and still will: of those that failed
        ahead of the others only the newest are known."""
        never = sum(bool(row.failed) and row.seq > self.delivered_seq for row in self.messages)
        return max(0, self.last_seq - self.delivered_seq - never)


def message_state(row: MessageRow, peer: PeerView) -> str:
    """What a bubble shows: for own messages `failed`, `queued`, `sent`, `delivered`, `shown` or
    `read`; for the peer's `read` or `unread`."""
    if not row.mine:
        return "read" if row.ack <= peer.my_read else "unread"
    if row.failed:
        return "failed"
    if row.ack and row.ack <= peer.peer_read:
        return "read"
    if row.ack and row.ack <= peer.peer_shown:
        return "shown"
    if row.ack or row.seq <= peer.delivered_seq:
        return "delivered"
    return "sent" if row.seq <= peer.sent_seq else "queued"


def failed_row(row: MessageRow, reason: str) -> MessageRow:
    """An own message that will never be sent; of a deleted one no words are left."""
    body = b"" if reason == MessageFailure.DELETED else row.body
    return msgspec.structs.replace(row, failed=reason, body=body)


def apply_runs(rows: Sequence[MessageRow], runs: Sequence[AckRange]) -> list[MessageRow]:
    """`rows` with the ACK numbers that `runs` tell of own messages filled in."""
    out = list(rows)
    for run in runs:
        first = run.seq - run.count + 1
        for index in range(len(out) - 1, -1, -1):
            row = out[index]
            if row.mine and first <= row.seq <= run.seq and not row.ack:
                ack = run.ack - (run.seq - row.seq)
                out[index] = msgspec.structs.replace(row, ack=ack)
    return out


def screen_order(row: MessageRow) -> tuple[int, int, bool, bytes]:
    """Sort key of a conversation on screen.

    The author's key is the third criterion of the specification; within one conversation there
    are two authors, so whether it is ours decides as well and needs no key.
    """
    return (row.place, row.lamport, row.mine, row.id)


class View(Struct, array_like=True):
    """A session as a whole: what a snapshot holds."""

    session: SessionRow
    peers: list[PeerView] = []
    transfers: list[TransferRow] = []
    clients: list[ClientRow] = []
    last_no: int = 0
    stopping: str = ""
    """Why the engine is ending, once it is."""

    def peer(self, number: int) -> PeerView | None:
        """The conversation with peer `number`."""
        peers = self.peers
        at = bisect_left(peers, number, key=_number)
        if at < len(peers) and peers[at].info.peer == number:
            return peers[at]
        for peer in peers:  # one that was removed and is known again stands at the end
            if peer.info.peer == number:
                return peer
        return None

    def transfer(self, transfer_id: bytes) -> TransferRow | None:
        """The transfer with that id."""
        at = _index(self.transfers, transfer_id)
        return None if at is None else self.transfers[at]

    def apply(self, event: ev.Event) -> None:
        """Change the picture as `event` says. Events about unknown peers change nothing."""
        match event:
            case ev.MessagesAdded(peer=number) | ev.MessagesRestored(peer=number):
                if event.rows:
                    self.last_no = max(self.last_no, event.rows[-1].no)
                if peer := self.peer(number):
                    if isinstance(event, ev.MessagesRestored):
                        _put_back(peer, event)
                    else:
                        _add(peer, event.rows)
            case ev.PeerChanged(row=info):
                self._put_peer(info)
            case ev.PeerRemoved():
                self._remove_peer(event)
            case ev.TransferChanged(row=transfer):
                self._put_transfer(transfer)
            case ev.SessionChanged(row=session):
                self.session = session
            case ev.ClientAttached(row=client):
                self.clients = [row for row in self.clients if row.client != client.client]
                self.clients.append(client)
            case ev.ClientDetached(client=number):
                self.clients = [row for row in self.clients if row.client != number]
            case ev.EngineStopping(reason=reason):
                self.stopping = reason
            case ev.Notice() | ev.SkippedEvent():
                pass
            case _:
                changed = (
                    event.row if isinstance(event, ev.LinkChanged | ev.RestoreChanged) else event
                )
                number = changed.peer
                if peer := self.peer(number):
                    _change(peer, event)

    def durable(self) -> "View":
        """A copy without what ends with the engine: links, typing, clients.

        Equals what the ledger loads from the store after the same commits.
        """
        peers = [
            msgspec.structs.replace(
                peer, link=idle_link(peer.info.peer), typing=False, messages=list(peer.messages)
            )
            for peer in self.peers
        ]
        return View(
            session=self.session,
            peers=peers,
            transfers=list(self.transfers),
            last_no=self.last_no,
        )

    def pack_parts(self) -> list[bytes]:
        """The view as one msgpack document, cut into parts of at most SNAPSHOT_PART_BYTES."""
        data = codec.pack(self)
        return [
            data[start : start + SNAPSHOT_PART_BYTES]
            for start in range(0, len(data), SNAPSHOT_PART_BYTES)
        ]

    @staticmethod
    def from_parts(parts: Sequence[bytes]) -> "View":
        """The view that `pack_parts` cut up. Raises DecodeError."""
        if not parts:
            raise DecodeError("a snapshot has at least one part")
        return codec.unpack(b"".join(parts), View, MAX_SNAPSHOT_BYTES)

    def _put_peer(self, info: PeerRow) -> None:
        if peer := self.peer(info.peer):
            peer.info = info
        else:
            self.peers.append(PeerView(info=info, link=idle_link(info.peer)))

    def _remove_peer(self, event: ev.PeerRemoved) -> None:
        removed, into = self.peer(event.peer), self.peer(event.into)
        self.peers = [peer for peer in self.peers if peer is not removed]
        if removed and into:
            _merge(into, removed, event.rows)
        if event.into:
            self.transfers = [
                msgspec.structs.replace(row, peer=event.into) if row.peer == event.peer else row
                for row in self.transfers
            ]

    def _put_transfer(self, row: TransferRow) -> None:
        at = _index(self.transfers, row.id)
        if at is None:
            self.transfers.append(row)
        else:
            self.transfers[at] = row
        if row.state not in ENDED_TRANSFER_STATES:
            return
        ended = [t for t in self.transfers if t.state in ENDED_TRANSFER_STATES]
        for oldest in ended[: max(0, len(ended) - MAX_VIEW_TRANSFERS)]:
            self.transfers.remove(oldest)


def _number(peer: PeerView) -> int:
    return peer.info.peer


def _index(rows: list[TransferRow], transfer_id: bytes) -> int | None:
    ids = [row.id for row in rows]
    return ids.index(transfer_id) if transfer_id in ids else None


def idle_link(peer: int) -> LinkRow:
    """The link row of a peer nothing is known of yet."""
    return LinkRow(peer=peer, state=LinkState.IDLE, since_ms=0)


def _add(peer: PeerView, rows: list[MessageRow]) -> None:
    tail = peer.messages
    in_order = not tail or not rows or screen_order(rows[0]) > screen_order(tail[-1])
    in_order = in_order and all(row.place == row.no for row in rows)
    tail.extend(rows)
    for row in rows:
        peer.last_no = max(peer.last_no, row.no)
        if row.mine:
            peer.last_seq = max(peer.last_seq, row.seq)
        else:
            peer.last_ack = max(peer.last_ack, row.ack)
    if not in_order:
        tail.sort(key=screen_order)
    peer.messages = bounded_tail(tail)


def _put_back(peer: PeerView, event: ev.MessagesRestored) -> None:
    numbers = {row.no for row in event.rows}
    peer.messages = [row for row in peer.messages if row.no not in numbers]
    _add(peer, event.rows)
    if event.tail is not None:
        peer.messages = bounded_tail(list(event.tail))


def bounded_tail(rows: list[MessageRow]) -> list[MessageRow]:
    """The newest of `rows` that a view holds: VIEW_MESSAGES and VIEW_TEXT_BYTES, at least one."""
    newest = rows[-VIEW_MESSAGES:]
    size = sum([len(row.body) for row in newest])
    first = 0
    while size > VIEW_TEXT_BYTES and first < len(newest) - 1:
        size -= len(newest[first].body)
        first += 1
    return newest[first:]


def _merge(into: PeerView, gone: PeerView, rows: list[MessageRow]) -> None:
    """What the ledger does when two peers turn out to be one."""
    if into.delivered_seq == into.last_seq:
        into.delivered_seq = into.last_seq + gone.delivered_seq
    into.sent_seq = max(into.sent_seq, into.delivered_seq)
    into.last_seq += gone.last_seq
    for name in ("last_no", "last_ack", "peer_shown", "peer_read", "my_shown", "my_read"):
        setattr(into, name, max(getattr(into, name), getattr(gone, name)))
    if gone.draft and not into.draft:
        into.draft = gone.draft
        into.draft_revision += 1
    into.messages = bounded_tail(list(rows))


def _change(peer: PeerView, event: ev.Event) -> None:
    match event:
        case ev.MessagesDelivered():
            peer.delivered_seq = max(peer.delivered_seq, event.delivered_seq)
            peer.sent_seq = max(peer.sent_seq, event.delivered_seq)
            peer.messages = apply_runs(peer.messages, event.runs)
        case ev.MessageFailed():
            peer.messages = [
                failed_row(row, event.reason) if row.no == event.no else row
                for row in peer.messages
            ]
        case ev.CountersRaised():
            peer.messages = [
                msgspec.structs.replace(row, lamport=row.lamport + event.by)
                if row.mine and row.seq > event.after_seq
                else row
                for row in peer.messages
            ]
            peer.messages.sort(key=screen_order)
        case ev.MarksMoved():
            peer.sent_seq = max(peer.sent_seq, event.sent_seq)
            peer.peer_shown = max(peer.peer_shown, event.peer_shown)
            peer.peer_read = max(peer.peer_read, event.peer_read)
            peer.my_shown = max(peer.my_shown, event.my_shown)
            peer.my_read = max(peer.my_read, event.my_read)
        case ev.DraftChanged():
            peer.draft = event.text
            peer.draft_revision = event.revision
        case ev.TypingChanged():
            peer.typing = event.typing
        case ev.LinkChanged():
            peer.link = event.row
        case ev.RestoreChanged():
            peer.restore = event.row
        case _:
            raise AssertionError(f"no rule for {type(event).__name__}")
