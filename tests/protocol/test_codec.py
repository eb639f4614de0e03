"""The one place that packs and unpacks msgpack: what it takes, what it refuses, and how."""

import contextlib
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Struct

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.limits import MAX_INTEGER, MAX_UNPACK_DEPTH

LIMIT = 4096
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER - 1, MAX_INTEGER)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=MAX_UNPACK_DEPTH,
)


class Point(Struct, array_like=True):
    x: int
    y: int = 0


class Shape(Struct):
    name: str
    points: list[Point]
    data: bytes = b""


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_structs_of_both_forms_go_through() -> None:
    shape = Shape("a", [Point(1, 2), Point(-3)], b"\x00\xff")
    packed = codec.pack(shape)
    assert msgpack.unpackb(packed) == {
        "name": "a",
        "points": [[1, 2], [-3, 0]],
        "data": b"\x00\xff",
    }
    assert codec.unpack(packed, Shape, LIMIT) == shape


def test_unknown_elements_and_keys_are_ignored_and_defaults_filled_in() -> None:
    assert codec.convert({"name": "a", "points": [[1, 2, "new"]], "colour": 7}, Shape) == Shape(
        "a", [Point(1, 2)]
    )
    assert codec.convert([5], Point) == Point(5, 0)


@pytest.mark.parametrize(
    "value",
    [
        {"name": b"a", "points": []},
        {"name": "a", "points": {}},
        {"name": "a", "points": [[1.5]]},
        {"name": "a", "points": [["1"]]},
        {"name": "a", "points": [[True]]},
        {"name": "a", "points": [[]]},
        {"name": "a", "points": [], "data": "YWJj"},
        {"points": []},
        [],
        None,
    ],
)
def test_wrong_types_are_refused(value: object) -> None:
    with pytest.raises(DecodeError):
        codec.unpack(codec.pack_plain(value), Shape, LIMIT)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a msgpack"),
        (b"\xc1", "not a msgpack"),
        (b"\x01\x02", "not a msgpack"),
        (b"\x92\x01", "not a msgpack"),
        (b"\xa1\xff", "not a msgpack"),
        (b"\xa3\xed\xa0\x80", "not a msgpack"),
        (b"\xdd\xff\xff\xff\xff", "not a msgpack"),
        (b"\xdf\xff\xff\xff\xff", "not a msgpack"),
        (b"\xc6\xff\xff\xff\xff", "not a msgpack"),
        (b"\x91" * 2000 + b"\x90", "not a msgpack"),
        (msgpack.packb({1: 2}), "not a msgpack"),
        (msgpack.packb({b"a": 2}), "no string"),
        (msgpack.packb([{b"a": 2}]), "no string"),
        (msgpack.packb(msgpack.ExtType(5, b"x")), "not a msgpack"),
        (msgpack.packb(msgpack.Timestamp(1, 2)), "extension"),
        (msgpack.packb([{"a": msgpack.Timestamp(1)}]), "extension"),
        (msgpack.packb(MAX_INTEGER + 1), "64 signed bits"),
        (msgpack.packb([{"a": [2**64 - 1]}]), "64 signed bits"),
    ],
)
def test_what_is_no_document_of_ours_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        codec.unpack_plain(data, LIMIT)


def test_integers_may_use_all_64_signed_bits() -> None:
    edges = [MAX_INTEGER, -MAX_INTEGER - 1]
    assert codec.unpack_plain(codec.pack_plain(edges), LIMIT) == edges


def test_the_size_limit_is_the_last_size_taken() -> None:
    document = codec.pack_plain(b"x" * 98)
    assert len(document) == 100
    assert codec.unpack_plain(document, 100) == b"x" * 98
    with pytest.raises(DecodeError, match="100 bytes where at most 99"):
        codec.unpack_plain(document, 99)


@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: {"key": value}])
def test_the_depth_limit_is_the_last_depth_taken(wrap: Any) -> None:
    extra = 1 if isinstance(wrap(0), dict) else 0
    deepest = wrap(nested(MAX_UNPACK_DEPTH - extra))
    assert codec.unpack_plain(codec.pack_plain(deepest), LIMIT) == deepest
    with pytest.raises(DecodeError, match="nested deeper than 8"):
        codec.unpack_plain(codec.pack_plain(wrap(nested(MAX_UNPACK_DEPTH + 1 - extra))), LIMIT)


def test_memoryviews_are_read_like_bytes() -> None:
    data = b"__" + codec.pack_plain([1, "a", b"b"])
    assert codec.unpack_plain(memoryview(data)[2:], LIMIT) == [1, "a", b"b"]


def test_reasons_quote_none_of_the_bytes() -> None:
    secret = {"name": "a", "points": [["secret-text"]]}
    with pytest.raises(DecodeError) as caught:
        codec.unpack(codec.pack_plain(secret), Shape, LIMIT)
    assert "secret" not in caught.value.reason
    assert "$.points[0][0]" in caught.value.reason


@given(DOCUMENTS)
def test_plain_values_survive(value: Any) -> None:
    assert codec.unpack_plain(codec.pack_plain(value), 1 << 20) == value


@given(st.binary(max_size=200), st.sampled_from([Point, Shape, list[Shape], dict[str, int]]))
@example(b"\x91" * 600 + b"\xc0", Point)
@example(b"\x81\xa4name\xc0", Shape)
def test_garbage_raises_decode_error_only(data: bytes, shape: Any) -> None:
    with contextlib.suppress(DecodeError):
        codec.unpack(data, shape, LIMIT)
