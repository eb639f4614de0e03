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
from checker.restored import check_restored
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
    restored: bool = False
    """After its last loss everybody was asked for what is missing, and has given it."""
    landed: dict[str, bytes] = field(default_factory=dict)
    """Received files by final name."""
    offered: dict[bytes, dict[str, bytes]] = field(default_factory=dict)
    """Files of each offer of this side, by message id."""
    replaced: set[bytes] = field(default_factory=set)
    """Keys of people whom its user declared to be one: what was whose cannot be told any more."""

    def parted_from(self, other: "Side") -> bool:
        """Whether either took the other from the list at some time."""
        return self.removed(other) or other.removed(self)

    def removed(self, other: "Side") -> bool:
        """Also when another row has the key since: what was written to the removed one tells."""
        nobodys = {m.id for h in self.histories for m in h.messages if m.mine and not m.with_key}
        return any(other.key in h.parted for h in self.histories) or any(
            m.id in nobodys for h in other.histories for m in h.got(self.key)
        )

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
            if other is not side and not ({side.key, other.key} & (side.replaced | other.replaced)):
                said = [*check_exchange(side, other, at_rest=at_rest), *check_restored(side, other)]
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
        for peer in {message.peer for message in history.messages}:
            own = [message for message in history.own_in(peer) if not message.came_back]
            if [message.seq for message in own] != list(range(1, len(own) + 1)):
                yield "own messages are not numbered 1, 2, 3, …"
        # Peers that have no key any more (another took it) are different people, or may be.
        for key, peer in {(m.with_key, 0 if m.with_key else m.peer) for m in history.messages}:
            got = [m for m in history.got(key) if peer in (0, m.peer)]
            acks = [message.ack for message in got if not message.came_back]
            if any(later <= earlier for earlier, later in pairwise(acks)):
                yield "ACK numbers given do not rise"
        for conversation in history.conversations.values():
            yield from _marks(history, conversation.peer, conversation.marks)


def _marks(history: History, peer: int, marks: dict[str, int]) -> Iterator[str]:
    own = [message for message in history.own_in(peer) if not message.came_back]
    if not marks["delivered_seq"] <= marks["sent_seq"] <= len(own):
        yield f"delivered {marks['delivered_seq']}, sent {marks['sent_seq']} of {len(own)}"
    if marks["my_read"] > marks["my_shown"]:
        yield "more is read than was shown"
    waiting = [m.seq for m in own if not m.settled]
    if waiting and marks["delivered_seq"] >= waiting[0]:
        yield f"message {waiting[0]} counts as delivered and is not"


ENDED = ("done", "rejected", "cancelled", "failed")


def _files(sender: Side, receiver: Side) -> Iterator[str]:
    """Every transfer has ended, and both sides say in the same way.

    Where a history was lost, one side may have no record at all, or one that came back with the
    conversation and cannot tell how it ended.
    """
    sent = {i: t for i, t in sender.now.transfers.items() if t.mine and t.with_key == receiver.key}
    got = {
        i: t for i, t in receiver.now.transfers.items() if not t.mine and t.with_key == sender.key
    }
    offers = {m.id for m in sender.now.own(receiver.key) if m.kind == OFFER and not m.failed}
    parted = sender.parted_from(receiver)
    forgetful = sender.lost_memory or receiver.lost_memory
    for transfer_id in sent.keys() | got.keys() | offers:
        states = [
            t.state
            for t in (sent.get(transfer_id), got.get(transfer_id))
            if t and t.by != "restored"
        ]
        told = f"a transfer is {' here and '.join(states) or 'unknown'} there"
        if any(state not in ENDED for state in states) or (len(set(states)) > 1 and not parted):
            yield told
        elif not (forgetful or parted):
            if len(states) < 2:
                yield told
            elif states[0] == "failed":
                yield "a transfer failed by itself"
        if states == ["done", "done"]:
            for name, data in sender.offered.get(transfer_id, {}).items():
                if data not in receiver.landed.values():
                    yield f"{name} is done and did not land as it was"
