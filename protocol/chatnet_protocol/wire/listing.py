"""The listing of an offer that has too many files for its message.

It is sent like a file, before the others: pages, each behind its length in 4 bytes, big-endian. A
page is one msgpack array of folders with the files that are directly in them.
"""

import struct

import msgspec
from msgspec import Struct

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.limits import LISTING_PAGE_BYTES, MAX_FILE_BYTES, MAX_PATH_COMPONENTS

LENGTH = struct.Struct(">I")


class ListedFile(Struct, array_like=True, gc=False, frozen=True):
    """One file, by its name in its folder (hostile until made safe)."""

    name: str
    size_bytes: int
    modified_ms: int = 0
    """0: not known."""
    executable: bool = False


class ListedFolder(Struct, array_like=True, gc=False, frozen=True):
    """Some of the files of one folder. Without any: a folder in which nothing is sent."""

    path: list[str]
    """From the offered folder on, its own name first; empty for an offered file."""
    files: list[ListedFile]
    root: int = 0
    """Number of the offered thing; never smaller than that of the one before."""


def encode_page(folders: list[ListedFolder]) -> bytes:
    """A page and its length. The caller keeps it within LISTING_PAGE_BYTES."""
    body = codec.pack(folders)
    return LENGTH.pack(len(body)) + body


def decode_page(body: bytes) -> list[ListedFolder]:
    """The page in `body`, without its length. Raises DecodeError."""
    page = codec.unpack(body, list[ListedFolder], LISTING_PAGE_BYTES)
    if not page:
        raise DecodeError("an empty page")
    for folder in page:
        deep = len(folder.path) + (1 if folder.files else 0)
        if not 1 <= deep <= MAX_PATH_COMPONENTS:
            raise DecodeError("a path has between 1 and 32 components")
        if any(not 0 <= file.size_bytes <= MAX_FILE_BYTES for file in folder.files):
            raise DecodeError("a file size is out of range")
    return page


_DECODER = msgspec.msgpack.Decoder(list[ListedFolder])


def decode_checked_page(body: bytes | memoryview) -> list[ListedFolder]:
    """The same, several times as fast, of bytes that `decode_page` has accepted."""
    return _DECODER.decode(body)
