"""The six datagrams of the peer link, byte by byte. Knows no key and no state.

All integers of datagram headers are little-endian, so that the eight bytes of a packet number are
the AEAD nonce as they stand. Every datagram starts with the same eight bytes:

    type u8 | version u8 | mode u8 | 0 | index u32

    INIT     1  version  mode  initiator's index | Noise message 1 in 48 | cookie 16 | mac1 16
                                                 | zero bytes up to 160 in all
    RESP     2  version  mode  initiator's index | Noise message 2
    FIN      3  version  mode  responder's index | Noise message 3
    DATA     4  0        0     receiver's index  | packet number u64 | sealed payload
    COOKIE   5  version  0     initiator's index | cookie 16
    VERSION  6  version  0     initiator's index           (the version its sender speaks)

`mode` is 0 for Noise XX and 1 for XXpsk3 (both sides hold the secret of an invite code). Noise
message 1 is the ephemeral key, then a tag of 16 bytes in XXpsk3, 16 zero bytes in XX.
"""

import enum
import struct
from typing import Final

import msgspec

from chatnet_protocol.errors import DecodeError
from chatnet_protocol.limits import MAX_PACKET_NUMBER
from chatnet_protocol.version import WIRE_VERSION

INIT: Final = 1
RESP: Final = 2
FIN: Final = 3
DATA: Final = 4
COOKIE: Final = 5
VERSION: Final = 6

HEADER_BYTES: Final = 8
EPHEMERAL_BYTES: Final = 32
COOKIE_BYTES: Final = 16
MAC_BYTES: Final = 16
FIRST_MESSAGE_BYTES: Final = 48
"""The ephemeral key and a tag."""
INIT_COVERED_BYTES: Final = HEADER_BYTES + FIRST_MESSAGE_BYTES + COOKIE_BYTES
"""The bytes of an INIT that mac1 covers: all before it."""
MIN_INIT_BYTES: Final = 160
"""An INIT is padded to this, so that no answer to it is larger than itself."""
MAX_RESP_BYTES: Final = 160
MAX_FIN_BYTES: Final = 160
COOKIE_DATAGRAM_BYTES: Final = HEADER_BYTES + COOKIE_BYTES
NO_COOKIE: Final = bytes(COOKIE_BYTES)

PAD_TO_BYTES: Final = 16
"""Payloads are filled with PADDING frames (zero bytes) to a multiple of this before sealing."""

REFUSE_NUMBER: Final = MAX_PACKET_NUMBER
"""Packet number of the one DATA with which a responder refuses; its payload is a CLOSE frame."""
CONFIRM_NUMBER: Final = MAX_PACKET_NUMBER + 1
"""Packet number of the empty DATA that tells an initiator that its FIN has arrived."""

DATA_HEADER: Final = struct.Struct("<BxxxIQ")
"""type, three zero bytes, receiver's index, packet number."""
_HEADER: Final = struct.Struct("<BBBxI")
_RESP_IDENTITY: Final = struct.Struct(">IQH")
_FIN_IDENTITY: Final = struct.Struct(">QH")


class Mode(enum.IntEnum):
    """Which Noise pattern a handshake runs."""

    XX = 0
    XXPSK3 = 1


class Init(msgspec.Struct, frozen=True, gc=False):
    """A parsed INIT; `covered` are the bytes that mac1 is computed over."""

    index: int
    mode: int
    noise: bytes
    cookie: bytes
    mac1: bytes
    covered: bytes

    @property
    def ephemeral(self) -> bytes:
        """The initiator's ephemeral public key."""
        return self.noise[:EPHEMERAL_BYTES]


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A parsed RESP or FIN: the receiver's index and a Noise message."""

    index: int
    mode: int
    noise: bytes


class CookieReply(msgspec.Struct, frozen=True, gc=False):
    """A parsed COOKIE: the index of the initiator it answers, and the cookie to echo."""

    index: int
    cookie: bytes


class LinkIdentity(msgspec.Struct, frozen=True, gc=False):
    """What the Noise payloads of RESP and FIN say of their sender.

    `index` is the responder's receiver index (RESP; 0 in FIN, whose sender named it in INIT).
    """

    incarnation: int
    port: int
    index: int = 0


def prologue(mode: int, initiator_index: int, version: int = WIRE_VERSION) -> bytes:
    """The Noise prologue: binds protocol, version, mode and the initiator's index."""
    return b"chatnet" + _HEADER.pack(INIT, version, mode, initiator_index)


def peek_version(data: bytes) -> int:
    """The version byte of a datagram of at least eight bytes (meaningless for DATA)."""
    return data[1]


def peek_index(data: bytes) -> int:
    """The receiver's (INIT: sender's) index of a datagram of at least eight bytes."""
    return int.from_bytes(data[4:8], "little")


