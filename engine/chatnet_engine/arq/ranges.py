"""A set of integers kept as sorted, disjoint, non-touching ranges.

Used for packet numbers received, bytes of a message and numbers receipted. Adding at the top, the
common case, is O(1); anywhere else a binary search and one list insertion.
"""

from bisect import bisect_left


class RangeSet:
    """Inclusive ranges in ascending order, in two parallel lists."""

    __slots__ = ("highs", "lows")

    def __init__(self) -> None:
        self.lows: list[int] = []
        self.highs: list[int] = []

    def __len__(self) -> int:
        """Number of ranges."""
        return len(self.lows)

    def __contains__(self, value: int) -> bool:
        index = bisect_left(self.highs, value)
        return index < len(self.highs) and self.lows[index] <= value

    def add(self, low: int, high: int) -> None:
        """Include low … high, both inclusive."""
        lows, highs = self.lows, self.highs
        if highs and low == highs[-1] + 1:
            highs[-1] = high
            return
        if not highs or low > highs[-1]:
            lows.append(low)
            highs.append(high)
            return
        if low >= lows[-1]:
            highs[-1] = max(highs[-1], high)
            return
        first = bisect_left(highs, low - 1)
        last = first
        while last < len(lows) and lows[last] <= high + 1:
            last += 1
        if first < last:
            low = min(low, lows[first])
            high = max(high, highs[last - 1])
        lows[first:last] = [low]
        highs[first:last] = [high]

    def missing(self, low: int, high: int) -> list[tuple[int, int]]:
        """The parts of low … high that are not in the set, ascending."""
        gaps: list[tuple[int, int]] = []
        index = bisect_left(self.highs, low)
        while low <= high:
            if index == len(self.lows) or self.lows[index] > high:
                gaps.append((low, high))
                break
            if self.lows[index] > low:
                gaps.append((low, self.lows[index] - 1))
            low = self.highs[index] + 1
            index += 1
        return gaps

    def drop_below(self, value: int) -> None:
        """Forget every number below `value`."""
        index = bisect_left(self.highs, value)
        del self.lows[:index]
        del self.highs[:index]
        if self.lows and self.lows[0] < value:
            self.lows[0] = value

    def keep_highest(self, count: int) -> None:
        """Forget the lowest ranges beyond `count`."""
        surplus = len(self.lows) - count
        if surplus > 0:
            del self.lows[:surplus]
            del self.highs[:surplus]

    def highest_first(self, count: int) -> list[tuple[int, int]]:
        """Up to `count` ranges as (low, high), from the top down."""
        return list(zip(self.lows[: -count - 1 : -1], self.highs[: -count - 1 : -1], strict=True))
