"""Reads one peer again while the engine runs, as a start would."""

import sqlite3

from chatnet_engine.ledger import loading, pages, people, transfers
from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import restores as cr
from chatnet_protocol.ipc.rows import AckRange

MAX_ROWS = 8192
"""Messages that front ends can have missed of a peer: what was committed in the transactions
since, each far below this."""


def load_peer(db: sqlite3.Connection, op: c.LoadPeer) -> c.PeerLoaded:
    """Everything of one peer; see LoadPeer. Raises one of DAMAGE."""
    peer = op.peer
    listed = peer in people.numbers(db)
    found = pages.forwards(db, pages.Slice(peer, MAX_ROWS, MAX_ROWS * 64 * 1024), op.after_no)
    runs = db.execute(
        "SELECT first_seq, run, first_ack FROM settled_runs"
        " WHERE peer = ? AND first_seq + run - 1 > ? AND first_ack > 0 ORDER BY first_seq",
        (peer, op.after_seq),
    )
    return c.PeerLoaded(
        peer=peer,
        row=loading.peer_row(db, peer) if listed else None,
        state=loading.peer_state(db, peer),
        rows=[row for row, _ in found],
        runs=[AckRange(first + run - 1, ack + run - 1, run) for first, run, ack in runs],
        tail=pages.tail(db, peer),
        restore=next(iter(loading.restore(db, peer)), cr.RestoreState(peer)),
        transfers=loading.readable(one for one in transfers.load(db) if one.row.peer == peer),
        offers=[
            row
            for owner, row in pages.offers_without_transfer(db)
            if owner == peer and loading.is_offer(row)
        ],
    )
