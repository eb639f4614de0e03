"""What is done on the disk besides moving bytes: final names, and what is removed.

Comparing or removing a folder of a million files takes half a minute, and no other transfer waits
for it. Requests about one transfer are served in their order, one after the other.
"""

import collections
import contextlib
import logging
import queue
import threading
from collections.abc import Callable

from chatnet_engine.files import process_wire as pw
from chatnet_engine.io.file_folder import FolderError
from chatnet_engine.io.file_place import broken, discard, place

logger = logging.getLogger(__name__)

DISK_THREADS = 4
"""So many transfers at a time; a disk with more of them gets slower."""

DiskRequest = pw.Place | pw.Discard


class DiskWork:
    """`report` is called from its threads. `listings`: the folder of those of own offers."""

    def __init__(self, report: Callable[[pw.Report], None], listings: str) -> None:
        self._report = report
        self._listings = listings
        self._lock = threading.Lock()
        self._waiting: dict[bytes, collections.deque[DiskRequest]] = {}
        """By transfer; the first of each is being served, or will be by the next free thread."""
        self._ready: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._exchanging = threading.Lock()
        """Two updates of one folder must not both find it as it was."""
        for _ in range(DISK_THREADS):
            threading.Thread(target=self._serve, name="disk", daemon=True).start()

    def ask(self, request: DiskRequest) -> None:
        """Soon, and after what was asked about the same transfer before."""
        with self._lock:
            waiting = self._waiting.get(request.id)
            if waiting is not None:
                waiting.append(request)
                return
            self._waiting[request.id] = collections.deque([request])
        self._ready.put(request.id)

    def _serve(self) -> None:
        while True:
            transfer_id = self._ready.get()
            self._do(self._waiting[transfer_id][0])
            with self._lock:
                waiting = self._waiting[transfer_id]
                waiting.popleft()
                if not waiting:
                    del self._waiting[transfer_id]
            if waiting:
                self._ready.put(transfer_id)

    def _do(self, request: DiskRequest) -> None:
        try:
            with self._exchanging if request.exchange else contextlib.nullcontext():
                self._answer(request)
        except Exception:
            logger.exception("a request to the disk broke")
            if isinstance(request, pw.Place):
                self._report(broken(request))

    def _answer(self, request: DiskRequest) -> None:
        match request:
            case pw.Place():
                self._report(place(request))
            case pw.Discard():
                with contextlib.suppress(FolderError):
                    discard(request, self._listings)
