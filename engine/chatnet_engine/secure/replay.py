"""Sliding window over received packet numbers (RFC 6479: a ring of 64-bit blocks).

Owns which numbers of one session slot have been seen. Check before decryption, mark after it.
"""

from typing import Final

_BLOCK_BITS: Final = 64
_BLOCKS: Final = 64
REPLAY_WINDOW: Final = 2048
"""Numbers this far below the highest are still taken once; the ring holds twice as many."""


class ReplayWindow:
    """Which packet numbers may still be accepted."""

    __slots__ = ("_blocks", "highest")

    def __init__(self) -> None:
        self._blocks = [0] * _BLOCKS
        self.highest = -1
        """The highest number marked, -1 before the first; only mark changes it."""

    def is_fresh(self, number: int) -> bool:
        """Whether `number` is not below the window and was not marked."""
        if number > self.highest:
            return True
        if number <= self.highest - REPLAY_WINDOW:
            return False
        return not self._blocks[(number >> 6) & (_BLOCKS - 1)] >> (number & 63) & 1

    def mark(self, number: int) -> None:
        """Record `number`, which is_fresh and was authentic."""
        block = number >> 6
        blocks = self._blocks
        if number > self.highest:
            ahead = block - (self.highest >> 6)
            if ahead:
                for i in range(block - min(ahead, _BLOCKS) + 1, block + 1):
                    blocks[i & (_BLOCKS - 1)] = 0
            self.highest = number
        blocks[block & (_BLOCKS - 1)] |= 1 << (number & (_BLOCK_BITS - 1))
