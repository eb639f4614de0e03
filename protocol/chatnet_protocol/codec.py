"""msgpack bytes ↔ typed structs, with limits. The only place that packs or unpacks msgpack.

`msgpack` does the bytes, `msgspec` checks the types. Unknown trailing fields and map keys are
ignored, wrong types are refused, and whatever is wrong comes out as DecodeError.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgpack
import msgspec

from chatnet_protocol.errors import DecodeError
from chatnet_protocol.limits import MAX_INTEGER, MAX_UNPACK_DEPTH

T = TypeVar("T")

_MIN_INTEGER = -MAX_INTEGER - 1


def pack(value: object) -> bytes:
    """msgpack of a struct, or of plain values and structs nested in them."""
    plain = msgspec.to_builtins(value, builtin_types=(bytes,), order=None)
    return pack_plain(plain)


def pack_plain(value: object) -> bytes:
    """msgpack of lists, tuples, maps, strings, bytes and numbers only: the fast path."""
    data: bytes = msgpack.packb(value, use_bin_type=True)
    return data


def unpack_plain(data: bytes | memoryview, max_bytes: int) -> Any:
    """The one msgpack document in `data`, as plain values.

    Raises DecodeError when `data` is longer than `max_bytes`, is not exactly one document, nests
    deeper than MAX_UNPACK_DEPTH, or holds an extension type, a key that is no string, invalid
    UTF-8, or an integer beyond 64 signed bits.
    """
    if len(data) > max_bytes:
        raise DecodeError(f"{len(data)} bytes where at most {max_bytes} are allowed")
    try:
        value = msgpack.unpackb(data, raw=False, strict_map_key=True, ext_hook=_refuse_extension)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise DecodeError(f"not a msgpack document ({type(error).__name__})") from None
    _check([value], MAX_UNPACK_DEPTH + 1)
    return value


def unpack(data: bytes | memoryview, shape: type[T], max_bytes: int) -> T:
    """The msgpack document in `data`, validated as `shape`. Raises DecodeError."""
    return convert(unpack_plain(data, max_bytes), shape)


def convert(value: object, shape: type[T]) -> T:
    """Plain values validated as `shape` (a struct, a union inside one, a list of them).

    Raises DecodeError with the path of the first wrong field.
    """
    try:
        return msgspec.convert(value, shape, builtin_types=(bytes,), strict=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise DecodeError(str(error)) from None


def _refuse_extension(code: int, data: bytes) -> object:
    raise ValueError("extension types are not allowed")


def _check(values: Iterable[Any], left: int) -> None:
    """Refuse what msgpack lets through. `left`: how many more levels there may be, this included.

    Compares exact types, because it runs over every element of every message.
    """
    if left == 0:
        raise DecodeError(f"nested deeper than {MAX_UNPACK_DEPTH} levels")
    for value in values:
        kind = type(value)
        if kind is int:
            if not _MIN_INTEGER <= value <= MAX_INTEGER:
                raise DecodeError("an integer beyond 64 signed bits")
        elif kind is list:
            _check(value, left - 1)
        elif kind is dict:
            if any(type(key) is not str for key in value):
                raise DecodeError("a key that is no string")
            _check(value.values(), left - 1)
        elif kind is msgpack.Timestamp:
            raise DecodeError("extension types are not allowed")
