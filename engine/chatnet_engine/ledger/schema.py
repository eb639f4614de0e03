"""Owns the tables, and how a connection to them is opened. Knows nothing of what is in them.

Messages are only ever appended. What changes later lies beside them: `settled_runs` says which
own messages left the outbox and with which ACK numbers, `counters` holds one row of watermarks per
peer, so that neither a receipt nor the start of an engine touches more rows the longer the history.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from chatnet_protocol.errors import ChatNetError

TABLES = """
CREATE TABLE totals (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    last_no INTEGER NOT NULL,
    last_peer INTEGER NOT NULL,
    clean INTEGER NOT NULL
) STRICT;
INSERT INTO totals VALUES (1, 0, 0, 1);

CREATE TABLE peers (
    peer INTEGER PRIMARY KEY,
    listed INTEGER NOT NULL,
    merged_into INTEGER NOT NULL,
    author INTEGER NOT NULL,
    name TEXT NOT NULL,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    key BLOB NOT NULL,
    trust TEXT NOT NULL,
    display_name TEXT NOT NULL,
    address TEXT NOT NULL,
    safety_number TEXT NOT NULL,
    offered_key BLOB NOT NULL,
    auto_accept_bytes INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX peers_key ON peers (key) WHERE key != x'';

CREATE TABLE counters (
    peer INTEGER PRIMARY KEY REFERENCES peers,
    incarnation BLOB NOT NULL DEFAULT x'0000000000000000',
    mark INTEGER NOT NULL DEFAULT 0,
    received_total INTEGER NOT NULL DEFAULT 0,
    acked_total INTEGER NOT NULL DEFAULT 0,
    lamport INTEGER NOT NULL DEFAULT 0,
    last_no INTEGER NOT NULL DEFAULT 0,
    last_seq INTEGER NOT NULL DEFAULT 0,
    last_ack INTEGER NOT NULL DEFAULT 0,
    released_seq INTEGER NOT NULL DEFAULT 0,
    sent_seq INTEGER NOT NULL DEFAULT 0,
    delivered_seq INTEGER NOT NULL DEFAULT 0,
    peer_shown INTEGER NOT NULL DEFAULT 0,
    peer_read INTEGER NOT NULL DEFAULT 0,
    my_shown INTEGER NOT NULL DEFAULT 0,
    my_read INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE drafts (
    peer INTEGER PRIMARY KEY REFERENCES peers,
    revision INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT;

-- No foreign key to peers: it would cost a look-up for each of thousands of rows a second.
CREATE TABLE messages (
    no INTEGER PRIMARY KEY,
    peer INTEGER NOT NULL,
    author INTEGER NOT NULL,
    id BLOB NOT NULL,
    kind INTEGER NOT NULL,
    sent_ms INTEGER NOT NULL,
    arrived_ms INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    ack INTEGER NOT NULL,
    lamport INTEGER NOT NULL,
    place INTEGER NOT NULL,
    source TEXT NOT NULL,
    failed TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX messages_id ON messages (id, author);
CREATE INDEX messages_peer ON messages (peer);
CREATE UNIQUE INDEX messages_seq ON messages (peer, seq) WHERE author = 0;
CREATE INDEX messages_moved ON messages (peer, place, lamport) WHERE place != no;
CREATE INDEX messages_moved_all ON messages (place, lamport) WHERE place != no;

CREATE TABLE settled_runs (
    peer INTEGER NOT NULL REFERENCES peers,
    first_seq INTEGER NOT NULL,
    run INTEGER NOT NULL,
    first_ack INTEGER NOT NULL,
    PRIMARY KEY (peer, first_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE inbound_runs (
    peer INTEGER NOT NULL REFERENCES peers,
    last_number INTEGER NOT NULL,
    ack INTEGER NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (peer, last_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE gaps (
    gap INTEGER PRIMARY KEY,
    peer INTEGER NOT NULL REFERENCES peers,
    after_no INTEGER NOT NULL,
    missing INTEGER NOT NULL
) STRICT;

CREATE TABLE transfers (
    place INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    ended INTEGER NOT NULL,
    peer INTEGER NOT NULL REFERENCES peers,
    no INTEGER NOT NULL,
    mine INTEGER NOT NULL,
    state TEXT NOT NULL,
    name TEXT NOT NULL,
    files INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    done_bytes INTEGER NOT NULL,
    by_whom TEXT NOT NULL,
    reason TEXT NOT NULL,
    path TEXT NOT NULL,
    changed_ms INTEGER NOT NULL,
    detail BLOB NOT NULL
) STRICT;
CREATE INDEX transfers_ended ON transfers (ended);

CREATE VIEW conversation AS
SELECT m.no, m.id, m.author = 0 AS mine, m.kind, m.body, m.sent_ms, m.arrived_ms, m.seq,
    CASE WHEN m.ack OR m.author THEN m.ack ELSE coalesce((
        SELECT CASE WHEN s.first_ack AND m.seq < s.first_seq + s.run
            THEN s.first_ack + m.seq - s.first_seq END
        FROM settled_runs s WHERE s.peer = m.peer AND s.first_seq <= m.seq
        ORDER BY s.first_seq DESC LIMIT 1), 0) END AS ack,
    m.source, m.lamport, m.place, m.failed, m.peer
FROM messages m;
"""
"""Schema version 1. What each column means is in the README of the engine."""

RESTORES = """
CREATE TABLE restores (
    peer INTEGER PRIMARY KEY REFERENCES peers,
    mine TEXT NOT NULL,
    want INTEGER NOT NULL,
    after INTEGER NOT NULL,
    after_id BLOB NOT NULL,
    restored INTEGER NOT NULL,
    theirs TEXT NOT NULL,
    their_want INTEGER NOT NULL
) STRICT;
INSERT INTO restores
SELECT DISTINCT peer, 'possible', 0, 0, x'', 0, 'none', 0 FROM gaps
WHERE peer IN (SELECT peer FROM peers WHERE listed);

DROP VIEW conversation;
CREATE VIEW conversation AS
SELECT m.no, m.id, m.author = 0 AS mine, m.kind, m.body, m.sent_ms, m.arrived_ms,
    max(m.seq, 0) AS seq,
    CASE WHEN m.ack OR m.author THEN m.ack ELSE coalesce((
        SELECT CASE WHEN s.first_ack AND m.seq < s.first_seq + s.run
            THEN s.first_ack + m.seq - s.first_seq END
        FROM settled_runs s WHERE s.peer = m.peer AND s.first_seq <= m.seq
        ORDER BY s.first_seq DESC LIMIT 1), 0) END AS ack,
    m.source, m.lamport, m.place, m.failed, m.peer
FROM messages m;
"""
"""Schema version 2: restore requests; restored own messages have seq = -no,
which nobody outside is shown."""

QUOTAS = """
CREATE TABLE automatic (
    key BLOB PRIMARY KEY,
    day INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    files INTEGER NOT NULL
) STRICT;
"""
"""Schema version 3: what the files of each key took without a question, on the newest such day. By
key, so that a peer who is removed and added again has no new quota."""

OWN_KEY = """
ALTER TABLE totals ADD COLUMN own_key BLOB NOT NULL DEFAULT x'';
"""
"""Schema version 3: the public key of the identity whose history this is; empty until it is opened
under one."""

REFUSED_KEYS = """
ALTER TABLE peers ADD COLUMN refused_keys BLOB NOT NULL DEFAULT x'';
"""
"""Schema version 3: the keys of a peer that a person keeps refusing, 32 bytes each."""

BLOCKED = """
ALTER TABLE peers ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;
"""
"""Schema version 3: 1 for a peer that a person has blocked."""

REPLIES = """
ALTER TABLE messages ADD COLUMN reply_to BLOB NOT NULL DEFAULT x'';

DROP VIEW conversation;
CREATE VIEW conversation AS
SELECT m.no, m.id, m.author = 0 AS mine, m.kind, m.body, m.sent_ms, m.arrived_ms,
    max(m.seq, 0) AS seq,
    CASE WHEN m.ack OR m.author THEN m.ack ELSE coalesce((
        SELECT CASE WHEN s.first_ack AND m.seq < s.first_seq + s.run
            THEN s.first_ack + m.seq - s.first_seq END
        FROM settled_runs s WHERE s.peer = m.peer AND s.first_seq <= m.seq
        ORDER BY s.first_seq DESC LIMIT 1), 0) END AS ack,
    m.source, m.lamport, m.place, m.failed, m.reply_to, m.peer
FROM messages m;
"""
"""Schema version 3: the id of the message that a message answers; empty for none."""

CHOSEN_SIZES = """
ALTER TABLE peers ADD COLUMN auto_accept_set INTEGER NOT NULL DEFAULT 0;
UPDATE peers SET auto_accept_set = 1
WHERE auto_accept_bytes NOT IN (0, 268435456)
    OR (auto_accept_bytes = 0 AND (host != '' OR trust = 'verified'));
UPDATE peers SET auto_accept_set = 2, auto_accept_bytes = 0
WHERE auto_accept_bytes = 268435456 AND host = '' AND trust != 'verified';
"""
"""Schema version 3: 1 where a person chose `auto_accept_bytes` (what no default of an earlier
version is), 2 where the default for who called first changed from 256 MiB to a question."""

KNOWN_LINES = """
ALTER TABLE counters ADD COLUMN line BLOB NOT NULL DEFAULT x'';
"""
"""Schema version 3: what the last link knew of the losses of the line; empty for nothing."""

OWN_SETTINGS = """
ALTER TABLE totals ADD COLUMN own_name TEXT NOT NULL DEFAULT '';
ALTER TABLE totals ADD COLUMN given_name TEXT NOT NULL DEFAULT '';
ALTER TABLE totals ADD COLUMN own_inbox TEXT NOT NULL DEFAULT '';
ALTER TABLE totals ADD COLUMN own_limit INTEGER NOT NULL DEFAULT -1;
ALTER TABLE totals ADD COLUMN given_limit INTEGER NOT NULL DEFAULT 0;
"""
"""Schema version 3: the own display name that a person chose in a front end, the one that the
engine had been started with then, and the folder of received files; empty for the default. Likewise
the limit of files in bytes a second; -1 for none chosen."""

BUSY_TIMEOUT_MS = 5000
BAD_CONTENT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""Of a file as it is read: SQLITE_ERROR is a schema that SQLite cannot parse, or lacks a table."""
KEPT_WAL_BYTES = 16 * 1024 * 1024
"""After a checkpoint the write-ahead log is cut to this, so that a burst does not keep the disk."""
STATEMENTS_KEPT = 256


class StoreDamaged(ChatNetError):
    """The history file is not what was written; the text is one sentence for people."""


def open_file(path: str, *, checked: bool = False) -> sqlite3.Connection:
    """The one writing connection to the history at `path`, created if missing.

    Its directory and mode are the caller's business, as is the lock that keeps other engines away.
    It may be handed to another thread, to be used by one at a time. `checked`: the check that
    follows an unclean stop was made already. Raises StoreDamaged when the file is not a database,
    or fails that check; sqlite3.Error when it cannot be opened.
    """
    connection = _connect(path)
    try:
        with reading():
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {KEPT_WAL_BYTES}").fetchone()
            if not checked:
                check_unclean(connection)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def reading() -> Iterator[None]:
    """What a damaged file makes SQLite, or who reads its rows, raise becomes StoreDamaged."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", -1) & 0xFF in BAD_CONTENT:
            raise StoreDamaged(f"The history file is damaged ({error.sqlite_errorname}).") from None
        raise
    except UnicodeDecodeError:  # in the text of an error of SQLite
        raise StoreDamaged("The history file is damaged (text that is not UTF-8).") from None


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block is durable when it ends, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def open_memory() -> sqlite3.Connection:
    """A history in memory: for the simulator and for tests."""
    return _connect(":memory:")


def open_read_only(path: str) -> sqlite3.Connection:
    """A connection for pages and search; it never writes and never checkpoints.

    That matters: SQLite before 3.51.3 can damage a file that two connections checkpoint at once.
    """
    return _connect(f"file:{quote(path)}?mode=ro")


def close_file(connection: sqlite3.Connection) -> None:
    """Close after a clean stop, so that the next start needs no check."""
    connection.execute("UPDATE totals SET clean = 1")
    connection.close()


def mark_in_use(connection: sqlite3.Connection) -> None:
    """From here on, until `close_file`, a stop is an unclean one."""
    connection.execute("UPDATE totals SET clean = 0 WHERE clean")


def text_of(stored: bytes) -> str | bytes:
    """A value of type TEXT. What is no UTF-8 stays bytes: sqlite3 would not give the rest of the
    rows either."""
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored


def _connect(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        name,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENTS_KEPT,
        uri=name.startswith("file:"),
    )
    connection.text_factory = text_of
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}").fetchone()
    for pragma in (
        "foreign_keys = ON",
        "secure_delete = ON",
        "temp_store = MEMORY",
        "trusted_schema = OFF",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchone()
    return connection


def _was_clean(connection: sqlite3.Connection) -> bool:
    known = "SELECT 1 FROM pragma_table_info('totals') WHERE name = 'clean'"
    if not connection.execute(known).fetchone():
        return True  # nothing yet, or of a version that only the migration can judge
    found = connection.execute("SELECT clean FROM totals").fetchone()
    if found is None:
        raise StoreDamaged("The history file is damaged: its totals are gone.")
    return bool(found[0])


def check_unclean(connection: sqlite3.Connection) -> None:
    """After an unclean stop: raises StoreDamaged unless SQLite finds the file whole."""
    if _was_clean(connection):
        return
    problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise StoreDamaged("The history file is damaged: its check found an error.")
