"""Makes a consistent copy of a store beside the engine that writes to it.

The copy is of one instant: a read transaction holds that while pages are copied, some at a time,
so that the writer never waits for it (its log only cannot start over meanwhile).
"""

import sqlite3
from collections.abc import Callable

from chatnet_engine.ledger.schema import StoreDamaged

STEP_PAGES = 256
"""Copied at a time: 1 MiB, some milliseconds."""


def copy_store(source: sqlite3.Connection, path: str, on_step: Callable[[], None]) -> int:
    """Copy what `source`, a read-only connection, sees into the empty file `path`.

    The copy is one file, readable without its log; nothing of it is flushed to disk yet. Returns
    how many messages it holds. `on_step` is called after each MiB; what it raises ends the copying.
    Raises StoreDamaged when the copy fails its check, sqlite3.Error when it cannot be made.
    """
    source.execute("BEGIN")
    try:
        (messages,) = source.execute("SELECT last_no FROM totals").fetchone()
        target = sqlite3.connect(path)
        try:
            # The caller deletes an incomplete copy and flushes a complete one.
            target.execute("PRAGMA synchronous = OFF")
            source.backup(target, pages=STEP_PAGES, progress=lambda *_: on_step())
            target.execute("PRAGMA journal_mode = DELETE").fetchone()
            problem = target.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            target.close()
    finally:
        source.execute("ROLLBACK")
    if problem != "ok":
        raise StoreDamaged("The history file is damaged: the check of its copy found an error.")
    return int(messages)
