"""Transfers that a peer speaks of and that are not in memory: the store is asked for them.

Control messages of the peer wait meanwhile, within limits; a dropped one is sent again on the next
link.
"""

from collections import Counter
from itertools import islice

from chatnet_protocol.wire.control import Accept, Control, Done, End, EndCode, TransferStatus

MAX_LOOKUPS = 128
"""Transfers of one peer that are asked for at a time: one that speaks of unknown ones without end
must not take the places of the others."""
MAX_WAITING_CONTROLS = 4
"""Newest messages kept of each."""
IDS_AT_A_TIME = 16
"""A stored transfer of many files may take hundreds of KiB."""


class Lookups:
    """What waits for an answer of the store."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, list[tuple[int, Control]]] = {}
        self._asked: set[bytes] = set()
        self._begun: Counter[int] = Counter()
        """How many of `_waiting` each peer was the first to speak of."""
        self._by: dict[bytes, int] = {}

    def wait(self, peer: int, control: Control) -> None:
        """`control` is about a transfer that is not in memory."""
        known = self._waiting.get(control.id)
        if known is None:
            if self._begun[peer] >= MAX_LOOKUPS:
                return
            self._begun[peer] += 1
            self._by[control.id] = peer
            known = self._waiting[control.id] = []
        known.append((peer, control))
        del known[:-MAX_WAITING_CONTROLS]

    @property
    def waits(self) -> bool:
        """Whether `take` gives any."""
        return bool(self._waiting) and not self._asked

    def take(self) -> list[bytes]:
        """Ids to load next, when the last ones have been answered."""
        if self._asked:
            return []
        ids = list(islice(self._waiting, IDS_AT_A_TIME))
        self._asked.update(ids)
        return ids

    def pop(self, transfer_id: bytes) -> list[tuple[int, Control]]:
        """The store has answered: what was waiting."""
        self._asked.discard(transfer_id)
        if peer := self._by.pop(transfer_id, 0):
            self._begun[peer] -= 1
            if not self._begun[peer]:
                del self._begun[peer]
        return self._waiting.pop(transfer_id, [])

    def forget(self, peer: int) -> None:
        """Drop what waits of this peer."""
        for waiting in self._waiting.values():
            waiting[:] = [waiting for waiting in waiting if waiting[0] != peer]


def answer_unknown(control: Control) -> Control | None:
    """What to say to a peer about a transfer of which there is no record."""
    if isinstance(control, Accept | TransferStatus):
        return End(control.id, EndCode.UNKNOWN)
    if isinstance(control, Done):
        return End(control.id, EndCode.ACKNOWLEDGED)
    if isinstance(control, End) and control.code not in (EndCode.UNKNOWN, EndCode.ACKNOWLEDGED):
        return End(control.id, EndCode.ACKNOWLEDGED)
    return None
