"""What conversation channel, HELLO and states carry: ranges, sizes, kinds."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.ipc.rows import MessageKind
from chatnet_protocol.limits import (
    MAX_DISPLAY_NAME_BYTES,
    MAX_FILES_IN_OFFER,
    MAX_HELLO_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_STATE_BYTES,
    MAX_TEXT_BYTES,
)
from chatnet_protocol.wire import messages as wire

ID = bytes(range(16))
COUNTERS = st.integers(0, wire.MAX_COUNTER)
OFFER = encode_offer(Offer([OfferedFile(["a.txt"], 5)]))


def text(body: bytes = b"hi", **changes: Any) -> bytes:
    fields: dict[str, Any] = {"kind": 1, "id": ID, "lamport": 7, "sent_ms": 8} | changes
    return wire.encode_message(wire.Message(body=body, **fields))


@given(st.text(max_size=50), st.integers(1, wire.MAX_COUNTER), st.integers(0, wire.MAX_WALL_MS))
def test_texts_survive(words: str, lamport: int, sent_ms: int) -> None:
    body = words.encode()
    data = text(body, lamport=lamport, sent_ms=sent_ms)
    expected = wire.Message(MessageKind.TEXT, ID, lamport, sent_ms, body)
    assert wire.decode_message(data) == expected


def test_offers_and_unknown_kinds_survive() -> None:
    offer = wire.decode_message(text(OFFER, kind=MessageKind.OFFER))
    assert (offer.kind, offer.body) == (MessageKind.OFFER, OFFER)
    for kind in (3, 255):
        assert wire.decode_message(text(b"\xff\xfe", kind=kind)).kind == kind


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (text(id=b"short"), "16 bytes"),
        (text(lamport=0), "out of range"),
        (text(lamport=-1), "out of range"),
        (text(sent_ms=-1), "out of range"),
        (text(sent_ms=wire.MAX_WALL_MS + 1), "out of range"),
        (text(b"\xff"), "not UTF-8"),
        (text(b"junk", kind=MessageKind.OFFER), "not a msgpack"),
        (text(kind=0), "kind is out of range"),
        (text(kind=256), "kind is out of range"),
        (text(b"x" * (MAX_TEXT_BYTES + 1)), "longer than 64 KiB"),
        (text(b"x" * MAX_MESSAGE_BYTES), "at most 65792"),
        (text(id="text of 16 chars"), r"\$\[1\]"),
    ],
)
def test_messages_out_of_range_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        wire.decode_message(data)


def test_the_longest_text_fits_the_longest_message() -> None:
    top = wire.MAX_COUNTER
    data = text(b"x" * MAX_TEXT_BYTES, lamport=top, sent_ms=wire.MAX_WALL_MS)
    assert len(data) <= MAX_MESSAGE_BYTES
    assert len(wire.decode_message(data).body) == MAX_TEXT_BYTES


def test_the_most_files_of_an_offer_fit_its_message() -> None:
    body = encode_offer(Offer([OfferedFile(["x" * 40], 5)] * MAX_FILES_IN_OFFER))
    assert wire.decode_message(text(body, kind=MessageKind.OFFER)).body == body


@given(
    st.builds(
        wire.Hello,
        base=st.integers(1, wire.MAX_MESSAGE_NUMBER),
        mark=st.integers(0, wire.MAX_MESSAGE_NUMBER),
        acked_total=COUNTERS,
        received_total=COUNTERS,
        lamport=COUNTERS,
        name=st.text(max_size=16),
        fast_aes=st.booleans(),
    )
)
def test_hellos_survive(hello: wire.Hello) -> None:
    assert wire.decode_hello(wire.encode_hello(hello)) == hello


def test_a_hello_of_five_elements_is_enough_and_more_are_ignored() -> None:
    assert wire.decode_hello(codec.pack_plain([1, 0, 0, 0, 0])) == wire.Hello(1, 0, 0, 0, 0)
    assert wire.decode_hello(codec.pack_plain([1, 0, 0, 0, 0, "", True, 5])).fast_aes


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([0, 0, 0, 0, 0], "number is out of range"),
        ([2**61 + 1, 0, 0, 0, 0], "number is out of range"),
        ([1, 2**61 + 1, 0, 0, 0], "number is out of range"),
        ([1, -1, 0, 0, 0], "counter is out of range"),
        ([1, 0, -1, 0, 0], "counter is out of range"),
        ([1, 0, 0, -1, 0], "counter is out of range"),
        ([1, 0, 0, 0, -1], "counter is out of range"),
        ([1, 0, 0, 0, 2**63], "64 signed bits"),
        ([1, 0, 0, 0, 0, "é" * (MAX_DISPLAY_NAME_BYTES // 2) + "x"], "name is too long"),
        ([1, 0, 0, 0, 0, "x" * MAX_HELLO_BYTES], "at most 512"),
        ([1, 0, 0, 0], "at least length 5"),
        ([1, 0, 0, 0, 0, b"name"], "Expected `str`"),
    ],
)
def test_hellos_out_of_range_are_refused(values: list[object], reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        wire.decode_hello(codec.pack_plain(values))


def test_the_longest_name_is_taken() -> None:
    name = "x" * MAX_DISPLAY_NAME_BYTES
    assert wire.decode_hello(codec.pack_plain([1, 0, 0, 0, 0, name])).name == name


@given(COUNTERS, COUNTERS, st.booleans())
def test_states_survive(shown: int, read: int, typing: bool) -> None:
    marks = wire.Marks(shown, read)
    assert wire.decode_marks(wire.encode_state(marks)) == marks
    assert wire.decode_typing(wire.encode_state(wire.Typing(typing))).typing is typing


@given(st.integers(0, 1000))
def test_a_reported_loss_survives(permille: int) -> None:
    line = wire.Line(permille)
    assert wire.decode_line(wire.encode_state(line)) == line


@pytest.mark.parametrize("values", [[], [-1], [1001], [True], [0.5]])
def test_a_loss_out_of_range_is_refused(values: list[object]) -> None:
    with pytest.raises(DecodeError):
        wire.decode_line(codec.pack_plain(values))


@pytest.mark.parametrize("name", ["", "Ann", "x" * MAX_DISPLAY_NAME_BYTES])
def test_a_display_name_survives(name: str) -> None:
    value = wire.DisplayName(name)
    assert wire.decode_name(wire.encode_state(value)) == value


@pytest.mark.parametrize("values", [[], [1], [b"Ann"], ["x" * (MAX_DISPLAY_NAME_BYTES + 1)]])
def test_a_display_name_of_a_wrong_shape_is_refused(values: list[object]) -> None:
    with pytest.raises(DecodeError):
        wire.decode_name(codec.pack_plain(values))


@pytest.mark.parametrize("values", [[-1, 0], [0, -1], [1], [0, True], [0, "1"]])
def test_marks_out_of_range_are_refused(values: list[object]) -> None:
    with pytest.raises(DecodeError):
        wire.decode_marks(codec.pack_plain(values))


@pytest.mark.parametrize("values", [[], [1], ["x" * MAX_STATE_BYTES]])
def test_typing_of_a_wrong_shape_is_refused(values: list[object]) -> None:
    with pytest.raises(DecodeError):
        wire.decode_typing(codec.pack_plain(values))


@given(
    st.binary(max_size=80),
    st.sampled_from(
        [
            wire.decode_message,
            wire.decode_hello,
            wire.decode_marks,
            wire.decode_typing,
            wire.decode_name,
        ]
    ),
)
def test_garbage_raises_decode_error_only(data: bytes, decode: Callable[[bytes], object]) -> None:
    with contextlib.suppress(DecodeError):
        decode(data)
