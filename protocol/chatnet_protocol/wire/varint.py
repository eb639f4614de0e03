"""Variable-length integers of RFC 9000 section 16: 1, 2, 4 or 8 bytes, below 2^62."""

from chatnet_protocol.errors import DecodeError, LocalProtocolError

MAX_VARINT = 2**62 - 1

_ONE_BYTE = tuple(bytes([value]) for value in range(64))


def varint(value: int) -> bytes:
    """Shortest form. Raises LocalProtocolError outside 0 … 2^62 − 1."""
    if 0 <= value < 0x40:
        return _ONE_BYTE[value]
    if 0 <= value < 0x4000:
        return (value | 0x4000).to_bytes(2, "big")
    if 0 <= value < 0x4000_0000:
        return (value | 0x8000_0000).to_bytes(4, "big")
    if 0 <= value <= MAX_VARINT:
        return (value | 0xC000_0000_0000_0000).to_bytes(8, "big")
    raise LocalProtocolError("integer does not fit a frame")


def varint_size(value: int) -> int:
    """Bytes that `varint(value)` takes."""
    if value < 0x40:
        return 1
    if value < 0x4000:
        return 2
    return 4 if value < 0x4000_0000 else 8


def read_varint(data: bytes, pos: int) -> tuple[int, int]:
    """The integer at `pos`, in any of its forms, and the position after it.

    Raises DecodeError when it is cut short, and IndexError when `pos` is the end of `data`.
    """
    first = data[pos]
    if first < 0x40:
        return first, pos + 1
    size = 1 << (first >> 6)
    end = pos + size
    if end > len(data):
        raise DecodeError("integer is cut short")
    return int.from_bytes(data[pos:end], "big") & ((1 << (8 * size - 2)) - 1), end


def read_varints(data: bytes, pos: int, count: int) -> tuple[list[int], int]:
    """`count` integers in a row from `pos` on, and the position after them.

    Raises DecodeError or IndexError, as `read_varint` does.
    """
    values = [0] * count
    for index in range(count):
        first = data[pos]
        if first < 0x40:
            values[index] = first
            pos += 1
        elif first < 0x80:
            values[index] = (first & 0x3F) << 8 | data[pos + 1]
            pos += 2
        elif first < 0xC0:
            high, middle, low = data[pos + 1], data[pos + 2], data[pos + 3]
            values[index] = (first & 0x3F) << 24 | high << 16 | middle << 8 | low
            pos += 4
        else:
            values[index], pos = read_varint(data, pos)
    return values, pos
