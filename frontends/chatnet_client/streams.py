"""Standard streams that were closed before this program started become the null device.

Called first of all: otherwise the next file or socket gets number 0, 1 or 2, and whatever is
printed goes into it. Python's own stream objects are None then.
"""

import os
import sys
from typing import TextIO

NAMES = ("stdin", "stdout", "stderr")


def open_standard_streams() -> None:
    """Make descriptors 0 to 2 and the three streams of `sys` usable, whatever they were before."""
    for number, name in enumerate(NAMES):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one: those below it are open by now.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, _stream(number))


def _stream(number: int) -> TextIO:
    return open(number, "w" if number else "r", encoding="utf-8", errors="replace", closefd=False)
