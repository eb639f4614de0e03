"""Variable-length integers: the examples of RFC 9000, the edges of each length, cut short ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_protocol.errors import DecodeError, LocalProtocolError
from chatnet_protocol.wire.varint import MAX_VARINT, read_varint, varint, varint_size

EDGES = [0, 1, 63, 64, 2**14 - 1, 2**14, 2**30 - 1, 2**30, MAX_VARINT]


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("c2197c5eff14e88c", 151_288_809_941_952_652),
        ("9d7f3e7d", 494_878_333),
        ("7bbd", 15_293),
        ("25", 37),
        ("4025", 37),
    ],
)
def test_the_examples_of_rfc_9000_appendix_a_1(data: str, value: int) -> None:
    assert read_varint(bytes.fromhex(data), 0) == (value, len(data) // 2)


@pytest.mark.parametrize("value", EDGES)
def test_the_shortest_form_is_written(value: int) -> None:
    data = varint(value)
    assert (
        len(data)
        == varint_size(value)
        == next(size for size, bits in ((1, 6), (2, 14), (4, 30), (8, 62)) if value < 1 << bits)
    )
    assert read_varint(b"\xff" + data + b"\xff", 1) == (value, 1 + len(data))


@given(st.integers(0, MAX_VARINT))
def test_all_values_survive(value: int) -> None:
    assert read_varint(varint(value), 0) == (value, varint_size(value))


@pytest.mark.parametrize("value", [-1, MAX_VARINT + 1])
def test_what_does_not_fit_is_refused(value: int) -> None:
    with pytest.raises(LocalProtocolError):
        varint(value)


@pytest.mark.parametrize("value", [64, 2**14, 2**30])
def test_every_cut_is_noticed(value: int) -> None:
    data = varint(value)
    for end in range(1, len(data)):
        with pytest.raises(DecodeError, match="cut short"):
            read_varint(data[:end], 0)
    with pytest.raises(IndexError):
        read_varint(data, len(data))
