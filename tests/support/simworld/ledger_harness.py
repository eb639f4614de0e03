"""A ledger with what an engine keeps beside it: the live view, fed with what each commit tells.

After every commit the view built from the store has to equal the live one.
"""

import sqlite3
from typing import Any

import msgspec

from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.schema import open_memory
from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import restores as cr
from chatnet_engine.store_ops import settings as cs
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import MessageRow, PeerRow, SessionRow
from chatnet_protocol.ipc.view import View

SESSION = SessionRow("a", "", "", 1, b"", "", "")
SOURCE = "192.0.2.1:7"


def message_id(number: int) -> bytes:
    """A time-ordered id."""
    return number.to_bytes(16, "big")


def texts(*numbers: int, draft_revision: int = 0) -> list[c.NewMessage]:
    """Own messages with these ids."""
    return [
        c.NewMessage(message_id(n), 1, f"text {n}".encode(), 1000 + n, draft_revision)
        for n in numbers
    ]


def arrived(*numbers: int, lamport: int = 1) -> list[c.Message]:
    """A peer's messages with these ids; Lamport counters rise from `lamport`."""
    return [
        c.Message(1, message_id(n), lamport + k, 2000 + n, f"from peer {n}".encode())
        for k, n in enumerate(numbers)
    ]


def raised(answer: c.Committed | c.CommitFailed) -> bool:
    """Whether an operation broke an invariant, so that nothing of the transaction is stored."""
    return isinstance(answer, c.CommitFailed) and answer.culprit >= 0


class LedgerHarness:
    """See the module. Peers are added with `add_peer`; operations go through `do`."""

    def __init__(self, connection: sqlite3.Connection | None = None) -> None:
        self.connection = connection or open_memory()
        self.ledger = Ledger(self.connection)
        self.view = self.ledger.load_view(SESSION)
        self.number = 0

    def do_all(self, *ops: c.Op) -> list[c.OpResult]:
        """One commit that has to succeed."""
        self.number += 1
        answer = self.ledger.apply(c.Commit(self.number, list(ops)))
        assert isinstance(answer, c.Committed), answer
        assert answer.number == self.number
        for op, result in zip(ops, answer.results, strict=True):
            for event in events_of(op, result, self.view):
                self.view.apply(event)
        assert self.ledger.load_view(SESSION) == self.view.durable()
        return answer.results

    def do(self, op: c.Op) -> Any:
        """The result of one operation in a commit of its own; Any: no type says which it is."""
        return self.do_all(op)[0]

    def refused(self, *ops: c.Op) -> c.CommitFailed:
        """The answer to a commit that has to fail."""
        self.number += 1
        answer = self.ledger.apply(c.Commit(self.number, list(ops)))
        assert isinstance(answer, c.CommitFailed), answer
        return answer

    def add_peer(self, key: bytes = b"k" * 32, name: str = "bob") -> int:
        """A pinned peer's number."""
        row = PeerRow(0, name, "host", 1, key=key, trust="pinned" if key else "none")
        stored: c.PeerStored = self.do(c.StorePeer(row))
        return stored.row.peer

    def hello(self, peer: int, incarnation: int, **fields: Any) -> c.HelloApplied:
        """Take in a HELLO; by default of a peer that agrees with us on everything."""
        state = self.state(peer)
        values: dict[str, Any] = {
            "base": 1, "acked_total": state.received_total, "received_total": state.acked_total,
            "lamport": 0, "display_name": "",
        }  # fmt: skip
        applied: c.HelloApplied = self.do(c.ApplyHello(peer, incarnation, **(values | fields)))
        return applied

    def accept(
        self, peer: int, incarnation: int, first_number: int, rows: list[c.Message]
    ) -> c.MessagesAccepted:
        """Commit a peer's messages."""
        op = c.AcceptMessages(peer, incarnation, first_number, rows, SOURCE, 5000)
        accepted: c.MessagesAccepted = self.do(op)
        return accepted

    def queue(self, peer: int, rows: list[c.NewMessage], release: bool = False) -> c.MessagesQueued:
        """Commit own messages."""
        queued: c.MessagesQueued = self.do(c.QueueMessages(peer, rows, 4000, release))
        return queued

    def state(self, peer: int) -> c.PeerState:
        """The counters of a listed peer, from the store."""
        return next(state for state in self.ledger.load().states if state.peer == peer)

    def is_unmet(self, peer: int) -> bool:
        """Whether the key of a listed peer is not known yet."""
        row = self.view.peer(peer)
        assert row is not None
        return row.info.key == b""

    def history(self) -> list[MessageRow]:
        """All messages, oldest first, read without the code under test."""
        found = self.connection.execute(
            "SELECT no, id, mine, kind, body, sent_ms, arrived_ms, seq, ack, source, lamport,"
            " place, failed FROM conversation ORDER BY no"
        )
        return [MessageRow(no, i, bool(mine), *rest) for no, i, mine, *rest in found]

    def image(self) -> bytes:
        """What a power loss leaves: everything committed."""
        assert not self.connection.in_transaction
        return self.connection.serialize()

    @staticmethod
    def from_image(image: bytes) -> "LedgerHarness":
        """An engine that starts from it."""
        connection = open_memory()
        connection.deserialize(image)
        return LedgerHarness(connection)


