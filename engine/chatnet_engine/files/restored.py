"""Records of transfers whose offers were restored with a conversation.

Nobody here knows how they ended, so they say nothing about that to the peer. An incoming one can
be accepted, which fetches the files if the sender still has them; an own one is only a record.
"""

from chatnet_engine.files.detail import Detail, Listing, encode_detail, encode_listing
from chatnet_engine.files.facts import facts_of
from chatnet_engine.files.names import safe_name, shown
from chatnet_engine.store_ops.commit import StoreTransfer
from chatnet_protocol.ipc.offer import decode_offer
from chatnet_protocol.ipc.rows import BY_RESTORED, MessageRow, TransferRow, TransferState
from chatnet_protocol.wire.control import EndCode


def restored_transfer(message: MessageRow, peer: int, wall_ms: int) -> StoreTransfer:
    """What to store for a restored OFFER message of which there is no transfer. Raises
    DecodeError."""
    offer = decode_offer(message.body)
    row = TransferRow(
        id=message.id,
        peer=peer,
        no=message.no,
        mine=message.mine,
        state=TransferState.FAILED,
        by=BY_RESTORED,
        changed_ms=wall_ms,
        **facts_of(offer, shown if message.mine else safe_name),
    )
    detail = Detail(TransferState.FAILED, False, False, end_code=EndCode.UNKNOWN)
    return StoreTransfer(row, encode_detail(detail), encode_listing(Listing(message.body)))
