"""What channel 2 carries: shapes, ranges, sizes."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.limits import MAX_MESSAGE_BYTES, MAX_TEXT_BYTES
from chatnet_protocol.wire import restoring as wire
from chatnet_protocol.wire.messages import MAX_COUNTER, MAX_WALL_MS

ID = bytes(range(16))
ROW = [True, 1, ID, 7, 8, 9, 10, b"hi"]
positive = st.integers(1, MAX_COUNTER)
times = st.integers(0, MAX_WALL_MS)
ids = st.binary(min_size=16, max_size=16)
rows = st.builds(
    wire.RestoredRow, st.booleans(), st.integers(3, 255), ids, positive, times, times, positive,
    st.binary(max_size=40),
)  # fmt: skip
said = st.one_of(
    st.builds(wire.RestoreAsk, positive, positive, ids),
    st.builds(lambda want: wire.RestoreAsk(want, 0, b""), positive),
    st.builds(
        wire.RestorePage, positive, st.integers(0, 99), st.integers(100, MAX_COUNTER), ids,
        st.booleans(), st.lists(rows, max_size=5),
    ),
    st.builds(wire.RestoreRefuse, positive),
    st.builds(wire.RestoreStop, positive),
)  # fmt: skip


@given(said)
def test_everything_survives(value: wire.Restoring) -> None:
    assert wire.decode_restoring(wire.encode_restoring(value)) == value


def page(row: list[Any] | None = None, **changes: Any) -> list[Any]:
    fields = {"want": 5, "after": 0, "next": 9, "next_id": ID, "more": True} | changes
    return [2, *fields.values(), [row or ROW]]


def changed(index: int, value: Any) -> list[Any]:
    return page([*ROW[:index], value, *ROW[index + 1 :]])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([1, 0, 0, b""], "id of a restore request"),
        ([1, -5, 0, b""], "id of a restore request"),
        ([1, 5, -1, b""], "place in a history"),
        ([1, 5, 0, ID], "place in a history"),
        ([1, 5, 3, b"short"], "place in a history"),
        ([3, 0], "id of a restore request"),
        ([9, 5], "Invalid value 9"),
        ([], "at least length 1"),
        (page(want=0), "id of a restore request"),
        (page(after=-1), "leads nowhere"),
        (page(after=9), "leads nowhere"),
        (page(next_id=b""), "place in a history"),
        (changed(2, b"short"), "16 bytes"),
        (changed(3, 0), "counter is out of range"),
        (changed(6, 0), "counter is out of range"),
        (changed(4, -1), "time is out of range"),
        (changed(5, MAX_WALL_MS + 1), "time is out of range"),
        (changed(1, 0), "kind is out of range"),
        (changed(7, b"\xff"), "not UTF-8"),
        (changed(7, "text"), "Expected `bytes`"),
        (changed(7, b"x" * (MAX_TEXT_BYTES + 1)), "longer than 64 KiB"),
        (changed(7, b"x" * MAX_MESSAGE_BYTES), "at most 65792"),
        ([*page()[:6], [ROW] * (wire.MAX_PAGE_ROWS + 1)], "at most 256 rows"),
    ],
)
def test_what_is_out_of_range_is_refused(values: list[Any], reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        wire.decode_restoring(codec.pack_plain(values))


def test_an_offer_that_comes_back_is_checked_as_any() -> None:
    with pytest.raises(DecodeError, match="not a msgpack"):
        wire.decode_restoring(codec.pack_plain(page([True, 2, *ROW[2:7], b"junk"])))


def test_a_page_of_the_longest_message_fits() -> None:
    top = MAX_COUNTER
    row = wire.RestoredRow(True, 255, ID, top, MAX_WALL_MS, MAX_WALL_MS, top, b"x" * MAX_TEXT_BYTES)
    value = wire.RestorePage(top, top - 1, top, ID, True, [row])
    data = wire.encode_restoring(value)
    assert len(data) <= MAX_MESSAGE_BYTES
    assert wire.decode_restoring(data) == value


def test_a_page_of_the_most_small_rows_fits() -> None:
    row = wire.RestoredRow(
        True, 255, ID, MAX_COUNTER, MAX_WALL_MS, MAX_WALL_MS, MAX_COUNTER, b"x" * 96
    )
    data = wire.encode_restoring(wire.RestorePage(1, 0, 256, ID, True, [row] * 256))
    assert len(data) <= wire.PAGE_BYTES
    assert len(wire.encode_restoring(wire.RestorePage(1, 0, 1, ID, True, [row]))) - len(
        row.body
    ) <= (wire.ROW_BYTES + 40)


@given(st.binary(max_size=80))
def test_garbage_raises_decode_error_only(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        wire.decode_restoring(data)
