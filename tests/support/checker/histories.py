"""Reads one history file as anybody with sqlite3 could, into plain values.

Shares no code with the engine: what a column means is taken from the engine's README.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

OWN = 0
"""`messages.author` of what the owner of the history wrote."""
TEXT, OFFER = 1, 2


@dataclass(frozen=True, slots=True)
class Message:
    """One row; `with_key` is the other person's key, whoever wrote it."""

    no: int
    with_key: bytes
    mine: bool
    id: bytes
    kind: int
    body: bytes
    sent_ms: int
    seq: int
    ack: int
    lamport: int
    place: int
    failed: str
    settled: bool
    """Own: it has left the outbox."""
    came_back: bool = False
    """It was lost, and given back by the other person."""
    peer: int = 0
    """Number of the peer in whose conversation it is."""
    reply_to: bytes = b""
    """The id of the message that it answers, as its author named it."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One row; `with_key` is the other person's key."""

    with_key: bytes
    mine: bool
    state: str
    by: str


@dataclass(slots=True)
class Conversation:
    """The watermarks and the draft of one listed peer."""

    peer: int
    key: bytes
    marks: dict[str, int]
    draft: str
    draft_revision: int


@dataclass(slots=True)
class History:
    """Everything of one database that a promise is about."""

    messages: list[Message] = field(default_factory=list)
    conversations: dict[int, Conversation] = field(default_factory=dict)
    key_of: dict[int, bytes] = field(default_factory=dict)
    transfers: dict[bytes, Transfer] = field(default_factory=dict)
    """By id."""
    parted: set[bytes] = field(default_factory=set)
    """Keys of the people who were taken from the list at some time."""
    merged: set[int] = field(default_factory=set)
    """Numbers of peers that became one with others, and of those others."""
    last_no: int = 0
    damage: str = ""

    def own(self, key: bytes) -> list[Message]:
        """What the owner wrote to `key`, in the order of writing."""
        found = [m for m in self.messages if m.mine and m.with_key == key]
        return sorted(found, key=lambda m: m.seq)

    def own_in(self, peer: int) -> list[Message]:
        """What the owner wrote in one conversation, in the order of writing."""
        found = [m for m in self.messages if m.mine and m.peer == peer]
        return sorted(found, key=lambda m: m.seq)

    def got(self, key: bytes) -> list[Message]:
        """What `key` wrote to the owner, in the order of arrival."""
        return [m for m in self.messages if not m.mine and m.with_key == key]


def by_id(histories: Iterable[Iterable[Message]]) -> dict[bytes, list[Message]]:
    """Each message as each of the histories has it."""
    out: dict[bytes, list[Message]] = {}
    for messages in histories:
        for message in messages:
            out.setdefault(message.id, []).append(message)
    return out


MARKS = ("sent_seq", "delivered_seq", "peer_shown", "peer_read", "my_shown", "my_read")


def read_image(image: bytes) -> History:
    """A history from the bytes of its database."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(image)
        return read(connection)
    finally:
        connection.close()


def read_file(path: Path) -> History:
    """A history from a file that may be in use."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return read(connection)
    finally:
        connection.close()


def read(connection: sqlite3.Connection) -> History:
    """A history from an open database, without changing it."""
    history = History()
    connection.execute("BEGIN")
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        history.damage = "" if verdict == "ok" else str(verdict)
        history.last_no = connection.execute("SELECT last_no FROM totals").fetchone()[0]
        _read_peers(connection, history)
        _read_messages(connection, history)
        query = "SELECT id, peer, mine, state, by_whom FROM transfers"
        history.transfers = {
            i: Transfer(history.key_of.get(peer, b""), bool(mine), state, by)
            for i, peer, mine, state, by in connection.execute(query)
        }
    finally:
        connection.execute("ROLLBACK")
    return history


def _read_peers(connection: sqlite3.Connection, history: History) -> None:
    peers = connection.execute("SELECT peer, author, key, listed FROM peers").fetchall()
    by_author = {author: key for _, author, key, _ in peers if key}
    marks = ", ".join(MARKS)
    for peer, author, key, listed in peers:
        history.key_of[peer] = key or by_author.get(author, b"")
        if not listed:
            continue
        values = connection.execute(
            f"SELECT {marks} FROM counters WHERE peer = ?", (peer,)
        ).fetchone()
        draft = connection.execute(
            "SELECT text, revision FROM drafts WHERE peer = ?", (peer,)
        ).fetchone() or ("", 0)
        history.conversations[peer] = Conversation(
            peer, key, dict(zip(MARKS, values, strict=True)), *draft
        )
    for author, key in by_author.items():
        history.key_of.setdefault(author, key)
    gone = "SELECT peer, merged_into FROM peers WHERE NOT listed"
    for peer, into in connection.execute(gone):
        if into:
            history.merged |= {peer, into}
        else:
            history.parted.add(history.key_of[peer])


def _read_messages(connection: sqlite3.Connection, history: History) -> None:
    settled: dict[tuple[int, int], int] = {}
    for peer, first, run, first_ack in connection.execute(
        "SELECT peer, first_seq, run, first_ack FROM settled_runs"
    ):
        for k in range(run):
            settled[peer, first + k] = first_ack + k if first_ack else 0
    by_author = dict(connection.execute("SELECT author, key FROM peers WHERE key != x''"))
    known = "SELECT 1 FROM pragma_table_info('messages') WHERE name = 'reply_to'"
    reply_to_column = "reply_to" if connection.execute(known).fetchone() else "x''"
    for (
        no,
        peer,
        author,
        m_id,
        kind,
        body,
        sent_ms,
        seq,
        ack,
        lamport,
        place,
        failed,
        reply_to,
    ) in connection.execute(
        "SELECT no, peer, author, id, kind, body, sent_ms, seq, ack, lamport, place, failed,"
        f" {reply_to_column} FROM messages ORDER BY no"
    ):
        mine = author == OWN
        key = history.key_of.get(peer, b"") if mine else by_author.get(author, b"")
        if mine:
            ack = ack or settled.get((peer, seq), 0)
        came_back = place != no
        history.messages.append(
            Message(
                no, key, mine, m_id, kind, bytes(body), sent_ms, max(seq, 0), ack, lamport, place,
                failed, mine and (seq < 0 or (peer, seq) in settled), came_back, peer,
                bytes(reply_to),
            )
        )  # fmt: skip
