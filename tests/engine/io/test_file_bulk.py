"""File bytes on the link, between real file processes that cannot reach each other by TCP."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from chatnet_protocol.limits import BULK_WINDOW_BYTES
from file_pair import PEER, Pair, RealSide

NOWHERE = "127.0.0.9"
SIZE = 3 * BULK_WINDOW_BYTES + 12_345


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair[RealSide]]:
    """Neither side reaches the other's listener."""
    a, b = RealSide("a", tmp_path), RealSide("b", tmp_path)
    pair = Pair(a, b)
    pair.run_until(lambda: bool(a.port and b.port))
    a.host = b.host = NOWHERE
    yield pair
    a.close()
    b.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(Random(1).randbytes(SIZE))
    return path


def arrived(tmp_path: Path) -> bytes:
    return (tmp_path / "b-inbox" / "source.bin").read_bytes()


def test_without_tcp_the_bytes_travel_on_the_link(
    pair: Pair[RealSide], source: Path, tmp_path: Path
) -> None:
    pair.link(True)
    pair.offer(source)
    pair.run_until(lambda: pair.both("done"))
    assert arrived(tmp_path) == source.read_bytes()
    assert pair.bulk_bytes > SIZE
    pair.move()
    assert not pair.a.transfers.bulk.waiting()
    assert not pair.a.transfers.bulk.full(PEER, receives=False)