def events_of(op: c.Op, result: c.OpResult, view: View) -> list[ev.Event]:
    """What the engine announces after a commit, as far as the view keeps it."""
    match result:
        case c.MessagesQueued(peer=peer, rows=rows):
            out: list[ev.Event] = [ev.MessagesAdded(peer, rows[0].no, rows)] if rows else []
            if result.cleared_draft:
                out.append(ev.DraftChanged(peer, result.cleared_draft, "", 0))
            return out
        case c.MessagesAccepted(peer=peer, rows=rows):
            return [ev.MessagesAdded(peer, rows[0].no, rows)] if rows else []
        case c.ReceiptsStored(peer=peer):
            return [ev.MessagesDelivered(peer, result.delivered_seq, result.runs)]
        case c.HelloApplied(state=state):
            out = [marks_moved(state)]
            if result.raised_by:
                raised = ev.CountersRaised(result.peer, result.raised_after_seq, result.raised_by)
                out.append(raised)
            if result.restore:
                out.append(ev.RestoreChanged(result.restore.row()))
            conversation = view.peer(result.peer)
            if isinstance(op, c.ApplyHello) and conversation:
                info = msgspec.structs.replace(conversation.info, display_name=op.display_name)
                out.append(ev.PeerChanged(info))
            return out
        case c.MarksStored():
            values = result.sent_seq, result.peer_shown, result.peer_read
            return [ev.MarksMoved(result.peer, *values, result.my_shown, result.my_read)]
        case c.LineStored():
            return []
        case cs.SettingsStored() | cs.DisplayNameStored():
            return session_events(op, view)
        case c.DraftStored():
            return [ev.DraftChanged(result.peer, result.revision, result.text, 1)]
        case c.MessageFailedStored(peer=peer, no=no):
            failed = [ev.MessageFailed(peer, no, result.reason)] if no else []
            return [*failed, ev.MessagesDelivered(peer, result.delivered_seq, [])]
        case c.PeerStored() if result.refused:
            return []
        case c.PeerStored():
            return [ev.PeerChanged(result.row), marks_moved(result.state)]
        case c.PeerForgotten():
            return [ev.PeerRemoved(result.peer, result.into, result.rows)]
        case c.TransferStored():
            return [ev.TransferChanged(result.row)]
        case cr.RestoreStored():
            return [ev.RestoreChanged(result.state.row())]
        case cr.MessagesPutBack(peer=peer, rows=rows):
            out = [ev.MessagesRestored(peer, rows[0].no, rows)] if rows else []
            out += [ev.MessagesRestored(peer, row.no, [row]) for row in result.changed]
            out.append(ev.MessagesRestored(peer, 0, [], result.tail))
            out += [ev.TransferChanged(stored.row) for stored in result.transfers]
            if conversation := view.peer(peer):
                shown = (conversation.sent_seq, conversation.peer_shown, conversation.peer_read)
                out.append(ev.MarksMoved(peer, *shown, result.my_shown, result.my_read))
            return [*out, ev.RestoreChanged(result.state.row())]
        case _:
            return []


def marks_moved(state: c.PeerState) -> ev.MarksMoved:
    """All five watermarks as an event."""
    return ev.MarksMoved(
        state.peer,
        state.sent_seq,
        state.peer_shown,
        state.peer_read,
        state.my_shown,
        state.my_read,
    )


def session_events(op: c.Op, view: View) -> list[ev.Event]:
    """What is announced of names and of the inbox."""
    if isinstance(op, cs.StoreSettings):
        chosen = {
            "display_name": op.name,
            "inbox": op.inbox,
            "limit_bytes_s": op.limit_bytes_s,
        }
        known = {key: value for key, value in chosen.items() if value is not None}
        return [ev.SessionChanged(msgspec.structs.replace(view.session, **known))]
    assert isinstance(op, cs.StoreDisplayName)
    named = view.peer(op.peer)
    assert named
    return [ev.PeerChanged(msgspec.structs.replace(named.info, display_name=op.name))]
