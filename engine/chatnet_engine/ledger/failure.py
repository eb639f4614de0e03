"""Owns the sentence, and whether to try again, when SQLite cannot do a transaction."""

import sqlite3

from chatnet_engine.store_ops.commit import CommitFailed

_SENTENCES = {
    sqlite3.SQLITE_FULL: (
        "The disk that holds the history is full; free some space and it continues automatically.",
        False,
    ),
    sqlite3.SQLITE_IOERR: (
        "The disk that holds the history reports an error; it is tried again.",
        False,
    ),
    sqlite3.SQLITE_BUSY: ("Another program is using the history file; it is tried again.", False),
    sqlite3.SQLITE_LOCKED: ("The history file is locked; it is tried again.", False),
    sqlite3.SQLITE_CANTOPEN: (
        "A file of the history cannot be opened; it is tried again.",
        False,
    ),
    sqlite3.SQLITE_READONLY: ("The history file may not be written to.", True),
    sqlite3.SQLITE_PERM: ("The history file may not be accessed.", True),
    sqlite3.SQLITE_CORRUPT: ("The history file is damaged.", True),
    sqlite3.SQLITE_NOTADB: ("The history file is damaged: it is not a database.", True),
}


def commit_failed(number: int, error: sqlite3.Error) -> CommitFailed | None:
    """The answer to transaction `number`; None when `error` is a mistake of ours, to be raised."""
    code = getattr(error, "sqlite_errorcode", None)
    known = None if code is None else _SENTENCES.get(code & 0xFF)
    if known is None:
        return None
    reason, fatal = known
    return CommitFailed(number, reason, fatal, code=getattr(error, "sqlite_errorname", ""))
