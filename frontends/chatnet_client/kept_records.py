"""The records of a file of kept texts: one line each, an append-only list of texts and removals.

    CRC32 of the rest as 8 hex digits, space, one JSON object, newline
    {"id": hex, "peer": int, "text": str, "typed_ms": int}      a text,
                                          with "reply_to": hex if it answers a message
    {"gone": hex}                                               it is durable, or was taken back

A line that is damaged (the last one after a loss of power) is skipped. Pure.
"""

import zlib
from collections.abc import Iterator

import msgspec
from msgspec import Struct

ID_BYTES = 16


class KeptText(Struct, frozen=True, gc=False):
    """What a person wrote."""

    id: bytes
    """Of the message, once it is one."""
    peer: int
    text: str
    typed_ms: int
    """Wall clock."""
    reply_to: bytes = b""
    """Id of the message that it answers; empty: none."""


class _Text(Struct, frozen=True, gc=False):
    id: str = ""
    peer: int = 0
    text: str = ""
    typed_ms: int = 0
    reply_to: str = ""
    gone: str = ""


def encode_text(text: KeptText) -> bytes:
    """The record that keeps a text."""
    value = {"id": text.id.hex(), "peer": text.peer, "text": text.text, "typed_ms": text.typed_ms}
    if text.reply_to:
        value["reply_to"] = text.reply_to.hex()
    return _line(msgspec.json.encode(value))


def encode_removal(text_id: bytes) -> bytes:
    """The record that says that a text need not be kept any more."""
    return _line(msgspec.json.encode({"gone": text_id.hex()}))


def decode(data: bytes) -> list[KeptText]:
    """The texts that are still kept, in the order in which they were written."""
    texts: dict[bytes, KeptText] = {}
    for record in _records(data):
        try:
            if record.gone:
                texts.pop(bytes.fromhex(record.gone), None)
                continue
            text_id, reply_to = bytes.fromhex(record.id), bytes.fromhex(record.reply_to)
        except ValueError:
            continue
        if len(text_id) == ID_BYTES and record.text and len(reply_to) in (0, ID_BYTES):
            texts[text_id] = KeptText(text_id, record.peer, record.text, record.typed_ms, reply_to)
    return list(texts.values())


def _records(data: bytes) -> Iterator[_Text]:
    for line in data.split(b"\n"):
        checksum, _, rest = line.partition(b" ")
        if checksum != _checksum(rest):
            continue
        try:
            yield msgspec.json.decode(rest, type=_Text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue


def _line(rest: bytes) -> bytes:
    return _checksum(rest) + b" " + rest + b"\n"


def _checksum(rest: bytes) -> bytes:
    return b"%08x" % zlib.crc32(rest)
