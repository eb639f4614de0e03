"""Integers of the wire: the examples of RFC 9000 appendix A.1, round trips, refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_protocol.errors import DecodeError, LocalProtocolError
from chatnet_protocol.wire.varint import (
    MAX_VARINT,
    read_varint,
    read_varints,
    varint,
    varint_size,
)

numbers = st.integers(0, MAX_VARINT)


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
def test_the_examples_of_the_rfc_are_read(data: str, value: int) -> None:
    assert read_varint(bytes.fromhex(data), 0) == (value, len(data) // 2)


@given(value=numbers)
def test_integers_come_back_and_are_shortest(value: int) -> None:
    data = varint(value)
    assert len(data) == varint_size(value)
    assert read_varint(data, 0) == (value, len(data))
    assert len(data) == 1 or value >= {2: 2**6, 4: 2**14, 8: 2**30}[len(data)]


@pytest.mark.parametrize("value", [-1, 2**62])
def test_integers_outside_are_refused(value: int) -> None:
    with pytest.raises(LocalProtocolError):
        varint(value)


@pytest.mark.parametrize("data", ["40", "800000", "c0000000000000"])
def test_a_cut_integer_is_refused(data: str) -> None:
    with pytest.raises(DecodeError):
        read_varint(bytes.fromhex(data), 0)
    with pytest.raises(IndexError):
        read_varint(b"", 0)


@given(values=st.lists(numbers | st.integers(0, 2**15), max_size=8), after=st.binary(max_size=3))
def test_integers_in_a_row_are_read_as_one_by_one(values: list[int], after: bytes) -> None:
    data = b"".join(map(varint, values))
    assert read_varints(b"!" + data + after, 1, len(values)) == (values, 1 + len(data))


@given(values=st.lists(numbers | st.integers(0, 2**15), min_size=1, max_size=8), data=st.data())
def test_integers_in_a_row_that_are_cut_short_are_refused(
    values: list[int], data: st.DataObject
) -> None:
    whole = b"".join(map(varint, values))
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises((DecodeError, IndexError)):
        read_varints(whole[:cut], 0, len(values))
