"""Decides which files of a peer arrive without a question, where no person has chosen."""

import msgspec

from chatnet_protocol.ipc.rows import PeerRow, Trust
from chatnet_protocol.limits import AUTO_ACCEPT_BYTES


def with_choice(row: PeerRow, size_bytes: int | None) -> PeerRow:
    """The row after a person chose a size; negative: the default after all; None: no choice."""
    if size_bytes is None:
        return row
    chosen = size_bytes >= 0
    row = msgspec.structs.replace(row, auto_accept_set=chosen)
    return msgspec.structs.replace(row, auto_accept_bytes=size_bytes) if chosen else by_default(row)


def by_default(row: PeerRow) -> PeerRow:
    """The row with the default for how its peer is known now; as it is where a person chose."""
    if row.auto_accept_set:
        return row
    known = bool(row.host) or row.trust == Trust.VERIFIED
    return msgspec.structs.replace(row, auto_accept_bytes=AUTO_ACCEPT_BYTES if known else 0)


def with_choice_of(row: PeerRow, other: PeerRow | None) -> PeerRow:
    """The row of a peer that `other` turned out to be: what was chosen there holds here too, unless
    something was chosen here."""
    if other is None or row.auto_accept_set or not other.auto_accept_set:
        return row
    return with_choice(row, other.auto_accept_bytes)
