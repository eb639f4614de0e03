"""msgpack bytes ↔ typed structs, with limits. The only place that packs or unpacks msgpack.

`msgpack` does the bytes, `msgspec` checks the types. Unknown trailing fields and map keys are
ignored, wrong types are refused, and whatever is wrong comes out as DecodeError.
"""

from typing import Any, TypeVar

import msgpack
import msgspec

from chatnet_protocol.errors import DecodeError
from chatnet_protocol.limits import MAX_UNPACK_DEPTH

T = TypeVar("T")


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
    deeper than MAX_UNPACK_DEPTH, or holds extension types, non-string keys or invalid UTF-8.
    """
    if len(data) > max_bytes:
        raise DecodeError(f"{len(data)} bytes where at most {max_bytes} are allowed")
    try:
        value = msgpack.unpackb(data, raw=False, strict_map_key=True, ext_hook=_refuse_extension)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise DecodeError(f"not a msgpack document ({type(error).__name__})") from None
    _check_depth(value, MAX_UNPACK_DEPTH)
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


def _check_depth(value: object, left: int) -> None:
    if isinstance(value, list | dict):
        if left == 0:
            raise DecodeError(f"nested deeper than {MAX_UNPACK_DEPTH} levels")
        for item in value.values() if isinstance(value, dict) else value:
            if isinstance(item, list | dict):
                _check_depth(item, left - 1)
