"""Channel 1 of the link: what two engines tell each other about transfers.

Reliable within one link and volatile: after each new link both sides say where every transfer
that has not ended stands, so no message here is the only carrier of a fact. Bytes of files go
over TCP (see `file_records`), or over channel 3 of the link where there is no way (see `bulk`);
how a connection comes to be is agreed here.
"""

import enum

from msgspec import Struct

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ids import is_id

HANDLE_BYTES = 8
TOKEN_BYTES = 32
TOKEN_VALID_S = 60.0
"""A token that no connection has used by then is forgotten."""
MAX_CONTROL_BYTES = 512
MAX_RENAMED_BYTES = 360
"""Of the names in one Done."""
MAX_CODE_BYTES = 40
"""Of the code in one Done or TransferStatus."""


class Suite(enum.IntEnum):
    """Cipher of one file connection; AES-GCM where both sides have fast AES."""

    CHACHA = 1
    AESGCM = 2


class EndCode(enum.IntEnum):
    """Why a transfer ended without its files having arrived."""

    CANCELLED = 1
    REJECTED = 2
    SOURCE = 3
    """The sender can no longer read what it offered, or it has changed."""
    TARGET = 4
    """The receiver cannot store it, or what arrived is not what was sent."""
    UNKNOWN = 5
    """The sender of this message has no record of the offer."""
    TOO_MANY = 6
    """The receiver has too many unanswered offers."""
    LOST = 7
    """It ended because the receiver of this message had no record of it for a while."""
    ACKNOWLEDGED = 8
    """Sender: no news, but the answer to how the receiver says that it ended."""


class ControlBase(Struct, frozen=True, gc=False, array_like=True):
    """Common shape: an array of tag, transfer id, fields."""

    id: bytes


class Accept(ControlBase, frozen=True, gc=False, array_like=True, tag=1):
    """Receiver: the files are wanted."""


class Listen(ControlBase, frozen=True, gc=False, array_like=True, tag=2):
    """Either side: connect to TCP `port` at my address with this handle and token.

    Good for one connection within TOKEN_VALID_S; a newer one replaces it.
    """

    handle: bytes
    token: bytes
    port: int
    suite: int


class DialBack(ControlBase, frozen=True, gc=False, array_like=True, tag=3):
    """Receiver: I cannot listen; you do."""


class Unreachable(ControlBase, frozen=True, gc=False, array_like=True, tag=4):
    """Sender: I can neither reach you nor listen, or what I send on TCP does not arrive."""


class TransferStatus(ControlBase, frozen=True, gc=False, array_like=True, tag=5):
    """Either side: this transfer has not ended here; `paused`: I have paused it."""

    paused: bool
    wait: str = ""
    """Receiver: what keeps it from going on for now, a TransferReason value; empty: nothing."""
    compared: tuple[int, int, int, int] | None = None
    """While it compares: files, of how many, bytes, of how many. None: not known."""


class End(ControlBase, frozen=True, gc=False, array_like=True, tag=6):
    """Either side: it is over without success; `code` is an EndCode value."""

    code: int


class Done(ControlBase, frozen=True, gc=False, array_like=True, tag=7):
    """Receiver: all files are verified, durable and in their place."""

    renamed: int = 0
    """How many files and folders have another name than with the sender."""
    named: list[tuple[str, str]] = []
    """The first of them, as many as MAX_RENAMED_BYTES hold: path as offered, new last component."""
    not_updated: str = ""
    """Of an update: why the earlier folder stays as it is (an UpdateReason value); empty: it was
    updated, or there is none."""


class LinkStream(ControlBase, frozen=True, gc=False, array_like=True, tag=8):
    """Receiver: no TCP connection can be had; the bytes travel on channel 3 of the link, as a
    stream with this handle, which the sender begins like a connection."""

    handle: bytes
    token: bytes
    suite: int


class TcpOpen(ControlBase, frozen=True, gc=False, array_like=True, tag=9):
    """Sender, while a stream is in use: a TCP connection to you could be opened just now."""


Control = (
    Accept | Listen | DialBack | Unreachable | TransferStatus | End | Done | LinkStream | TcpOpen
)


class _Envelope(Struct, array_like=True, gc=False, frozen=True):
    control: Control


def encode_control(control: Control) -> bytes:
    """Body of one message on channel 1."""
    return codec.pack(control)


def decode_control(body: bytes) -> Control:
    """Raises DecodeError when malformed or a field is out of range."""
    value = codec.unpack_plain(body, MAX_CONTROL_BYTES)
    control = codec.convert([value], _Envelope).control
    if not is_id(control.id):
        raise DecodeError("a transfer id has 16 bytes")
    if isinstance(control, Listen | LinkStream):
        if len(control.handle) != HANDLE_BYTES or len(control.token) != TOKEN_BYTES:
            raise DecodeError("a handle has 8 bytes and a token 32")
        if control.suite not in Suite.__members__.values():
            raise DecodeError("an unknown cipher suite")
    if isinstance(control, Listen) and not 0 < control.port < 65536:
        raise DecodeError("a port is out of range")
    if isinstance(control, Done) and control.renamed < len(control.named):
        raise DecodeError("more is named than has another name")
    if isinstance(control, Done) and len(control.not_updated.encode()) > MAX_CODE_BYTES:
        raise DecodeError("a code is too long")
    if isinstance(control, TransferStatus):
        if len(control.wait.encode()) > MAX_CODE_BYTES:
            raise DecodeError("a code is too long")
        if control.compared is not None and min(control.compared) < 0:
            raise DecodeError("a number of files or bytes is negative")
    return control
