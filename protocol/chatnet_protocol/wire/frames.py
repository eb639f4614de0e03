"""Frames: what the plain text of a DATA packet is made of.

Owns the bytes of every frame, both ways. It knows nothing of retransmission, windows, channels'
meaning, encryption or addresses. Integers are the variable-length ones of RFC 9000 section 16;
a payload is a plain sequence of frames, each starting with its type. Arbitrary bytes raise
DecodeError and nothing else, and cost at most linear work.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from struct import pack as struct_pack
from struct import unpack_from
from typing import TypeAlias

from msgspec import Struct

from chatnet_protocol.errors import DecodeError, LocalProtocolError
from chatnet_protocol.limits import (
    MAX_ACK_RANGES,
    MAX_CHANNELS,
    MAX_HELLO_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_STATE_BYTES,
)
from chatnet_protocol.wire.varint import (
    MAX_VARINT,
    read_varint,
    read_varints,
    varint,
    varint_size,
)

PADDING = 0x00
PING = 0x01
ACK = 0x02
HELLO = 0x03
MESSAGE = 0x04
MESSAGES = 0x05
RECEIPT = 0x06
CHANNEL_RECEIPT = 0x07
STATE = 0x08
CLOSE = 0x09
PATH_CHALLENGE = 0x0A
PATH_RESPONSE = 0x0B

ACK_DELAY_EXPONENT = 7
"""ACK delays are in units of 128 µs (RFC 9000 section 19.3): those below 8 ms take one byte."""
MAX_CLOSE_REASON_BYTES = 200
PATH_TOKEN_BYTES = 8
MAX_FRAMES = 256
"""Frames in one payload, padding not counted: bounds the work that one datagram can ask for."""


class Ping(Struct, frozen=True, gc=False):
    """Asks for an ACK and says nothing else."""


class Ack(Struct, frozen=True, gc=False):
    """Packets processed by the sender of this frame; volatile."""

    delay_us: int
    """Between the arrival of the largest packet and the making of this frame, rounded down to
    units of 2**ACK_DELAY_EXPONENT microseconds."""
    ranges: list[tuple[int, int]]
    """(lowest, highest) inclusive, highest range first, never touching each other."""


class Hello(Struct, frozen=True, gc=False):
    """First words of a link; opaque here."""

    body: bytes


class Message(Struct, frozen=True, gc=False):
    """Bytes `offset` up to `offset + len(data)` of one message that is `total` bytes long."""

    channel: int
    number: int
    offset: int
    total: int
    data: bytes


class Messages(Struct, frozen=True, gc=False):
    """Whole messages with consecutive numbers, the first being `first_number`."""

    channel: int
    first_number: int
    messages: list[bytes]


class Receipt(Struct, frozen=True, gc=False):
    """Channel 0 is committed up to `number`; the last `count` messages have the consecutive
    ACK numbers that end at `ack`. 0 of them: the commit alone."""

    number: int
    ack: int
    count: int


class ChannelReceipt(Struct, frozen=True, gc=False):
    """A channel other than 0 has been handed to its owner up to `number`."""

    channel: int
    number: int


class State(Struct, frozen=True, gc=False):
    """The newest value under `key`; an older revision than one seen is ignored."""

    key: int
    revision: int
    value: bytes


class Close(Struct, frozen=True, gc=False):
    """The sender has ended the link and will send nothing else."""

    code: int
    reason: str


class PathChallenge(Struct, frozen=True, gc=False):
    """To be answered at once by a PathResponse with the same token."""

    token: bytes


class PathResponse(Struct, frozen=True, gc=False):
    """Answer to a PathChallenge."""

    token: bytes


Frame: TypeAlias = (
    Ping
    | Ack
    | Hello
    | Message
    | Messages
    | Receipt
    | ChannelReceipt
    | State
    | Close
    | PathChallenge
    | PathResponse
)
_Decoded: TypeAlias = tuple[Frame, int]


def message_head_bytes(number: int) -> int:
    """Most that a MESSAGE frame takes besides its data: a sender subtracts it from its room."""
    return 12 + varint_size(number)


def messages_head_bytes(number: int) -> int:
    """Most that a MESSAGES frame takes besides its bodies and two bytes for each."""
    return 4 + varint_size(number)


def encode_mtu_probe(size: int) -> bytes:
    """PING, and PADDING up to `size` bytes."""
    return encode_ping().ljust(size, bytes((PADDING,)))


def encode_ping() -> bytes:
    """PING."""
    return b"\x01"


def encode_ack(delay_us: int, ranges: Sequence[tuple[int, int]]) -> bytes:
    """ACK of at least one range, highest first; beyond MAX_ACK_RANGES the lowest are left out.

    RFC 9000 section 19.3.1: gaps and lengths are relative to the range before.
    """
    low, high = ranges[0]
    delay = delay_us >> ACK_DELAY_EXPONENT
    if len(ranges) == 1 and 0 <= high - low < 0x40:  # mostly
        return b"".join((b"\x02", varint(high), varint(delay), bytes((0, high - low))))
    count = min(len(ranges), MAX_ACK_RANGES)
    parts = [b"\x02", varint(high), varint(delay), varint(count - 1), varint(high - low)]
    for index in range(1, count):
        next_low, next_high = ranges[index]
        parts.append(varint(low - next_high - 2))
        parts.append(varint(next_high - next_low))
        low = next_low
    return b"".join(parts)


def encode_hello(body: bytes) -> bytes:
    """HELLO."""
    return b"\x03" + varint(len(body)) + body


def encode_message(channel: int, number: int, offset: int, total: int, data: bytes) -> bytes:
    """MESSAGE: a part of one message."""
    head = (b"\x04", varint(channel), varint(number), varint(offset), varint(total))
    return b"".join((*head, varint(len(data)), data))


def encode_messages(channel: int, first_number: int, messages: Sequence[bytes]) -> bytes:
    """MESSAGES: whole messages with consecutive numbers, none longer than 65,535 bytes."""
    count = len(messages)
    lengths = struct_pack(f">{count}H", *map(len, messages))
    head = (b"\x05", varint(channel), varint(first_number), varint(count), lengths)
    return b"".join((*head, *messages))


def encode_receipt(number: int, ack: int, count: int) -> bytes:
    """RECEIPT."""
    return b"\x06" + varint(number) + varint(ack) + varint(count)


def encode_channel_receipt(channel: int, number: int) -> bytes:
    """CHANNEL_RECEIPT."""
    return b"\x07" + varint(channel) + varint(number)


def encode_state(key: int, revision: int, value: bytes) -> bytes:
    """STATE."""
    return b"".join((b"\x08", varint(key), varint(revision), varint(len(value)), value))


def encode_close(code: int, reason: str) -> bytes:
    """CLOSE; a reason over MAX_CLOSE_REASON_BYTES of UTF-8 is cut at a character."""
    text = reason.encode("utf-8", "replace")[:MAX_CLOSE_REASON_BYTES]
    text = text.decode("utf-8", "ignore").encode()
    return b"".join((b"\x09", varint(code), varint(len(text)), text))


def encode_path_challenge(token: bytes) -> bytes:
    """PATH_CHALLENGE with a token of PATH_TOKEN_BYTES."""
    return b"\x0a" + _path_token(token)


def encode_path_response(token: bytes) -> bytes:
    """PATH_RESPONSE with the token of the challenge."""
    return b"\x0b" + _path_token(token)


def decode(payload: bytes) -> list[Frame]:
    """The frames of one payload, padding left out. Raises DecodeError."""
    frames: list[Frame] = []
    acks = 0
    pos = 0
    end = len(payload)
    decoders = _DECODERS
    known = len(decoders)
    try:
        while pos < end:
            kind = payload[pos]
            pos += 1
            if kind == PADDING:
                pos = end - len(payload[pos:].lstrip(b"\0"))
                continue
            if kind >= known:
                raise DecodeError(f"unknown frame type {kind}")
            if kind == ACK:
                acks += 1
            frame, pos = decoders[kind](payload, pos)
            if pos > end:
                raise DecodeError("frame is cut short")
            frames.append(frame)
            if len(frames) > MAX_FRAMES:
                raise DecodeError(f"more than {MAX_FRAMES} frames in one packet")
    except IndexError:
        raise DecodeError("frame is cut short") from None
    if not frames:
        raise DecodeError("no frame in the packet")
    if acks > 1:
        raise DecodeError("more than one ACK in one packet")
    return frames


def _path_token(token: bytes) -> bytes:
    if len(token) != PATH_TOKEN_BYTES:
        raise LocalProtocolError(f"a path token has {PATH_TOKEN_BYTES} bytes")
    return token


def _counted(payload: bytes, pos: int, most: int) -> tuple[bytes, int]:
    size, pos = read_varint(payload, pos)
    if size > most:
        raise DecodeError(f"{size} bytes where at most {most} are allowed")
    return payload[pos : pos + size], pos + size


def _check_channel(channel: int) -> None:
    if channel >= MAX_CHANNELS:
        raise DecodeError(f"channel {channel} is above {MAX_CHANNELS - 1}")


def _decode_ping(payload: bytes, pos: int) -> _Decoded:
    return Ping(), pos


def _decode_ack(payload: bytes, pos: int) -> _Decoded:
    (high, delay, more, length), pos = read_varints(payload, pos, 4)
    if more >= MAX_ACK_RANGES:
        raise DecodeError(f"more than {MAX_ACK_RANGES} ranges in an ACK")
    low = high - length
    ranges = [(low, high)]
    for _ in range(more):
        (gap, length), pos = read_varints(payload, pos, 2)
        high = low - gap - 2
        low = high - length
        ranges.append((low, high))
    if low < 0:
        raise DecodeError("ACK below packet 0")
    return Ack(delay << ACK_DELAY_EXPONENT, ranges), pos


def _decode_hello(payload: bytes, pos: int) -> _Decoded:
    body, pos = _counted(payload, pos, MAX_HELLO_BYTES)
    return Hello(body), pos


def _decode_message(payload: bytes, pos: int) -> _Decoded:
    (channel, number, offset, total, size), pos = read_varints(payload, pos, 5)
    _check_channel(channel)
    if size > MAX_MESSAGE_BYTES:
        raise DecodeError(f"{size} bytes where at most {MAX_MESSAGE_BYTES} are allowed")
    data = payload[pos : pos + size]
    if not 0 < total <= MAX_MESSAGE_BYTES:
        raise DecodeError(f"a message of {total} bytes")
    if not data or offset + len(data) > total:
        raise DecodeError("a part outside its message")
    return Message(channel, number, offset, total, data), pos + size


def _decode_messages(payload: bytes, pos: int) -> _Decoded:
    (channel, first_number, count), pos = read_varints(payload, pos, 3)
    _check_channel(channel)
    if count == 0 or 3 * count > len(payload) - pos:
        raise DecodeError(f"{count} messages in {len(payload) - pos} bytes")
    if first_number + count > MAX_VARINT:
        raise DecodeError("message number above 2^62 - 1")
    lengths = unpack_from(f">{count}H", payload, pos)
    if 0 in lengths:
        raise DecodeError("a message of 0 bytes")
    edges = list(accumulate(lengths, initial=pos + 2 * count))
    messages = [payload[start:end] for start, end in pairwise(edges)]
    return Messages(channel, first_number, messages), edges[-1]


def _decode_receipt(payload: bytes, pos: int) -> _Decoded:
    (number, ack, count), pos = read_varints(payload, pos, 3)
    if count > number or count > ack:
        raise DecodeError("a receipt for more messages than there are")
    return Receipt(number, ack, count), pos


def _decode_channel_receipt(payload: bytes, pos: int) -> _Decoded:
    (channel, number), pos = read_varints(payload, pos, 2)
    _check_channel(channel)
    if channel == 0:
        raise DecodeError("a channel receipt for channel 0")
    return ChannelReceipt(channel, number), pos


def _decode_state(payload: bytes, pos: int) -> _Decoded:
    (key, revision), pos = read_varints(payload, pos, 2)
    value, pos = _counted(payload, pos, MAX_STATE_BYTES)
    return State(key, revision, value), pos


def _decode_close(payload: bytes, pos: int) -> _Decoded:
    code, pos = read_varint(payload, pos)
    text, pos = _counted(payload, pos, MAX_CLOSE_REASON_BYTES)
    return Close(code, text.decode("utf-8", "replace")), pos


def _decode_path_challenge(payload: bytes, pos: int) -> _Decoded:
    end = pos + PATH_TOKEN_BYTES
    return PathChallenge(payload[pos:end]), end


def _decode_path_response(payload: bytes, pos: int) -> _Decoded:
    end = pos + PATH_TOKEN_BYTES
    return PathResponse(payload[pos:end]), end


_DECODERS: tuple[Callable[[bytes, int], _Decoded], ...] = (
    _decode_ping,  # never reached: PADDING is skipped
    _decode_ping,
    _decode_ack,
    _decode_hello,
    _decode_message,
    _decode_messages,
    _decode_receipt,
    _decode_channel_receipt,
    _decode_state,
    _decode_close,
    _decode_path_challenge,
    _decode_path_response,
)
