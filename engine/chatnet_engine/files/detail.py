"""What is stored of a transfer besides its row, opaque to the ledger."""

import msgspec
from msgspec import Struct, msgpack

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.facts import facts_of
from chatnet_engine.files.names import safe_name
from chatnet_engine.files.update_wire import Exchange, KeptFolder
from chatnet_protocol.ipc.offer import decode_offer
from chatnet_protocol.ipc.rows import MessageRow, TransferRow, TransferState


class Listing(Struct, array_like=True, gc=False):
    """What a transfer is of. Up to 100 KiB, stored once: nothing that a peer says changes it."""

    offer: bytes
    """Body of the offering message."""
    roots: list[str] = []
    files: list[pw.ScannedFile] = []
    """Sender: what to read."""


class Detail(Struct, array_like=True, gc=False):
    """How far a transfer is; stored at each change. One shape for both sides."""

    phase: str
    held: bool
    peer_held: bool
    end_code: int = 0
    """Why it ended; 0: it is done. UNKNOWN: a record restored with the conversation."""
    folder: str = ""
    index: int = 0
    offset: int = 0
    placing: list[tuple[int, str, int]] = []
    """Receiver: complete things (number, final name, inode) that may not have their name yet."""
    mismatches: int = 0
    again: bool = False
    """Sender: the files were there already once, and are sent only as they were."""
    things: int = 0
    """Receiver: how many of the offer's things are complete."""
    name: str = ""
    inode: int = 0
    """Receiver: what the newest complete thing is called, and its inode."""
    exchange: Exchange | None = None
    """Receiver: the earlier folder whose place it takes."""
    problem: str = ""
    """Receiver: why it takes no place (an UpdateReason value)."""
    kept: list[KeptFolder] = []
    """Receiver: earlier states of this folder that are beside it, newest first."""


class Former(Struct, array_like=True, gc=False):
    """Both in one, as schema version 2 had them."""

    phase: str
    held: bool
    peer_held: bool
    offer: bytes
    end_code: int = 0
    roots: list[str] = []
    files: list[pw.ScannedFile] = []
    folder: str = ""
    index: int = 0
    offset: int = 0
    placing: list[tuple[int, list[str], int]] = []
    mismatches: int = 0
    automatic_day: int = 0
    again: bool = False


def new_detail(offer: bytes, roots: list[str], files: list[pw.ScannedFile]) -> tuple[bytes, bytes]:
    """Packed detail and listing of an own transfer that has just been offered."""
    detail = Detail(TransferState.OFFERED, False, False)
    return encode_detail(detail), encode_listing(Listing(offer, roots, files))


def encode_detail(detail: Detail) -> bytes:
    """Packed, as it is stored."""
    return _ENCODER.encode(detail)


def encode_listing(listing: Listing) -> bytes:
    """Packed, as it is stored."""
    return _ENCODER.encode(listing)


_ENCODER = msgpack.Encoder()
_DETAIL = msgpack.Decoder(Detail)
_LISTING = msgpack.Decoder(Listing)
_FORMER = msgpack.Decoder(Former)


def decode_detail(detail: bytes, listing: bytes) -> tuple[Detail, Listing]:
    """Raises msgspec.DecodeError for what no version of ours wrote; the offer is not looked into.

    Without a listing `detail` is of schema version 2, which had both in one.
    """
    if listing:
        return _DETAIL.decode(detail), _LISTING.decode(listing)
    old = _FORMER.decode(detail)
    state = Detail(
        old.phase, old.held, old.peer_held, old.end_code, old.folder, mismatches=old.mismatches,
        again=old.again,
    )  # fmt: skip
    if old.index == 0:
        state.offset = old.offset
    elif old.folder and old.phase == TransferState.VERIFYING:
        state.phase = TransferState.WAITING  # its files had their names one by one: it starts over
    return state, Listing(old.offer, old.roots, old.files)


def decode_progress(detail: bytes) -> Detail:
    """Without its listing. Raises msgspec.DecodeError for what no version of ours wrote."""
    try:
        return _DETAIL.decode(detail)
    except msgspec.DecodeError:
        old = _FORMER.decode(detail)
        return Detail(old.phase, old.held, old.peer_held, old.end_code, old.folder)


def arrived(message: MessageRow, peer: int, wall_ms: int) -> tuple[TransferRow, Detail, Listing]:
    """The transfer of an offer that has just been committed. Raises DecodeError."""
    offer = decode_offer(message.body)
    row = TransferRow(
        id=message.id,
        peer=peer,
        no=message.no,
        mine=False,
        state=TransferState.OFFERED,
        changed_ms=wall_ms,
        **facts_of(offer, safe_name),
    )
    return row, Detail(TransferState.OFFERED, False, False), Listing(message.body)
