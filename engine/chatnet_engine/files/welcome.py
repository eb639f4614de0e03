"""What becomes of a peer's new offer before its user has seen it: a few rules, no state."""

from collections.abc import Sequence

from chatnet_engine.files.detail import Detail
from chatnet_engine.files.names import safe_name
from chatnet_engine.files.outputs import Moment
from chatnet_engine.files.receiving import Receiving
from chatnet_engine.files.transfer import Transfer
from chatnet_protocol.ipc.offer import decode_offer
from chatnet_protocol.ipc.rows import MessageRow, TransferRow, TransferState
from chatnet_protocol.limits import MIB
from chatnet_protocol.wire.control import EndCode

MAX_OPEN_OFFERS = 256
"""Unended offers of one peer; further ones are rejected by themselves."""
MAX_AUTOMATIC_BYTES = 1024 * MIB
"""What an unverified peer's files may take in all without a question."""

TOO_MANY = "Too many offers of this peer wait for an answer."


def arrived(message: MessageRow, peer: int, wall_ms: int) -> tuple[TransferRow, Detail]:
    """The transfer of an offer that has just been committed. Raises DecodeError."""
    offer = decode_offer(message.body)
    row = TransferRow(
        id=message.id,
        peer=peer,
        no=message.no,
        mine=False,
        state=TransferState.OFFERED,
        name=safe_name(offer.files[0].path[-1]),
        files=len(offer.files),
        size_bytes=offer.size_bytes,
        changed_ms=wall_ms,
    )
    return row, Detail(TransferState.OFFERED, False, False, message.body)


def welcome(
    new: Receiving,
    others: Sequence[Transfer],
    auto_accept_bytes: int,
    verified: bool,
    inbox: str,
    at: Moment,
) -> None:
    """Refuse the new transfer, accept it, or leave that to people. `others`: of the same peer."""
    size = new.offer.size_bytes
    taken = max((known.detail.automatic_bytes for known in others), default=0)
    if sum(not (known.ended or known.row.mine) for known in others) >= MAX_OPEN_OFFERS:
        new.end_refused(EndCode.TOO_MANY, TOO_MANY, at)
    elif size <= auto_accept_bytes and (verified or taken + size <= MAX_AUTOMATIC_BYTES):
        new.detail.automatic_bytes = taken + size
        new.accept(inbox, at)
    else:
        new.handle_link_up(at)
