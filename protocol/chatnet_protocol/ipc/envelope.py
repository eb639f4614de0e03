"""The frames on the two local sockets.

    PUB     [b"E", Publication]   numbered events; [b"H", Heartbeat] every second; [b"G",
    GaugeFrame]
            for those who subscribe to them by name: [b"T", TraceFrame], [b"P", TraceFrame]
    ROUTER  client → engine  [Request]        engine → client  [Reply]

Each frame is one msgpack array. A publication is put together from events that are already
packed, so that an event is packed once however often it is published or replayed.
"""

from collections.abc import Sequence
from typing import get_args

import msgpack
from msgspec import Struct

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError, ErrorCode
from chatnet_protocol.ipc.commands import Command, Result
from chatnet_protocol.ipc.events import Event, Gauge, SkippedEvent
from chatnet_protocol.ipc.trace import TraceRow
from chatnet_protocol.limits import MAX_INTEGER, MAX_IPC_FRAME_BYTES

TOPIC_EVENTS = b"E"
TOPIC_HEAD = b"H"
TOPIC_GAUGES = b"G"
TOPIC_TRACE = b"T"
"""What the engine does, without packets and with hidden addresses."""
TOPIC_TRACE_DETAIL = b"P"
"""The same with packets, and addresses in full."""
TOPICS_BY_NAME = frozenset({TOPIC_TRACE, TOPIC_TRACE_DETAIL})
"""Sent only to subscribers to exactly that topic, not to those of everything."""

BOOT_BYTES = 8
"""Length of a boot id: random, drawn at each engine start."""

LONGEST_ID_BYTES = 5 + 9
"""The longest header of an array, and the longest integer."""

_EVENT_NAMES = frozenset(kind.__name__ for kind in get_args(Event))
_COMMAND_NAMES = frozenset(kind.__name__ for kind in get_args(Command))


class Publication(Struct, array_like=True, gc=False, frozen=True):
    """Consecutive events; the first has number `first_seq`."""

    boot: bytes
    first_seq: int
    events: list[Event]


class Heartbeat(Struct, array_like=True, gc=False, frozen=True):
    """The last event's number and the last durable message number: shows every gap."""

    boot: bytes
    seq: int
    last_no: int


class GaugeFrame(Struct, array_like=True, gc=False, frozen=True):
    """Unnumbered statistics; the newest revision of each wins."""

    boot: bytes
    gauges: list[Gauge]


class TraceFrame(Struct, array_like=True, gc=False, frozen=True):
    """What happened in one turn; `before`: traces published under this topic since the boot."""

    boot: bytes
    before: int
    at_ms: int
    traces: list[TraceRow]


class Request(Struct, array_like=True, gc=False, frozen=True):
    """One command; `id` is chosen by the client; the reply carries it."""

    id: int
    command: Command


class Failure(Struct, array_like=True, gc=False, frozen=True):
    """An ErrorCode value and one sentence."""

    code: str
    text: str


class Reply(Struct, array_like=True, gc=False, frozen=True):
    """The answer to request `id`: exactly one of failure and result is set."""

    id: int
    failure: Failure | None
    result: Result | None


def pack_event(event: Event) -> bytes:
    """One event, ready for `join_publication` and for the ring."""
    return codec.pack(event)


def join_publication(boot: bytes, first_seq: int, packed: Sequence[bytes]) -> bytes:
    """A Publication frame from events that are already packed."""
    packer = msgpack.Packer(use_bin_type=True, autoreset=False)
    packer.pack_array_header(3)
    packer.pack(boot)
    packer.pack(first_seq)
    packer.pack_array_header(len(packed))
    header: bytes = packer.bytes()
    return header + b"".join(packed)


def decode_publication(data: bytes) -> Publication:
    """Events of unknown types become SkippedEvent. Raises DecodeError."""
    plain = codec.unpack_plain(data, MAX_IPC_FRAME_BYTES)
    try:
        return codec.convert(plain, Publication)
    except DecodeError:
        if not _skip_unknown(plain):
            raise
    return codec.convert(plain, Publication)


def _skip_unknown(plain: object) -> bool:
    """Replace what a newer engine publishes; whether there was any."""
    events = plain[2] if isinstance(plain, list) and len(plain) > 2 else None
    if not isinstance(events, list):
        return False
    unknown = [
        index
        for index, event in enumerate(events)
        if isinstance(event, dict)
        and isinstance(kind := event.get("type"), str)
        and kind not in _EVENT_NAMES
    ]
    for index in unknown:
        events[index] = {"type": SkippedEvent.__name__}
    return bool(unknown)


def decode_heartbeat(data: bytes) -> Heartbeat:
    """Raises DecodeError."""
    return codec.unpack(data, Heartbeat, MAX_IPC_FRAME_BYTES)


def decode_gauges(data: bytes) -> GaugeFrame:
    """Raises DecodeError."""
    return codec.unpack(data, GaugeFrame, MAX_IPC_FRAME_BYTES)


def decode_traces(data: bytes) -> TraceFrame:
    """Raises DecodeError."""
    return codec.unpack(data, TraceFrame, MAX_IPC_FRAME_BYTES)


def decode_request(data: bytes) -> Request:
    """Raises DecodeError."""
    return codec.unpack(data, Request, MAX_IPC_FRAME_BYTES)


def decode_reply(data: bytes) -> Reply:
    """Raises DecodeError, also unless exactly one of failure and result is set."""
    reply = codec.unpack(data, Reply, MAX_IPC_FRAME_BYTES)
    if (reply.failure is None) == (reply.result is None):
        raise DecodeError("a reply is either a failure or a result")
    return reply


def answer_garbled(data: bytes, error: DecodeError) -> Reply:
    """What to tell who sent `data`, in which `decode_request` found `error`.

    Under the request's own number, also where the rest makes no sense, or 0 when even that cannot
    be read.
    """
    try:
        plain = codec.unpack_plain(data, MAX_IPC_FRAME_BYTES)
    except DecodeError:
        plain = []
    _, command, *_ = [*plain, 0, 0] if isinstance(plain, list) else [0, 0]
    kind = command.get("type") if isinstance(command, dict) else None
    if isinstance(kind, str) and kind not in _COMMAND_NAMES:
        code, text = ErrorCode.UNKNOWN_COMMAND, "This engine does not know that command."
    else:
        code, text = ErrorCode.INVALID, f"Not a command: {error.reason}."
    return Reply(_read_id(data), Failure(code, text), None)


def _read_id(data: bytes) -> int:
    """The first element of an array, if that is an integer that an answer can carry; else 0."""
    unpacker = msgpack.Unpacker()
    unpacker.feed(data[:LONGEST_ID_BYTES])
    try:
        unpacker.read_array_header()
        number = unpacker.unpack()
    except (ValueError, msgpack.UnpackException):
        return 0
    return number if type(number) is int and number <= MAX_INTEGER else 0
