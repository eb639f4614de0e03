"""What an OFFER message holds: the list of files somebody wants to send."""

from msgspec import Struct

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.limits import (
    MAX_FILE_BYTES,
    MAX_FILES_IN_OFFER,
    MAX_OFFER_BYTES,
    MAX_PATH_COMPONENTS,
)


class OfferedFile(Struct, array_like=True, gc=False, frozen=True):
    """One file: path components below the receiver's folder (hostile until made safe), size."""

    path: list[str]
    size_bytes: int
    modified_ms: int = 0


class Offer(Struct, array_like=True, gc=False, frozen=True):
    """Body of an OFFER message."""

    files: list[OfferedFile]

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)


def encode_offer(offer: Offer) -> bytes:
    """The body bytes of an OFFER message."""
    return codec.pack(offer)


def decode_offer(body: bytes) -> Offer:
    """The offer in `body`. Raises DecodeError when malformed or over a limit."""
    offer = codec.unpack(body, Offer, MAX_OFFER_BYTES)
    if not 1 <= len(offer.files) <= MAX_FILES_IN_OFFER:
        raise DecodeError("an offer holds between 1 and 1,000 files")
    for file in offer.files:
        if not 1 <= len(file.path) <= MAX_PATH_COMPONENTS:
            raise DecodeError("a path has between 1 and 32 components")
        if not 0 <= file.size_bytes <= MAX_FILE_BYTES:
            raise DecodeError("a file size is out of range")
    return offer
