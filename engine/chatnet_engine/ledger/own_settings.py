"""Owns what a person chose for the session in a front end: the own display name, the inbox, the
rate limit of files."""

import sqlite3

import msgspec

from chatnet_engine.store_ops import settings as cs
from chatnet_protocol.ipc.rows import SessionRow


def store(db: sqlite3.Connection, op: cs.StoreSettings) -> cs.SettingsStored:
    """Keep them; see StoreSettings."""
    if op.name is not None:
        db.execute("UPDATE totals SET own_name = ?, given_name = ?", (op.name, op.given_name))
    if op.inbox is not None:
        db.execute("UPDATE totals SET own_inbox = ?", (op.inbox,))
    if op.limit_bytes_s is not None:
        limits = op.limit_bytes_s, op.given_limit
        db.execute("UPDATE totals SET own_limit = ?, given_limit = ?", limits)
    return cs.SettingsStored()


def store_display_name(db: sqlite3.Connection, op: cs.StoreDisplayName) -> cs.DisplayNameStored:
    """How a peer calls itself."""
    db.execute("UPDATE peers SET display_name = ? WHERE peer = ?", (op.name, op.peer))
    return cs.DisplayNameStored(op.peer, op.name)


def with_settings(db: sqlite3.Connection, session: SessionRow) -> SessionRow:
    """`session` as the engine was started, with what was chosen since.

    A chosen name or limit gives way to another one that a start names.
    """
    name, given, inbox, limit, given_limit = db.execute(
        "SELECT own_name, given_name, own_inbox, own_limit, given_limit FROM totals"
    ).fetchone()
    if isinstance(name, str) and session.display_name in ("", given):
        session = msgspec.structs.replace(session, display_name=name)
    if inbox and isinstance(inbox, str):
        session = msgspec.structs.replace(session, inbox=inbox)
    if limit >= 0 and session.limit_bytes_s in (0, given_limit):
        session = msgspec.structs.replace(session, limit_bytes_s=limit)
    return session
