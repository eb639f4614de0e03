"""Where the time of messages went, from the notes of two recorded engines.

A message goes from a front end through the sender's engine and the receiver's to another front end:
`Path` knows when each stage ended, `report` compares all messages with the slow ones.
"""

import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.measure import percentile

STAGES = (
    "to the sender", "its store", "leaves", "read", "handled", "waits for the store", "stored",
    "published", "shown",
)  # fmt: skip
SLOW = 0.95
"""Slow is what took longer than this part of the messages."""


@dataclass(frozen=True)
class Timed:
    """One message, in monotonic seconds."""

    text: str
    begin_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        """From the command to the event."""
        return self.end_s - self.begin_s


class Notes:
    """What one engine noted."""

    def __init__(self, path: Path) -> None:
        self._notes: dict[str, list[list[Any]]] = {}
        for line in path.read_text().splitlines():
            name, *facts = json.loads(line)
            self._notes.setdefault(name, []).append(facts)
        self._begins = {name: [each[0] for each in notes] for name, notes in self._notes.items()}
        self.commits = {text: facts for facts in self._notes.get("commit", []) for text in facts[3]}
        """By the text of each message in it."""

    def after(
        self, name: str, begin_s: float, holds: Callable[[list[Any]], bool] = lambda facts: True
    ) -> list[Any]:
        """The first one that began at that time or later. Raises StopIteration if there is none."""
        notes = self._notes.get(name, [])
        start = bisect_left(self._begins.get(name, []), begin_s)
        return next(facts for facts in notes[start:] if holds(facts))

    def longest_collection_s(self, begin_s: float, end_s: float) -> float:
        """The longest pause for garbage between these times."""
        notes = self._notes.get("collection", [])
        return max((end - begin for begin, end, _ in notes if begin_s < begin < end_s), default=0)


def stages_of(message: Timed, sender: Notes, sender_port: int, receiver: Notes) -> list[float]:
    """Seconds of each of STAGES. Raises StopIteration, KeyError where notes are missing."""
    request = sender.after("request", message.begin_s)
    queued = sender.commits[message.text]
    answered = sender.after("committed", queued[1], lambda facts: facts[2] == queued[2])
    sent = sender.after("sent", answered[0])
    read = receiver.after("read", sent[0] - 0.001, lambda facts: sender_port in facts[2])
    handled = receiver.after("handled", read[1], lambda facts: sender_port in facts[2])
    stored = receiver.commits[message.text]
    committed = receiver.after("committed", stored[1], lambda facts: facts[2] == stored[2])
    published = receiver.after("published", committed[0])
    times = (
        message.begin_s, request[0], answered[0], sent[0], read[1], handled[1], stored[0],
        stored[1], published[0], message.end_s,
    )  # fmt: skip
    return [after - before for before, after in pairwise(times)]


def report(
    name: str, messages: Sequence[Timed], sender: Notes, sender_port: int, receiver: Notes
) -> Iterator[str]:
    """Means of each stage: of all messages, and of the slow ones."""
    slow_s = percentile([each.seconds for each in messages], SLOW)
    rows: list[tuple[bool, list[float]]] = []
    for message in messages:
        try:
            stages = stages_of(message, sender, sender_port, receiver)
        except (StopIteration, KeyError):
            continue
        rows.append((message.seconds > slow_s, stages))
    for kind, some in (("all", rows), ("slow", [row for row in rows if row[0]])):
        if not some:
            continue
        means = [
            sum(stages) / len(some) * 1e3 for stages in zip(*(row[1] for row in some), strict=True)
        ]
        parts = ", ".join(f"{stage} {mean:.1f}" for stage, mean in zip(STAGES, means, strict=True))
        yield f"  {name}, mean of {kind} {len(some)}: {sum(means):.1f} ms: {parts}"
    times = messages[0].begin_s, messages[-1].end_s
    pauses = [notes.longest_collection_s(*times) * 1e3 for notes in (sender, receiver)]
    yield f"  {name}, longest collections of garbage: {pauses[0]:.1f} and {pauses[1]:.1f} ms"
