"""The file process: owns the TCP listener and every byte of every file.

A process of its own, so that no file ever delays a message. It decides nothing: it does what the
engine asks over the socket it was started with (`files.process_wire`), and ends with it. One loop
serves that socket and the listener; each connection has a thread; a few more wait for the disk.
"""

import argparse
import collections
import contextlib
import logging
import os
import selectors
import signal
import socket
import sys
import threading
import time
from functools import partial

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.space_wire import Survey, Surveyed
from chatnet_engine.io.file_bulk import BulkSockets
from chatnet_engine.io.file_connect import Listener, probe
from chatnet_engine.io.file_disk_work import DiskWork
from chatnet_engine.io.file_job import Job, JobRequest
from chatnet_engine.io.file_lists import list_files
from chatnet_engine.io.file_pace import PacedSockets, has_bbr
from chatnet_engine.io.file_space import DiskSurvey
from chatnet_engine.io.log import LineFormatter
from chatnet_protocol.errors import ErrorCode

logger = logging.getLogger(__name__)

LENGTH_BYTES = 4
READ_BYTES = 256 * 1024
MAX_UNSENT_BYTES = 8 * 1024 * 1024
"""Reports that the engine does not take; then it is beyond help, and so is this process."""
NICENESS = 5
"""Text goes first where cores are few."""
BROKEN = "An internal error; see the log."


