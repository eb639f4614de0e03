"""The frames on the local sockets: put together from packed events, taken apart with limits."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import golden_vectors as golden
from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import Detach, Done
from chatnet_protocol.ipc.events import ClientDetached
from chatnet_protocol.ipc.view import View
from chatnet_protocol.limits import MAX_IPC_FRAME_BYTES

DECODERS = [
    envelope.decode_publication,
    envelope.decode_heartbeat,
    envelope.decode_gauges,
    envelope.decode_request,
    envelope.decode_reply,
]
FAILURE = envelope.Failure("gone", "That is gone.")


@pytest.mark.parametrize("count", [0, 1, 15, 16, 70_000])
def test_a_joined_publication_is_a_packed_one(count: int) -> None:
    event = ClientDetached(3)
    joined = envelope.join_publication(golden.BOOT, 7, [envelope.pack_event(event)] * count)
    if count < 100:
        assert joined == codec.pack(envelope.Publication(golden.BOOT, 7, [event] * count))
    if len(joined) <= MAX_IPC_FRAME_BYTES:
        assert envelope.decode_publication(joined).events == [event] * count


def test_joined_events_need_not_be_alike() -> None:
    events = list(golden.EVENTS.values())
    joined = envelope.join_publication(golden.BOOT, 1, [codec.pack(each) for each in events])
    publication = envelope.decode_publication(joined)
    assert (publication.boot, publication.first_seq) == (golden.BOOT, 1)
    assert publication.events == events


@pytest.mark.parametrize("decode", DECODERS)
def test_frames_beyond_the_limit_are_refused_unread(decode: Callable[[bytes], object]) -> None:
    with pytest.raises(DecodeError, match="1048577 bytes where at most 1048576"):
        decode(bytes(MAX_IPC_FRAME_BYTES + 1))


@given(st.binary(max_size=120), st.sampled_from(DECODERS))
def test_garbage_raises_decode_error_only(data: bytes, decode: Callable[[bytes], object]) -> None:
    with contextlib.suppress(DecodeError):
        decode(data)


@given(st.integers(0, 200), st.integers(1, 255), st.sampled_from(list(golden.FRAMES)))
def test_damaged_frames_raise_decode_error_only(at: int, flip: int, name: str) -> None:
    frame = golden.FRAMES[name]
    data = bytearray(golden.encode(frame))
    data[at % len(data)] ^= flip
    with contextlib.suppress(DecodeError):
        golden.decode(type(frame).__name__, bytes(data))


def test_a_reply_is_either_a_failure_or_a_result() -> None:
    for reply in (envelope.Reply(1, FAILURE, None), envelope.Reply(1, None, Done())):
        assert envelope.decode_reply(codec.pack(reply)) == reply
    for reply in (envelope.Reply(1, FAILURE, Done()), envelope.Reply(1, None, None)):
        with pytest.raises(DecodeError, match="either a failure or a result"):
            envelope.decode_reply(codec.pack(reply))


def test_elements_at_the_end_are_ignored_when_unknown() -> None:
    assert envelope.decode_request(codec.pack_plain([1, {"type": "Detach"}, 9])) == (
        envelope.Request(1, Detach())
    )
    assert envelope.decode_heartbeat(codec.pack_plain([golden.BOOT, 1, 2, "new"])) == (
        envelope.Heartbeat(golden.BOOT, 1, 2)
    )
    later = [1, ["gone", "That is gone.", 5], None, 9]
    assert envelope.decode_reply(codec.pack_plain(later)).failure == FAILURE


@pytest.mark.parametrize(
    ("decode", "content"),
    [
        (envelope.decode_request, [1]),
        (envelope.decode_request, ["1", {"type": "Detach"}]),
        (envelope.decode_request, {"id": 1, "command": {"type": "Detach"}}),
        (envelope.decode_reply, [1, {"code": "gone", "text": "x"}, None]),
        (envelope.decode_reply, [1, ["gone"], None]),
        (envelope.decode_publication, ["boot", 1, []]),
        (envelope.decode_publication, [b"boot", 1, {}]),
        (envelope.decode_heartbeat, [b"boot", 1]),
        (envelope.decode_gauges, [b"boot", 1]),
    ],
)
def test_wrong_shapes_are_refused(decode: Callable[[bytes], object], content: object) -> None:
    with pytest.raises(DecodeError):
        decode(codec.pack_plain(content))


def nested(depth: int) -> object:
    value: object = {}
    for _ in range(depth):
        value = [value]
    return value


def test_an_id_that_no_answer_can_carry_counts_as_none() -> None:
    data = codec.pack_plain([2**64 - 1, {"type": "KeepAlive", "seq": 1}])
    with pytest.raises(DecodeError) as caught:
        envelope.decode_request(data)
    assert envelope.answer_garbled(data, caught.value).id == 0


@pytest.mark.parametrize(
    ("data", "number", "code"),
    [
        (codec.pack_plain([7, {"type": "FromALaterVersion"}]), 7, "unknown-command"),
        (codec.pack_plain([7, {"type": "Done"}, 5]), 7, "unknown-command"),
        (codec.pack_plain([7, {"type": "RetryPeer"}]), 7, "invalid"),
        (codec.pack_plain([7, {"type": 5}]), 7, "invalid"),
        (codec.pack_plain([7, "Detach"]), 7, "invalid"),
        (codec.pack_plain([7]), 7, "invalid"),
        (codec.pack_plain([7, {"type": "KeepAlive", "seq": 2**63}]), 7, "invalid"),
        (codec.pack_plain([2**63 - 1, {"type": "KeepAlive", "seq": "x"}]), 2**63 - 1, "invalid"),
        (codec.pack_plain([7, nested(100)]), 7, "invalid"),
        (codec.pack_plain([7, {"type": "Detach"}])[:-3], 7, "invalid"),
        (codec.pack_plain([7, {"type": "Detach"}]) + b"more", 7, "invalid"),
        (codec.pack_plain(["7", {"type": "Detach"}]), 0, "invalid"),
        (codec.pack_plain([True, {"type": "Detach"}]), 0, "invalid"),
        (codec.pack_plain([]), 0, "invalid"),
        (codec.pack_plain({"id": 7}), 0, "invalid"),
        (b"\xc1", 0, "invalid"),
    ],
)
def test_garbled_requests_are_answered(data: bytes, number: int, code: str) -> None:
    with pytest.raises(DecodeError) as caught:
        envelope.decode_request(data)
    reply = envelope.answer_garbled(data, caught.value)
    assert (reply.id, reply.result) == (number, None)
    assert reply.failure is not None
    assert reply.failure.code == code
    assert envelope.decode_reply(codec.pack(reply)) == reply


def test_an_event_of_a_newer_engine_is_skipped_and_its_number_counts() -> None:
    known = ev.MessageFailed(1, 7, "never")
    plain = [
        golden.BOOT,
        5,
        [{"type": "Reacted", "peer": 1}, codec.unpack_plain(codec.pack(known), 99)],
    ]
    publication = envelope.decode_publication(codec.pack_plain(plain))
    assert publication.first_seq == 5
    assert publication.events == [ev.SkippedEvent(), known]
    view = View(session=golden.SESSION)
    before = codec.pack(view)
    view.apply(publication.events[0])
    assert codec.pack(view) == before


@pytest.mark.parametrize("event", [{"type": "MessageFailed"}, {"type": 7}, {}, 3])
def test_an_event_that_is_known_or_none_is_not_skipped(event: object) -> None:
    with pytest.raises(DecodeError):
        envelope.decode_publication(codec.pack_plain([golden.BOOT, 5, [event]]))
