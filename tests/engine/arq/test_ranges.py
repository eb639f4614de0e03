"""RangeSet against a plain set of integers."""

from hypothesis import given
from hypothesis import strategies as st

from chatnet_engine.arq.ranges import RangeSet

spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=30)


def filled(pairs: list[tuple[int, int]]) -> tuple[RangeSet, set[int]]:
    ranges, model = RangeSet(), set[int]()
    for low, length in pairs:
        ranges.add(low, low + length)
        model.update(range(low, low + length + 1))
    return ranges, model


def members(ranges: RangeSet) -> set[int]:
    return {
        n for low, high in zip(ranges.lows, ranges.highs, strict=True) for n in range(low, high + 1)
    }


@given(pairs=spans)
def test_holds_what_was_added_in_disjoint_sorted_ranges(pairs: list[tuple[int, int]]) -> None:
    ranges, model = filled(pairs)
    assert members(ranges) == model
    assert [n in ranges for n in range(80)] == [n in model for n in range(80)]
    assert all(high + 1 < low for high, low in zip(ranges.highs, ranges.lows[1:], strict=False))
    assert all(low <= high for low, high in zip(ranges.lows, ranges.highs, strict=True))


@given(pairs=spans, low=st.integers(0, 80), length=st.integers(0, 40))
def test_missing_is_what_is_not_held(pairs: list[tuple[int, int]], low: int, length: int) -> None:
    ranges, model = filled(pairs)
    gaps = ranges.missing(low, low + length)
    missing = [n for first, last in gaps for n in range(first, last + 1)]
    assert missing == [n for n in range(low, low + length + 1) if n not in model]


@given(pairs=spans, floor=st.integers(0, 80))
def test_drop_below_forgets_the_rest_not_at_all(pairs: list[tuple[int, int]], floor: int) -> None:
    ranges, model = filled(pairs)
    ranges.drop_below(floor)
    assert members(ranges) == {n for n in model if n >= floor}


@given(pairs=spans, count=st.integers(1, 10))
def test_the_highest_are_kept_and_told_first(pairs: list[tuple[int, int]], count: int) -> None:
    ranges, _ = filled(pairs)
    everything = list(zip(ranges.lows, ranges.highs, strict=True))
    assert ranges.highest_first(count) == everything[::-1][:count]
    ranges.keep_highest(count)
    assert list(zip(ranges.lows, ranges.highs, strict=True)) == everything[-count:]
    assert len(ranges) == min(count, len(everything))
