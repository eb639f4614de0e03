"""Freezes the present schema of the store, with content in every table, as SQL text.

`python tests/support/freeze_store.py` writes `tests/engine/ledger/frozen/version-N.sql` once, when
version N is made; what is there is what people have on their disks, and is never written again.
"""

import sqlite3
import sys
from pathlib import Path

SUPPORT = Path(__file__).resolve().parent
ROOT = SUPPORT.parents[1]
if __name__ == "__main__":
    sys.path[:0] = [str(SUPPORT), *(str(ROOT / name) for name in ("protocol", "engine"))]

import msgspec  # noqa: E402

from chatnet_engine.ledger.migrations import STEPS  # noqa: E402
from chatnet_engine.store_ops import commit as c  # noqa: E402
from chatnet_engine.store_ops import settings as cs  # noqa: E402
from chatnet_protocol.ipc.rows import AckRange, PeerRow, TransferRow  # noqa: E402
from simworld.ledger_harness import LedgerHarness, arrived, message_id, texts  # noqa: E402

FROZEN = ROOT / "tests/engine/ledger/frozen"
BOB, EVE, OLD, RUDE = b"B" * 32, b"E" * 32, b"O" * 32, b"R" * 32


def frozen_path(version: int) -> Path:
    """Where that version is kept."""
    return FROZEN / f"version-{version}.sql"


def load_frozen(connection: sqlite3.Connection, version: int) -> None:
    """Make an empty database what an engine of that version left."""
    (checked,) = connection.execute("PRAGMA foreign_keys").fetchone()
    connection.execute("PRAGMA foreign_keys = OFF")  # tables come in the order of their names
    connection.executescript(frozen_path(version).read_text(encoding="utf-8"))
    connection.execute(f"PRAGMA foreign_keys = {checked}")


def write_history(harness: LedgerHarness) -> None:
    """Two people, one forgotten and one merged; everything that a conversation can leave."""
    bob = harness.add_peer(BOB, "bob")
    harness.hello(bob, 7, display_name="Bob B.")
    harness.queue(bob, texts(1, 2, 3), release=True)
    harness.accept(bob, 7, 1, arrived(11, 12, 13, lamport=2))
    harness.do(c.StoreReceipts(bob, [AckRange(2, 2, 2)]))
    harness.queue(bob, texts(4), release=False)
    harness.do(c.FailMessage(bob, 4, "Withdrawn before it was sent."))
    harness.do(c.StoreMarks(bob, sent_seq=3, peer_shown=2, peer_read=1, my_shown=3, my_read=2))
    # The peer remembers more than we have, and starts again: a gap, numbers that go on above it.
    harness.hello(bob, 8, acked_total=9, received_total=2, lamport=40)
    harness.accept(bob, 8, 1, arrived(14, 15, lamport=41))
    answer = msgspec.structs.replace(texts(6)[0], reply_to=message_id(14))
    harness.queue(bob, [*texts(5), answer])
    offer = c.Message(2, message_id(16), 50, 3000, b"an offer")
    harness.accept(bob, 8, 3, [offer])
    row = TransferRow(
        message_id(16), bob, harness.history()[-1].no, False, "paused", "a.bin", 1, 9, 4
    )
    harness.do(c.StoreTransfer(row, b"opaque", b"listing", c.AutomaticUse(BOB, 20_000, 9, 1)))
    done = TransferRow(message_id(99), bob, 1, True, "done", "b.bin", 2, 9, 9, path="/home/b.bin")
    harness.do(c.StoreTransfer(done, b"", digests=b"d" * 64))
    harness.do(c.StoreLine(bob, bytes((20, 55, 12, 0))))
    harness.do(c.StoreDraft(bob, "half a thought – ½", 0))
    eve = harness.add_peer(EVE, "eve")
    harness.queue(eve, texts(21))
    typed = harness.do(
        c.StorePeer(PeerRow(0, "typed", "host", 2, refused_keys=[EVE, OLD]))
    ).row.peer
    harness.queue(typed, texts(31, 32))
    harness.do(c.ForgetPeer(typed, eve))
    old = harness.add_peer(OLD, "old")
    harness.hello(old, 3)
    harness.accept(old, 3, 1, arrived(41))
    harness.do(c.ForgetPeer(old))
    harness.do(cs.StoreSettings("Ann", "", "/home/ann/inbox", 50_000, 0))
    rude = harness.add_peer(RUDE, "rude")
    harness.hello(rude, 4)
    harness.do(c.StorePeer(PeerRow(rude, "rude", "", 0, key=RUDE, trust="pinned", blocked=True)))


def main() -> int:
    """Write the present version; refuse to write it again."""
    path = frozen_path(len(STEPS))
    if path.exists():
        print(f"{path} is there already: frozen is frozen", file=sys.stderr)
        return 1
    harness = LedgerHarness()
    write_history(harness)
    lines = [*harness.connection.iterdump(), f"PRAGMA user_version = {len(STEPS)};"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
