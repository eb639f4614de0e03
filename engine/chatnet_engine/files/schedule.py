"""Owns when each transfer is due, and which ones have a job of the file process.

What an input costs does not depend on how many transfers there are: a peer may have hundreds of
open offers, and every message about one of them comes through here.
"""

from chatnet_engine.deadlines import Deadlines, earliest
from chatnet_engine.files.receiving import Receiving
from chatnet_engine.files.transfer import Transfer
from chatnet_protocol.limits import MAX_ACTIVE_TRANSFERS

MAX_RECEIVING_JOBS = 8
MAX_SENDING_JOBS = 16
"""Transfers of one peer that have a job at a time; its next ones wait for a free place. By peer,
because one that offers files and never connects must not take the places of the others."""


class Schedule:
    """The jobs and deadlines of all transfers."""

    def __init__(self) -> None:
        self._jobs: dict[int, Transfer] = {}
        self._job_of: dict[bytes, int] = {}
        self._deadlines: Deadlines[bytes] = Deadlines()
        self._waiting: dict[bytes, Transfer] = {}
        """Those with a deadline."""

    def note(self, transfer: Transfer, look_s: float | None = None) -> None:
        """An input was handled: its job and its deadline may be others now. `look_s`: when it is
        to be looked at in any case."""
        self._jobs.pop(self._job_of.pop(transfer.id, 0), None)
        if transfer.job:
            self._jobs[transfer.job] = transfer
            self._job_of[transfer.id] = transfer.job
        due_s = earliest((transfer.retry_at, look_s))
        self._deadlines.put(transfer.id, due_s)
        if due_s is None:
            self._waiting.pop(transfer.id, None)
        else:
            self._waiting[transfer.id] = transfer

    def forget(self, transfer_id: bytes) -> None:
        """It is not in memory any more."""
        self._jobs.pop(self._job_of.pop(transfer_id, 0), None)
        self._deadlines.put(transfer_id, None)
        self._waiting.pop(transfer_id, None)

    def by_job(self, job: int) -> Transfer | None:
        """The transfer that this job is for."""
        return self._jobs.get(job)

    def working(self) -> list[Transfer]:
        """Transfers that have a job."""
        return list(self._jobs.values())

    def may_start(self, transfer: Transfer) -> bool:
        """Whether one more job may start in its direction, of its peer and of all.

        A receiver's job waits for a sender's at the other side: it never takes that one's place.
        """
        kind, peer = type(transfer), transfer.peer
        of_all = of_peer = 0
        for one in self._jobs.values():
            if type(one) is kind and one is not transfer:
                of_all += 1
                of_peer += one.peer == peer
        limit = MAX_RECEIVING_JOBS if isinstance(transfer, Receiving) else MAX_SENDING_JOBS
        return of_peer < limit and of_all < MAX_ACTIVE_TRANSFERS

    def job_of(self, transfer_id: bytes) -> int:
        """Its job as it was noted last; 0: none."""
        return self._job_of.get(transfer_id, 0)

    @property
    def waiting(self) -> int:
        """How many have a deadline."""
        return len(self._deadlines)

    def first_due(self, now: float) -> Transfer | None:
        """The next transfer whose time has come; `begin` it, or it stays the next."""
        due = self._deadlines.first_due(now)
        return None if due is None else self._waiting[due]

    def begin(self, transfer: Transfer) -> None:
        """What is due of it is done now; it is to be noted again."""
        self._deadlines.put(transfer.id, None)
        self._waiting.pop(transfer.id, None)

    def next_timeout(self) -> float | None:
        """When the next transfer is due."""
        return self._deadlines.next_timeout()
