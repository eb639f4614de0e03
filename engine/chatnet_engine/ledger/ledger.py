"""Owns the writing connection: one transaction per commit, and the state at start.

The operations themselves are in the modules beside this one. No threads, sockets or clocks:
times come with the operations.
"""

import sqlite3

from chatnet_engine.ledger import (
    batches,
    counters,
    incoming,
    loading,
    outgoing,
    own_settings,
    pages,
    people,
    reload,
    restores,
    transfers,
)
from chatnet_engine.ledger.failure import commit_failed
from chatnet_engine.ledger.migrations import migrate
from chatnet_engine.ledger.schema import mark_in_use, transaction
from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import restores as cr
from chatnet_engine.store_ops import settings as cs
from chatnet_engine.trace import describe
from chatnet_protocol.ipc.rows import MessageRow, PeerRow, RestoreRow, SessionRow
from chatnet_protocol.ipc.view import PeerView, View, idle_link


class Ledger:
    """The durable store of one session."""

    def __init__(self, connection: sqlite3.Connection, *, writes: bool = True) -> None:
        """Brings the store to the present schema; without `writes` only `load` works.

        Raises VersionMismatch when it is newer.
        """
        self._db = connection
        self._offers: list[tuple[int, MessageRow]] = []
        if not writes:
            return
        migrate(connection)
        # An engine that was stopped properly has stored the transfer of every offer.
        clean = connection.execute("SELECT clean FROM totals").fetchone()[0]
        if not clean:
            self._offers = pages.offers_without_transfer(connection)
        with transaction(connection):
            people.purge(connection)
            mark_in_use(connection)

    def apply(self, commit: c.Commit) -> c.Committed | c.CommitFailed:
        """Do the operations in one transaction, in order.

        An operation that raises anything but SQLite's own errors is named in the answer. Raises
        sqlite3.Error for those that are mistakes of ours; nothing is stored then.
        """
        db = self._db
        results: list[c.OpResult] = []
        try:
            db.execute("BEGIN IMMEDIATE")
            for op in commit.ops:
                results.append(_perform(db, op))
            db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            failed = commit_failed(commit.number, error)
            if failed is None:
                raise
            return failed
        except Exception as error:
            self._roll_back()
            if len(results) == len(commit.ops):
                raise
            sentence = "An operation on the history failed inside the engine."
            return c.CommitFailed(commit.number, sentence, False, len(results), describe(error))
        except BaseException:
            self._roll_back()
            raise
        return c.Committed(commit.number, results)

    def load(self) -> c.Loaded:
        """What an engine starts from; its cost does not depend on how long the history is."""
        db = self._db
        rows = loading.read(db, self._offers)
        return c.Loaded(
            peers=rows.peers,
            states=rows.states,
            transfers=rows.transfers,
            last_no=batches.last_no(db),
            offers=rows.offers,
            automatic=transfers.automatic(db),
            restores=rows.restores,
            left_out=rows.left_out,
            asking_now=people.asking_now(self._db),
        )

    def load_view(self, session: SessionRow) -> View:
        """The durable part of the picture that front ends have. `session`: as it was started."""
        loaded = self.load()
        back = {state.peer: state for state in loaded.restores}
        return View(
            session=own_settings.with_settings(self._db, session),
            peers=[
                self._peer_view(info, state, back.get(info.peer))
                for info, state in zip(loaded.peers, loaded.states, strict=True)
            ],
            transfers=[stored.row for stored in loaded.transfers],
            last_no=loaded.last_no,
        )

    def _peer_view(
        self, info: PeerRow, state: c.PeerState, back: cr.RestoreState | None
    ) -> PeerView:
        last_no, last_ack = self._db.execute(
            "SELECT last_no, last_ack FROM counters WHERE peer = ?", (info.peer,)
        ).fetchone()
        return PeerView(
            info=info,
            link=idle_link(info.peer),
            messages=pages.tail(self._db, info.peer),
            last_no=last_no,
            last_seq=state.last_seq,
            last_ack=last_ack,
            sent_seq=state.sent_seq,
            delivered_seq=state.delivered_seq,
            peer_shown=state.peer_shown,
            peer_read=state.peer_read,
            my_shown=state.my_shown,
            my_read=state.my_read,
            draft=state.draft,
            draft_revision=state.draft_revision,
            restore=back.row() if back else RestoreRow(0),
        )

    def _roll_back(self) -> None:
        """Some errors have ended the transaction already."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def _perform(db: sqlite3.Connection, op: c.Op) -> c.OpResult:
    match op:
        case c.QueueMessages():
            return outgoing.queue(db, op)
        case c.AcceptMessages():
            return incoming.accept(db, op)
        case c.StoreReceipts():
            return outgoing.store_receipts(db, op)
        case c.LoadOutbox():
            return outgoing.load_outbox(db, op)
        case c.ApplyHello():
            return incoming.apply_hello(db, op)
        case c.StoreMarks():
            return counters.store_marks(db, op)
        case c.StoreLine():
            return counters.store_line(db, op)
        case c.StoreDraft():
            return counters.store_draft(db, op)
        case c.FailMessage():
            return outgoing.fail(db, op)
        case c.StorePeer():
            return people.store(db, op)
        case c.ForgetPeer():
            return people.forget(db, op)
        case c.LoadPeer():
            return reload.load_peer(db, op)
        case c.StoreTransfer():
            return transfers.store(db, op)
        case c.LoadTransfers():
            return c.TransfersLoaded(loading.readable(transfers.load_some(db, op)))
        case c.FindFolder():
            return loading.readable_folder(transfers.find_folder(db, op))
        case cr.StoreRestoreRequest():
            return restores.store_request(db, op)
        case cr.StorePeerRestoreRequest():
            return restores.store_peer_request(db, op)
        case cr.PutBack():
            return restores.put_back(db, op)
        case cs.StoreSettings():
            return own_settings.store(db, op)
        case cs.StoreDisplayName():
            return own_settings.store_display_name(db, op)
        case c.ListReceived():
            return transfers.list_received(db, op)
