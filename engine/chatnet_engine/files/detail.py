"""What is stored of a transfer besides its row, opaque to the ledger."""

import msgspec
from msgspec import Struct

from chatnet_engine.files import process_wire as pw
from chatnet_protocol.ipc.offer import decode_offer
from chatnet_protocol.ipc.rows import TransferState


class Detail(Struct, array_like=True, gc=False):
    """What is stored of a transfer besides its row; one shape for both sides."""

    phase: str
    held: bool
    peer_held: bool
    offer: bytes
    """Body of the offering message."""
    end_code: int = 0
    """Why it ended; 0: it is done. UNKNOWN: a record that came back with the conversation."""
    roots: list[str] = []
    files: list[pw.ScannedFile] = []
    """Sender: what to read."""
    folder: str = ""
    index: int = 0
    offset: int = 0
    placing: list[tuple[int, list[str], int]] = []
    """Receiver: complete files (index, final path, inode) that may not have their name yet."""
    mismatches: int = 0
    unused: int = 0
    """Had a meaning in schema version 2; the quota is in a table of its own."""
    again: bool = False
    """Sender: the files were there already once, and are sent only as they were."""


def new_detail(offer: bytes, roots: list[str], files: list[pw.ScannedFile]) -> bytes:
    """Packed detail of an own transfer that has just been offered."""
    detail = Detail(TransferState.OFFERED, False, False, offer, roots=roots, files=files)
    return encode_detail(detail)


def encode_detail(detail: Detail) -> bytes:
    """Packed, as it is stored."""
    return _ENCODER.encode(detail)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Detail)


def decode_detail(data: bytes) -> Detail:
    """Raises msgspec.DecodeError or DecodeError for what no version of ours wrote."""
    detail = _DECODER.decode(data)
    decode_offer(detail.offer)
    return detail
