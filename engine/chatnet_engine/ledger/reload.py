"""Reads one peer again while the engine runs, as a start would."""

import sqlite3

from chatnet_engine.ledger import pages, people, restores, transfers
from chatnet_engine.ledger.counters import peer_state
from chatnet_protocol import commit as c
from chatnet_protocol.ipc.rows import AckRun

MAX_ROWS = 8192
"""Messages that front ends can have missed of a peer: what was committed in the transactions
since, each far below this."""


def load_peer(db: sqlite3.Connection, op: c.LoadPeer) -> c.PeerLoaded:
    """Everything of one peer; see LoadPeer."""
    peer = op.peer
    found = pages.forwards(db, pages.Slice(peer, MAX_ROWS, MAX_ROWS * 64 * 1024), op.after_no)
    runs = db.execute(
        "SELECT first_seq, run, first_ack FROM settled_runs"
        " WHERE peer = ? AND first_seq + run - 1 > ? AND first_ack > 0 ORDER BY first_seq",
        (peer, op.after_seq),
    )
    return c.PeerLoaded(
        peer=peer,
        row=next((row for row in people.listed(db) if row.peer == peer), None),
        state=peer_state(db, peer),
        rows=[row for row, _ in found],
        runs=[AckRun(first + run - 1, ack + run - 1, run) for first, run, ack in runs],
        tail=pages.tail(db, peer),
        restore=restores.load(db, peer),
        transfers=[stored for stored in transfers.load(db) if stored.row.peer == peer],
        offers=[row for owner, row in pages.offers_without_transfer(db) if owner == peer],
    )
