"""Real file processes moving real files over the loopback."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from file_pair import ID, Pair, RealSide


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    a, b = RealSide("a", tmp_path), RealSide("b", tmp_path)
    yield Pair(a, b)
    a.close()
    b.close()


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str, int], Path]:
    def write(name: str, size: int) -> Path:
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Random(size).randbytes(size))
        return path

    return write


@pytest.mark.parametrize("size", [0, 1, 65536, 3_000_001])
def test_a_file_arrives_whole_under_its_name(
    pair: Pair, make: Callable[[str, int], Path], size: int
) -> None:
    path = make("notes.bin", size)
    pair.link(True)
    pair.offer(path)
    pair.run_until(lambda: pair.both("done"))
    landed = Path(pair.b.row().path)
    assert landed == Path(pair.b.inbox) / "notes.bin"
    assert landed.read_bytes() == path.read_bytes()
    assert landed.stat().st_mode & 0o111 == 0
    assert pair.a.row().done_bytes == pair.b.row().done_bytes == size
    assert list((Path(pair.b.inbox) / ".chatnet-partial").iterdir()) == []
    states = [row.state for row in pair.b.history if row.id == ID]
    assert states[0] in ("offered", "waiting")
    assert states[-1] == "done"
