"""Hostile bytes from honest ones: flips, cuts, splices, repeats, numbers at the edge."""

from collections.abc import Sequence
from random import Random

MAX_BYTES = 4096
EDGES = (
    b"\x00", b"\xff", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\xff" * 8, b"\xcf" + b"\xff" * 8,
    b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\x91" * 40,
    b"\xc0", b"\xc1", b"\xd3\x80" + b"\x00" * 7, b"\xcb\x7f\xf8" + b"\x00" * 6, b"/../",
    b"\xc2\x85",
    "\u202e".encode(), b"\xed\xa0\x80",
)  # fmt: skip


def mutate(corpus: Sequence[bytes], random: Random) -> bytes:
    """One of the corpus, changed a little or much."""
    data = bytearray(random.choice(corpus)) if corpus else bytearray()
    for _ in range(random.choice((1, 1, 2, 4, 12))):
        _change(data, corpus, random)
    return bytes(data[:MAX_BYTES])


def _change(data: bytearray, corpus: Sequence[bytes], random: Random) -> None:
    at = random.randint(0, len(data))
    match random.randrange(8):
        case 0 if data:
            data[at % len(data)] ^= 1 << random.randrange(8)
        case 1 if data:
            data[at % len(data)] = random.randrange(256)
        case 2:
            del data[at : at + random.randint(1, 16)]
        case 3:
            data[at:at] = random.randbytes(random.randint(1, 16))
        case 4:
            data[at:at] = random.choice(EDGES)
        case 5 if corpus:
            other = random.choice(corpus)
            start = random.randint(0, len(other))
            data[at:] = other[start:]
        case 6:
            part = bytes(data[at : at + random.randint(1, 32)])
            data[at:at] = part * random.randint(1, 8)
        case _:
            edge = random.choice(EDGES)
            data[at : at + len(edge)] = edge
