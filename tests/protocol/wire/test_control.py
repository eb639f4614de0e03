"""Control messages of transfers: golden bytes, round trips, refusals."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import file_vectors as golden
from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.wire import control as ct

ID = bytes(range(16))
VECTORS = json.loads(golden.PATH.read_text(encoding="utf-8"))["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_both_ways_byte_for_byte(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    assert golden.encode(golden.SAMPLES[vector["name"]]) == data
    assert golden.decode(vector["type"], data) == golden.SAMPLES[vector["name"]]


def test_every_control_has_a_vector() -> None:
    kinds = {kind.__name__ for kind in get_args(ct.Control)}
    assert kinds <= {type(value).__name__ for value in golden.SAMPLES.values()}


def test_the_file_is_what_the_samples_give() -> None:
    assert golden.PATH.read_text(encoding="utf-8") == golden.document()


def test_further_elements_are_ignored() -> None:
    assert ct.decode_control(codec.pack_plain([7, ID, 0, [], "", "new"])) == ct.Done(ID)


def test_no_more_names_than_are_new() -> None:
    done = ct.Done(ID, 1, [("a", "b")])
    assert ct.decode_control(ct.encode_control(done)) == done
    with pytest.raises(DecodeError, match="more is named"):
        ct.decode_control(ct.encode_control(ct.Done(ID, 0, [("a", "b")])))


def test_why_nothing_was_updated_is_a_short_code() -> None:
    done = ct.Done(ID, not_updated="x" * ct.MAX_CODE_BYTES)
    assert ct.decode_control(ct.encode_control(done)) == done
    with pytest.raises(DecodeError, match="code is too long"):
        ct.decode_control(ct.encode_control(ct.Done(ID, not_updated="x" * (ct.MAX_CODE_BYTES + 1))))
    largest = ct.Done(ID, 2**62, [("p" * 178, "n" * 178)], not_updated="x" * ct.MAX_CODE_BYTES)
    assert len(ct.encode_control(largest)) <= ct.MAX_CONTROL_BYTES


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        7,
        [0, ID],
        [8, ID],
        ["Done", ID],
        [7],
        [7, ID[:15]],
        [7, ID + b"x"],
        [7, "text"],
        [5, ID],
        [5, ID, 1],
        [6, ID, "cancelled"],
        [2, ID, bytes(7), bytes(32), 1, 1],
        [2, ID, bytes(8), bytes(31), 1, 1],
        [2, ID, bytes(8), bytes(32), 0, 1],
        [2, ID, bytes(8), bytes(32), 65536, 1],
        [2, ID, bytes(8), bytes(32), 1, 3],
        [7, ID, "x" * ct.MAX_CONTROL_BYTES],
    ],
)
def test_malformed_ones_are_refused(value: object) -> None:
    with pytest.raises(DecodeError):
        ct.decode_control(codec.pack_plain(value))


@given(st.binary(max_size=80))
def test_garbage_is_refused_or_read(data: bytes) -> None:
    try:
        control = ct.decode_control(data)
    except DecodeError:
        return
    assert ct.decode_control(ct.encode_control(control)) == control


def test_an_unknown_end_is_an_end() -> None:
    assert ct.decode_control(codec.pack_plain([6, ID, 99])) == ct.End(ID, 99)
