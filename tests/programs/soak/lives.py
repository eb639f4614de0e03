"""Judges the texts of front ends that were killed, and runs that were interrupted. Pure."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from soak.typist import Life


def due(lives: Sequence[Life], durable: set[str]) -> set[str]:
    """What has to be in every history.

    Of a life that was cut, the last texts may have been lost before the front end read them;
    those before one that is `durable` were not.
    """
    texts: set[str] = set()
    for life in lives:
        count = len(life.texts)
        while count and not life.clean and life.texts[count - 1] not in durable:
            count -= 1
        texts.update(life.texts[:count])
    return texts


def problems(lives: Sequence[Life], durable: set[str], got: Sequence[str]) -> Iterator[str]:
    """What is wrong with `got`, the texts of these lives in one history."""
    known = {text for life in lives for text in life.texts}
    lost = sorted(due(lives, durable) - set(got))
    if lost:
        yield f"lost {len(lost)}: {lost[:5]}"
    if len(got) != len(set(got)):
        yield f"{len(got) - len(set(got))} twice"
    if set(got) - known:
        yield f"nobody wrote {sorted(set(got) - known)[:5]}"
    for life in lives:
        own = set(life.texts)
        order = [text for text in got if text in own]
        if order != sorted(order):
            first = next(b for a, b in pairwise(order) if b < a)
            yield f"out of order: {first}"
