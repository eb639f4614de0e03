"""A set of files by number, one bit each: a million take 125 kB."""

from collections.abc import Iterator


class FileSet:
    """`bits`: as `to_bytes` gave them."""

    def __init__(self, bits: bytes = b"") -> None:
        self._bits = bytearray(bits)

    def __contains__(self, index: int) -> bool:
        byte = index >> 3
        return byte < len(self._bits) and bool(self._bits[byte] >> (index & 7) & 1)

    def __iter__(self) -> Iterator[int]:
        """In ascending order."""
        for first, bits in enumerate(self._bits):
            if bits:
                yield from (first * 8 + bit for bit in range(8) if bits >> bit & 1)

    def __bool__(self) -> bool:
        return any(self._bits)

    def to_bytes(self) -> bytes:
        """What another set is made of."""
        return bytes(self._bits)

    def add(self, index: int, count: int = 1) -> None:
        """The files from `index` on, so many."""
        end = index + count
        self._bits.extend(bytes(max(0, (end + 7 >> 3) - len(self._bits))))
        while index < end:
            if index & 7 == 0 and end - index >= 8:
                whole = end - index >> 3
                self._bits[index >> 3 : (index >> 3) + whole] = b"\xff" * whole
                index += whole * 8
            else:
                self._bits[index >> 3] |= 1 << (index & 7)
                index += 1

    def next_missing(self, index: int) -> int:
        """The first file from `index` on that is not in it."""
        while index in self:
            index += 1
        return index

    def ranges(self, start: int) -> Iterator[tuple[int, int]]:
        """(first, count) of files from `start` on that follow each other."""
        first, count = start, 0
        for index in self:
            if index < start:
                continue
            if count and index == first + count:
                count += 1
                continue
            if count:
                yield first, count
            first, count = index, 1
        if count:
            yield first, count
