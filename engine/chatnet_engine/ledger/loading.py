"""Owns reading what stays in memory: a row that cannot be read is left out and named.

A row cannot be read when a type in it is wrong (a connection gives text that is no UTF-8 as
bytes, see `schema.text_of`), a key or an id has another length, or a state has no such name.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from chatnet_engine.ledger import counters, pages, people, restores, transfers
from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import restores as cr
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.offer import decode_offer
from chatnet_protocol.ipc.rows import (
    MessageRow,
    PeerRow,
    RestoreMine,
    RestoreTheirs,
    TransferState,
    Trust,
)

_KEY_BYTES = (0, 32)
_ID_BYTES = 16
_T = TypeVar("_T")
DAMAGE = (
    ValueError, TypeError, LookupError, OverflowError, DecodeError, msgspec.MsgspecError,
)  # fmt: skip
"""What reading a damaged row raises."""


@dataclass(slots=True)
class Rows:
    """What is read at a start, and what was left out of it."""

    peers: list[PeerRow] = field(default_factory=list)
    states: list[c.PeerState] = field(default_factory=list)
    transfers: list[c.StoredTransfer] = field(default_factory=list)
    restores: list[cr.RestoreState] = field(default_factory=list)
    offers: list[tuple[int, MessageRow]] = field(default_factory=list)
    left_out: list[c.LeftOut] = field(default_factory=list)


def read(db: sqlite3.Connection, offers: Iterable[tuple[int, MessageRow]]) -> Rows:
    """Peers, transfers and restores, and those of `offers` that are offers."""
    rows = Rows()
    for peer in people.numbers(db):
        try:
            row, state = peer_row(db, peer), peer_state(db, peer)
        except DAMAGE as error:
            rows.left_out.append(_named(c.LeftOut.PEER, peer, people.name(db, peer), error))
            continue
        rows.peers.append(row)
        rows.states.append(state)
        rows.left_out += [
            _named(c.LeftOut.MESSAGE, peer, row.name, ValueError(f"message {no}"))
            for no in pages.damaged(db, peer)
        ]
        try:
            rows.restores += restore(db, peer)
        except DAMAGE as error:
            rows.left_out.append(_named(c.LeftOut.RESTORE, peer, row.name, error))
    names = {row.peer: row.name for row in rows.peers}
    out = {one.peer for one in rows.left_out if one.what == c.LeftOut.PEER}
    for stored in transfers.load(db):
        try:
            checked = transfer(stored)
        except DAMAGE as error:
            name = stored.row.name if isinstance(stored.row.name, str) else ""
            one = _named(c.LeftOut.TRANSFER, stored.row.peer, name, error)
            rows.left_out.append(msgspec.structs.replace(one, id=stored.row.id))
            continue
        if checked.row.peer not in out:
            rows.transfers.append(checked)
    for peer, message in offers:
        if is_offer(message):
            rows.offers.append((peer, message))
        else:
            damage = ValueError(f"the offer of message {message.no}")
            rows.left_out.append(_named(c.LeftOut.MESSAGE, peer, names.get(peer, ""), damage))
    return rows


def peer_row(db: sqlite3.Connection, peer: int) -> PeerRow:
    """The row of a listed peer. Raises one of DAMAGE."""
    row = _checked(people.one(db, peer))
    keys = (row.key, row.offered_key, *row.refused_keys)
    if any(len(key) not in _KEY_BYTES for key in keys):
        raise ValueError("a key of a wrong length")
    Trust(row.trust)
    return row


def peer_state(db: sqlite3.Connection, peer: int) -> c.PeerState:
    """The counters of a peer. Raises one of DAMAGE."""
    return _checked(counters.peer_state(db, peer))


def transfer(stored: c.StoredTransfer) -> c.StoredTransfer:
    """One as the store gave it. Raises one of DAMAGE."""
    checked = _checked(stored)
    if len(checked.row.id) != _ID_BYTES:
        raise ValueError("an id of a wrong length")
    TransferState(checked.row.state)
    return checked


def is_offer(message: MessageRow) -> bool:
    """Whether a message that should offer files does."""
    try:
        decode_offer(message.body)
    except DAMAGE:
        return False
    return True


def readable(found: Iterable[c.StoredTransfer]) -> list[c.StoredTransfer]:
    """Those of the transfers that can be read."""
    out = []
    for stored in found:
        try:
            out.append(transfer(stored))
        except DAMAGE:
            continue
    return out


def readable_folder(found: c.FolderFound) -> c.FolderFound:
    """`found`, or nothing when it cannot be read."""
    return found if found.found and readable([found.found]) else c.FolderFound(None)


def restore(db: sqlite3.Connection, peer: int) -> list[cr.RestoreState]:
    """The restore requests of a peer, if there ever were any. Raises one of DAMAGE."""
    state = restores.stored(db, peer)
    if state is None:
        return []
    state = _checked(state)
    RestoreMine(state.mine)
    RestoreTheirs(state.theirs)
    return [state]


def _checked(value: _T) -> _T:
    """The same, with every type as declared: SQLite's types are fewer than ours."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value))


def _named(what: str, peer: int, name: str, error: Exception) -> c.LeftOut:
    return c.LeftOut(what, peer, name, error=f"{type(error).__name__}: {error}")
