"""Parts in any order, overlapping and repeated, make the message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_engine.arq.reassembly import Partial
from chatnet_protocol.errors import RemoteProtocolError


@given(
    body=st.binary(min_size=1, max_size=80),
    cuts=st.lists(st.tuples(st.integers(0, 79), st.integers(1, 40)), max_size=30),
)
def test_parts_in_any_order_make_the_message(body: bytes, cuts: list[tuple[int, int]]) -> None:
    partial = Partial(len(body))
    covered: set[int] = set()
    for offset, size in cuts:
        data = body[offset : offset + size]
        if not data:
            continue
        covered.update(range(offset, offset + len(data)))
        whole = partial.add(offset, len(body), data)
        assert whole == (body if len(covered) == len(body) else None)


def test_a_middle_without_its_ends_is_no_message() -> None:
    partial = Partial(10)
    assert partial.add(1, 10, b"12345678") is None
    assert partial.add(9, 10, b"9") is None
    assert partial.add(0, 10, b"0") == b"0123456789"


def test_a_different_total_is_refused() -> None:
    partial = Partial(10)
    with pytest.raises(RemoteProtocolError, match=r"^parts of one message disagree about its"):
        partial.add(0, 11, b"x")
