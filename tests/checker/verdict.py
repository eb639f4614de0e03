"""Decides from evidence alone whether the promises held: exactly once, in order, honestly told.

Evidence is what is left when everything is over: the histories (one at the end, and one from right
before each loss of a history), the frames of every front end, the files that landed. A promise
that broke is one sentence; no sentence means that all of them held.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from checker.exchange import check_exchange
from checker.histories import OFFER, History
from checker.tapes import Tape
from checker.told import check_told


@dataclass(slots=True)
class Side:
    """One person's evidence. `histories[g]` is where generation g ended; the last one is now."""

    name: str
    key: bytes
    histories: list[History]
    tapes: list[Tape] = field(default_factory=list)
    rolled_back: bool = False
    """Some loss brought an older history back, rather than an empty one."""
    landed: dict[str, bytes] = field(default_factory=dict)
    """Received files by final name."""
    offered: dict[bytes, dict[str, bytes]] = field(default_factory=dict)
    """Files of each offer of this side, by message id."""

    @property
    def now(self) -> History:
        """The history at the end."""
        return self.histories[-1]

    @property
    def lost_memory(self) -> bool:
        """Whether a history was wiped or rolled back."""
        return len(self.histories) > 1


def check(sides: list[Side], *, at_rest: bool = True) -> list[str]:
    """What broke, one sentence each. `at_rest`: everything has had the time to arrive."""
    out = []
    for side in sides:
        out += [f"{side.name}: {text}" for text in _alone(side)]
        out += [f"{side.name}: {text}" for text in check_told(side)]
        for other in sides:
            if other is not side:
                said = check_exchange(side, other, at_rest=at_rest)
                out += [f"{side.name} → {other.name}: {text}" for text in said]
                if at_rest:
                    out += [f"{side.name} → {other.name}: {t}" for t in _files(side, other)]
    return out


def _alone(side: Side) -> Iterator[str]:
    for history in side.histories:
        if history.damage:
            yield f"the database is damaged: {history.damage}"
        numbers = [message.no for message in history.messages]
        if numbers != list(range(1, history.last_no + 1)):
            yield "message numbers are not 1, 2, 3, …"
        ids = [(message.id, message.mine, message.with_key) for message in history.messages]
        if len(set(ids)) != len(ids):
            yield "an id is in the history twice"
        keys = {message.with_key for message in history.messages}
        for key in keys:
            own = history.own(key)
            if [message.seq for message in own] != list(range(1, len(own) + 1)):
                yield "own messages are not numbered 1, 2, 3, …"
            acks = [message.ack for message in history.got(key)]
            if any(later <= earlier for earlier, later in pairwise(acks)):
                yield "ACK numbers given do not rise"
        for conversation in history.conversations.values():
            yield from _marks(history, conversation.key, conversation.marks)


def _marks(history: History, key: bytes, marks: dict[str, int]) -> Iterator[str]:
    own = history.own(key)
    if not marks["delivered_seq"] <= marks["sent_seq"] <= len(own):
        yield f"delivered {marks['delivered_seq']}, sent {marks['sent_seq']} of {len(own)}"
    if marks["my_read"] > marks["my_shown"]:
        yield "more is read than was shown"
    waiting = [m.seq for m in own if not m.settled]
    if waiting and marks["delivered_seq"] >= waiting[0]:
        yield f"message {waiting[0]} counts as delivered and is not"


def _files(side: Side, other: Side) -> Iterator[str]:
    """Whoever has lost a history may have lost its transfers with it."""
    if side.lost_memory or other.lost_memory:
        return
    offers = {m.id for m in side.now.own(other.key) if m.kind == OFFER and not m.failed}
    for transfer_id in offers:
        mine = side.now.transfers.get(transfer_id, (True, "missing", 0))[1]
        theirs = other.now.transfers.get(transfer_id, (False, "missing", 0))[1]
        if (mine, theirs) == ("cancelled", "done"):
            continue  # cancelled when it had just been done
        if mine != theirs or mine not in ("done", "rejected", "cancelled", "failed"):
            yield f"a transfer is {mine} here and {theirs} there"
        elif mine == "done":
            for name, data in side.offered.get(transfer_id, {}).items():
                if data not in other.landed.values():
                    yield f"{name} is done and did not land as it was"
        elif mine == "failed":
            yield "a transfer failed by itself"
