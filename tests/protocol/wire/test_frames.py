"""Frames: golden bytes, round trips, and what must be refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_protocol.errors import DecodeError, LocalProtocolError
from chatnet_protocol.limits import (
    MAX_ACK_RANGES,
    MAX_CHANNELS,
    MAX_HELLO_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_STATE_BYTES,
)
from chatnet_protocol.wire import frames
from chatnet_protocol.wire.varint import MAX_VARINT, varint

VECTORS = json.loads(
    (Path(__file__).parents[3] / "protocol/vectors/frames.json").read_text("utf-8")
)
NAMES: dict[str, tuple[Callable[..., object], Callable[..., bytes]]] = {
    "PING": (frames.Ping, frames.encode_ping),
    "ACK": (frames.Ack, frames.encode_ack),
    "HELLO": (frames.Hello, frames.encode_hello),
    "MESSAGE": (frames.Message, frames.encode_message),
    "MESSAGES": (frames.Messages, frames.encode_messages),
    "RECEIPT": (frames.Receipt, frames.encode_receipt),
    "CHANNEL_RECEIPT": (frames.ChannelReceipt, frames.encode_channel_receipt),
    "STATE": (frames.State, frames.encode_state),
    "CLOSE": (frames.Close, frames.encode_close),
    "PATH_CHALLENGE": (frames.PathChallenge, frames.encode_path_challenge),
    "PATH_RESPONSE": (frames.PathResponse, frames.encode_path_response),
}
BYTES_FIELDS = {"body", "data", "value", "token"}

numbers = st.integers(0, MAX_VARINT)
channels = st.integers(0, MAX_CHANNELS - 1)


def fields_of(vector: dict[str, Any]) -> dict[str, Any]:
    fields = dict(vector["fields"])
    for name in BYTES_FIELDS & fields.keys():
        fields[name] = bytes.fromhex(fields[name])
    if "messages" in fields:
        fields["messages"] = [bytes.fromhex(body) for body in fields["messages"]]
    if "ranges" in fields:
        fields["ranges"] = [tuple(pair) for pair in fields["ranges"]]
    return fields


@pytest.mark.parametrize("vector", VECTORS["frames"], ids=lambda v: v["hex"])
def test_golden_frames_are_read_and_written(vector: dict[str, Any]) -> None:
    shape, encode = NAMES[vector["frame"]]
    data = bytes.fromhex(vector["hex"])
    fields = fields_of(vector)
    assert frames.decode(data) == [shape(**fields)]
    assert encode(**fields) == data
    ping = frames.encode_ping()
    assert frames.decode(b"\x00" + data + b"\x00\x00" + ping) == [shape(**fields), frames.Ping()]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda v: v["why"])
def test_golden_refusals(vector: dict[str, str]) -> None:
    with pytest.raises(DecodeError):
        frames.decode(bytes.fromhex(vector["hex"]))


def test_every_type_has_a_golden_frame() -> None:
    assert {vector["frame"] for vector in VECTORS["frames"]} == NAMES.keys()
    assert {bytes.fromhex(v["hex"])[0] for v in VECTORS["frames"]} == set(range(1, 12))


@pytest.mark.parametrize("vector", VECTORS["frames"], ids=lambda v: v["hex"])
def test_every_cut_of_a_frame_is_refused(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    for size in range(len(data)):
        with pytest.raises(DecodeError):
            frames.decode(data[:size])


@given(
    delay=numbers,
    start=numbers,
    steps=st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)), max_size=40),
)
def test_acks_come_back(delay: int, start: int, steps: list[tuple[int, int]]) -> None:
    ranges = []
    high = start
    for length, gap in steps or [(0, 0)]:
        if high - length < 0:
            break
        ranges.append((high - length, high))
        high -= length + gap + 2
    if ranges:
        (ack,) = frames.decode(frames.encode_ack(delay, ranges))
        rounded = delay - delay % 2**frames.ACK_DELAY_EXPONENT
        assert ack == frames.Ack(rounded, ranges[:MAX_ACK_RANGES])


@given(
    channel=channels,
    first=st.integers(0, MAX_VARINT - 100),
    messages=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=100),
)
def test_runs_of_messages_come_back(channel: int, first: int, messages: list[bytes]) -> None:
    data = frames.encode_messages(channel, first, messages)
    assert frames.decode(data) == [frames.Messages(channel, first, messages)]
    bodies = sum(map(len, messages)) + 2 * len(messages)
    assert len(data) <= bodies + frames.messages_head_bytes(first)


@given(data=st.data(), channel=channels, number=numbers, total=st.integers(1, MAX_MESSAGE_BYTES))
def test_parts_come_back(data: st.DataObject, channel: int, number: int, total: int) -> None:
    offset = data.draw(st.integers(0, total - 1))
    part = data.draw(st.binary(min_size=1, max_size=min(1200, total - offset)))
    frame = frames.encode_message(channel, number, offset, total, part)
    assert frames.decode(frame) == [frames.Message(channel, number, offset, total, part)]
    assert len(frame) <= len(part) + frames.message_head_bytes(number)


@given(key=numbers, revision=numbers, value=st.binary(max_size=MAX_STATE_BYTES))
def test_states_and_hellos_come_back(key: int, revision: int, value: bytes) -> None:
    both = frames.encode_state(key, revision, value) + frames.encode_hello(2 * value)
    assert frames.decode(both) == [frames.State(key, revision, value), frames.Hello(2 * value)]
    assert len(2 * value) <= MAX_HELLO_BYTES


@given(code=numbers, reason=st.text(max_size=300))
def test_reasons_are_cut_at_a_character(code: int, reason: str) -> None:
    (close,) = frames.decode(frames.encode_close(code, reason))
    assert isinstance(close, frames.Close)
    assert close.code == code
    assert len(close.reason.encode()) <= frames.MAX_CLOSE_REASON_BYTES
    assert reason.encode("utf-8", "replace").decode().startswith(close.reason)


def test_invalid_utf8_in_a_reason_is_replaced() -> None:
    assert frames.decode(b"\x09\x00\x01\xff") == [frames.Close(0, "\ufffd")]


def test_path_tokens_have_eight_bytes() -> None:
    with pytest.raises(LocalProtocolError):
        frames.encode_path_challenge(b"short")


@given(payload=st.binary(max_size=1200))
def test_garbage_raises_decode_error_only(payload: bytes) -> None:
    try:
        decoded = frames.decode(payload)
    except DecodeError:
        return
    assert 0 < len(decoded) <= frames.MAX_FRAMES


@given(
    kind=st.integers(1, 12),
    rest=st.lists(st.one_of(numbers.map(varint), st.binary(max_size=8)), max_size=12),
)
def test_garbage_that_looks_like_frames_raises_decode_error_only(
    kind: int, rest: list[bytes]
) -> None:
    try:
        frames.decode(bytes([kind]) + b"".join(rest))
    except DecodeError:
        pass
