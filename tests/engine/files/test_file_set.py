"""Sets of files by number, against Python's own."""

from hypothesis import given
from hypothesis import strategies as st

from chatnet_engine.files.file_set import FileSet

added = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 40)), max_size=6)


@given(added, st.integers(0, 110))
def test_it_is_a_set(ranges: list[tuple[int, int]], start: int) -> None:
    files = FileSet()
    expected: set[int] = set()
    for first, count in ranges:
        files.add(first, count)
        expected |= set(range(first, first + count))
    assert list(files) == sorted(expected)
    assert [index for index in range(120) if index in files] == sorted(expected)
    assert bool(files) == bool(expected)
    assert list(FileSet(files.to_bytes())) == sorted(expected)
    assert files.next_missing(start) == min(set(range(start, 121)) - expected)
    found = list(files.ranges(start))
    every = [index for first, count in found for index in range(first, first + count)]
    assert every == [index for index in sorted(expected) if index >= start]
    ends = [first + count for first, count in found[:-1]]
    assert all(end < later for end, (later, _) in zip(ends, found[1:], strict=True))


def test_a_million_take_little() -> None:
    files = FileSet()
    files.add(1, 1_000_000)
    assert len(files.to_bytes()) == 125_001
    assert next(files.ranges(0)) == (1, 1_000_000)