class FileProcess:
    """The loop. `engine`: the socket to the engine; `listings`: folder of those of own offers."""

    def __init__(
        self, engine: socket.socket, bind: str, port: int, umask: int, listings: str
    ) -> None:
        self._engine = engine
        self._listings = listings
        self._umask = umask
        self._selector = selectors.DefaultSelector()
        self._unread = bytearray()
        self._unsent = bytearray()
        self._jobs: dict[int, Job] = {}
        self._paced = PacedSockets()
        self._bulk = BulkSockets(self._selector, self._send)
        self._reports: collections.deque[tuple[int, pw.Report]] = collections.deque()
        """Reports of other threads; (job or 0, report)."""
        self._wakeup_in, self._wakeup_out = socket.socketpair()
        for sock in (engine, self._wakeup_in, self._wakeup_out):
            sock.setblocking(False)
        self._selector.register(engine, selectors.EVENT_READ, self._read_engine)
        self._selector.register(self._wakeup_in, selectors.EVENT_READ, self._read_wakeup)
        self._survey: DiskSurvey | None = None
        """The newest one."""
        self._ended = False
        self._listener: Listener | None = None
        sentence = ""
        try:
            self._listener = Listener(self._selector, bind, port)
        except OSError as error:
            why = (error.strerror or "unknown error").lower()
            logger.warning("no TCP listener on port %d: %s", port, why)
            sentence = f"TCP port {port} cannot be used: {why}."
        listened = self._listener.port if self._listener else 0
        self._send(pw.Listening(listened, sentence, has_bbr()))
        self._disk = DiskWork(partial(self._report, 0), listings)

    def run(self) -> None:
        """Until the engine closes its end."""
        self._write_engine()
        while not self._ended:
            for key, events in self._selector.select(self._timeout_s()):
                if events & selectors.EVENT_READ or key.fileobj is not self._engine:
                    key.data()
            for stalled in self._paced.handle_timeout(time.monotonic()):
                self._reports.append((stalled.job, stalled))
            self._start_connected()
            self._expire()
            self._forward()
            self._write_engine()

    # --- the engine ---

    def _read_engine(self) -> None:
        try:
            data = self._engine.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ended = True
            return
        self._unread += data
        at = 0
        while len(self._unread) - at >= LENGTH_BYTES:
            body = at + LENGTH_BYTES
            end = body + int.from_bytes(self._unread[at:body], "big")
            if len(self._unread) < end:
                break
            self._handle(pw.decode_request(bytes(self._unread[body:end])))
            at = end
        del self._unread[:at]

    def _handle(self, request: pw.Request) -> None:
        if self._survey is not None and isinstance(request, pw.Prepare | pw.Receive | pw.Place):
            self._survey.spare(request.id)
        match request:
            case pw.Send() | pw.Receive() | pw.Prepare():
                self._start_job(request)
            case pw.Stop(job):
                if self._listener is not None:
                    self._listener.forget(job)
                if (stopped := self._jobs.pop(job, None)) is not None:
                    stopped.stop()
                self._bulk.forget(job)
            case pw.BulkIn() | pw.BulkGrant():
                self._bulk.handle(request)
            case pw.Limit(bytes_s):
                self._paced.set_limit(bytes_s)
            case pw.Probe():
                with contextlib.suppress(RuntimeError):  # the limit of threads
                    threading.Thread(target=self._probe, args=(request,), daemon=True).start()
            case pw.Scan():
                self._start_scan(request)
            case pw.Place() | pw.Discard():
                self._disk.ask(request)
            case Survey():
                self._start_survey(request)

    def _start_scan(self, request: pw.Scan) -> None:
        try:
            threading.Thread(target=self._scan, args=(request,), daemon=True).start()
        except RuntimeError:  # the limit of threads
            self._report(0, pw.Scanned(request.id, [], ErrorCode.INTERNAL.value, BROKEN))

    def _scan(self, request: pw.Scan) -> None:
        """In a thread of its own: a large folder takes a while."""
        report = partial(self._report, 0)
        try:
            report(list_files(request, self._listings, report))
        except Exception:
            logger.exception("listing files broke")
            report(pw.Scanned(request.id, [], ErrorCode.INTERNAL.value, BROKEN))

    def _start_survey(self, request: Survey) -> None:
        self._survey = survey = DiskSurvey(request)
        try:
            threading.Thread(target=self._look, args=(survey,), daemon=True).start()
        except RuntimeError:  # the limit of threads
            self._report(0, Surveyed(None))

    def _look(self, survey: DiskSurvey) -> None:
        """In a thread of its own: a large folder takes a while."""
        try:
            self._report(0, survey.run())
        except Exception:
            logger.exception("a survey of the disk broke")
            self._report(0, Surveyed(None))

    def _start_job(self, request: JobRequest) -> None:
        job = Job(request, self._report, self._umask, self._paced, self._listings)
        self._jobs[request.job] = job
        if isinstance(request, pw.Prepare):
            job.start(None)
        elif request.connect.bulk:
            job.start_on_link(self._bulk.open(request.job))
            self._send(pw.Expecting(request.job))
        elif request.connect.addrs:
            job.start(None)
        elif self._listener is not None:
            self._listener.expect(request.job, request.connect)
            self._send(pw.Expecting(request.job))
        else:
            self._report(request.job, pw.Ended(request.job, pw.Outcome.EXPIRED))

    def _probe(self, request: pw.Probe) -> None:
        if probe(request.addrs):
            self._report(request.job, pw.Reachable(request.job))

    def _send(self, report: pw.Report) -> None:
        frame = pw.encode(report)
        self._unsent += len(frame).to_bytes(LENGTH_BYTES, "big") + frame
        if len(self._unsent) > MAX_UNSENT_BYTES:
            raise RuntimeError("the engine does not read")

    def _write_engine(self) -> None:
        while self._unsent:
            try:
                sent = self._engine.send(self._unsent)
            except BlockingIOError:
                break
            except OSError:
                self._ended = True
                return
            del self._unsent[:sent]
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if self._selector.get_key(self._engine).events != events:
            self._selector.modify(self._engine, events, self._read_engine)

    # --- jobs ---

    def _start_connected(self) -> None:
        if self._listener is None:
            return
        for number, channel in self._listener.take_ready():
            job = self._jobs.get(number)
            if job is None:
                channel.close()
            else:
                job.start(channel)

    def _expire(self) -> None:
        if self._listener is not None:
            for number in self._listener.take_expired():
                self._reports.append((number, pw.Ended(number, pw.Outcome.EXPIRED)))

    def _timeout_s(self) -> float | None:
        dues = [self._listener.next_timeout() if self._listener else None]
        dues.append(self._paced.next_timeout())
        due_s = min((due for due in dues if due is not None), default=None)
        return None if due_s is None else max(0.0, due_s - time.monotonic())

    def _report(self, job: int, report: pw.Report) -> None:
        """From any thread."""
        self._reports.append((job, report))
        with contextlib.suppress(BlockingIOError):
            self._wakeup_out.send(b"\0")

    def _read_wakeup(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wakeup_in.recv(READ_BYTES)

    def _forward(self) -> None:
        while self._reports:
            job, report = self._reports.popleft()
            if job and job not in self._jobs:
                continue  # it was stopped: the engine does not want to hear of it
            if isinstance(report, pw.Ended | pw.Prepared):
                del self._jobs[job]
            self._send(report)


def main(argv: list[str]) -> int:
    """Started by the engine only; ends when the engine does."""
    parser = argparse.ArgumentParser(prog="chatnet-files")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bind", default="")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--umask", type=int, required=True, help="for received files")
    parser.add_argument("--listings", default="", help="folder for the lists of large offers")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(LineFormatter("%(levelname)s %(name)s: %(message)s"))
    # The terminal's Ctrl-C is for the engine, which ends this process in its own time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    os.nice(NICENESS)
    engine = socket.socket(fileno=args.fd)
    FileProcess(engine, args.bind, args.port, args.umask, args.listings).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