def init_covered(index: int, mode: int, noise: bytes, cookie: bytes = NO_COOKIE) -> bytes:
    """The part of an INIT that mac1 covers (72 bytes); `noise` is Noise message 1."""
    first = noise.ljust(FIRST_MESSAGE_BYTES, b"\0")
    return _HEADER.pack(INIT, WIRE_VERSION, mode, index) + first + cookie


def encode_init(covered: bytes, mac1: bytes) -> bytes:
    """The whole INIT (160 bytes) from its covered part and mac1."""
    return (covered + mac1).ljust(MIN_INIT_BYTES, b"\0")


def decode_init(data: bytes) -> Init:
    """Raises DecodeError on a short or foreign datagram. Bytes after mac1 are padding."""
    _check(data, INIT, MIN_INIT_BYTES)
    mode = _mode(data)
    at = HEADER_BYTES + FIRST_MESSAGE_BYTES
    return Init(
        index=peek_index(data),
        mode=mode,
        noise=data[HEADER_BYTES : at if mode == Mode.XXPSK3 else HEADER_BYTES + EPHEMERAL_BYTES],
        cookie=data[at:INIT_COVERED_BYTES],
        mac1=data[INIT_COVERED_BYTES : INIT_COVERED_BYTES + MAC_BYTES],
        covered=data[:INIT_COVERED_BYTES],
    )


def encode_resp(initiator_index: int, mode: int, noise: bytes) -> bytes:
    """RESP with Noise message 2; the caller keeps it within MAX_RESP_BYTES."""
    return _HEADER.pack(RESP, WIRE_VERSION, mode, initiator_index) + noise


def decode_resp(data: bytes) -> Answer:
    """Raises DecodeError."""
    return _decode_answer(data, RESP, MAX_RESP_BYTES)


def encode_fin(responder_index: int, mode: int, noise: bytes) -> bytes:
    """FIN with Noise message 3."""
    return _HEADER.pack(FIN, WIRE_VERSION, mode, responder_index) + noise


def decode_fin(data: bytes) -> Answer:
    """Raises DecodeError."""
    return _decode_answer(data, FIN, MAX_FIN_BYTES)


def encode_cookie(initiator_index: int, cookie: bytes) -> bytes:
    """COOKIE: come again with this in your INIT."""
    return _HEADER.pack(COOKIE, WIRE_VERSION, 0, initiator_index) + cookie


def decode_cookie(data: bytes) -> CookieReply:
    """Raises DecodeError."""
    _check(data, COOKIE, COOKIE_DATAGRAM_BYTES)
    if len(data) != COOKIE_DATAGRAM_BYTES:
        raise DecodeError("COOKIE of wrong length")
    return CookieReply(index=peek_index(data), cookie=data[HEADER_BYTES:])


def encode_version(initiator_index: int) -> bytes:
    """VERSION: the answer to an INIT of a version that is not spoken here."""
    return _HEADER.pack(VERSION, WIRE_VERSION, 0, initiator_index)


def encode_resp_identity(identity: LinkIdentity) -> bytes:
    """Noise payload of RESP: index u32, incarnation u64, local UDP port u16 (big-endian)."""
    return _RESP_IDENTITY.pack(identity.index, identity.incarnation, identity.port)


def decode_resp_identity(payload: bytes) -> LinkIdentity:
    """Bytes after the known fields belong to later versions and are ignored. Raises DecodeError."""
    if len(payload) < _RESP_IDENTITY.size:
        raise DecodeError("identity of RESP is too short")
    index, incarnation, port = _RESP_IDENTITY.unpack_from(payload)
    return LinkIdentity(incarnation=incarnation, port=port, index=index)


def encode_fin_identity(identity: LinkIdentity) -> bytes:
    """Noise payload of FIN: incarnation u64, local UDP port u16 (big-endian)."""
    return _FIN_IDENTITY.pack(identity.incarnation, identity.port)


def decode_fin_identity(payload: bytes) -> LinkIdentity:
    """Bytes after the known fields belong to later versions and are ignored. Raises DecodeError."""
    if len(payload) < _FIN_IDENTITY.size:
        raise DecodeError("identity of FIN is too short")
    incarnation, port = _FIN_IDENTITY.unpack_from(payload)
    return LinkIdentity(incarnation=incarnation, port=port)


def _decode_answer(data: bytes, kind: int, max_bytes: int) -> Answer:
    _check(data, kind, HEADER_BYTES)
    if len(data) > max_bytes:
        raise DecodeError(f"datagram of type {kind} is too long")
    return Answer(index=peek_index(data), mode=_mode(data), noise=data[HEADER_BYTES:])


def _mode(data: bytes) -> int:
    if data[2] > Mode.XXPSK3:
        raise DecodeError("unknown handshake mode")
    return data[2]


def _check(data: bytes, kind: int, min_bytes: int) -> None:
    if len(data) < min_bytes:
        raise DecodeError(f"datagram of type {kind} is too short")
    if data[0] != kind:
        raise DecodeError(f"not a datagram of type {kind}")
    if data[1] != WIRE_VERSION:
        raise DecodeError("datagram of another version")
