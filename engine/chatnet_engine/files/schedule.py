"""Owns when each transfer is due, and which ones have a job of the file process.

What an input costs does not depend on how many transfers there are: a peer may have hundreds of
open offers, and every message about one of them comes through here.
"""

from heapq import heapify, heappop, heappush

from chatnet_engine.files.receiving import Receiving
from chatnet_engine.files.transfer import Transfer
from chatnet_protocol.limits import MAX_ACTIVE_TRANSFERS

MAX_RECEIVING_JOBS = 8
MAX_SENDING_JOBS = 16
"""Transfers of one peer that have a job at a time; its next ones wait for a free place. By peer,
because one that offers files and never connects must not take the places of the others."""
STALE_DUES = 64
"""Superseded entries that the heap may hold besides as many as there are valid ones."""


class Schedule:
    """The jobs and deadlines of all transfers."""

    def __init__(self) -> None:
        self._jobs: dict[int, Transfer] = {}
        self._job_of: dict[bytes, int] = {}
        self._dues: dict[bytes, tuple[float, Transfer]] = {}
        self._heap: list[tuple[float, bytes]] = []

    def note(self, transfer: Transfer) -> None:
        """An input was handled: its job and its deadline may be others now."""
        self._jobs.pop(self._job_of.pop(transfer.id, 0), None)
        if transfer.job:
            self._jobs[transfer.job] = transfer
            self._job_of[transfer.id] = transfer.job
        due_s = transfer.retry_at
        if due_s is None:
            self._dues.pop(transfer.id, None)
            return
        former = self._dues.get(transfer.id)
        if former is None or former[0] != due_s:
            self._dues[transfer.id] = (due_s, transfer)
            heappush(self._heap, (due_s, transfer.id))
            if len(self._heap) > 2 * len(self._dues) + STALE_DUES:
                self._heap = [(due[0], transfer_id) for transfer_id, due in self._dues.items()]
                heapify(self._heap)

    def forget(self, transfer_id: bytes) -> None:
        """It is not in memory any more."""
        self._jobs.pop(self._job_of.pop(transfer_id, 0), None)
        self._dues.pop(transfer_id, None)

    def by_job(self, job: int) -> Transfer | None:
        """The transfer that this job is for."""
        return self._jobs.get(job)

    def working(self) -> list[Transfer]:
        """Transfers that have a job."""
        return list(self._jobs.values())

    def may_start(self, transfer: Transfer) -> bool:
        """Whether there is room for one more job, of its peer and of all."""
        others = [one for one in self._jobs.values() if one is not transfer]
        of_peer = sum(one.peer == transfer.peer and type(one) is type(transfer) for one in others)
        limit = MAX_RECEIVING_JOBS if isinstance(transfer, Receiving) else MAX_SENDING_JOBS
        return of_peer < limit and len(others) < MAX_ACTIVE_TRANSFERS

    def job_of(self, transfer_id: bytes) -> int:
        """Its job as it was noted last; 0: none."""
        return self._job_of.get(transfer_id, 0)

    @property
    def waiting(self) -> int:
        """How many have a deadline."""
        return len(self._dues)

    def first_due(self, now: float) -> Transfer | None:
        """The next transfer whose time has come; `begin` it, or it stays the next."""
        due_s = self.next_timeout()
        return self._dues[self._heap[0][1]][1] if due_s is not None and due_s <= now else None

    def begin(self, transfer: Transfer) -> None:
        """What is due of it is done now; it is to be noted again."""
        self._dues.pop(transfer.id, None)

    def next_timeout(self) -> float | None:
        """When the next transfer is due."""
        heap = self._heap
        while heap:
            due = self._dues.get(heap[0][1])
            if due is not None and due[0] == heap[0][0]:
                return heap[0][0]
            heappop(heap)
        return None
