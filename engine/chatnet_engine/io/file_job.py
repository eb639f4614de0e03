"""One connection's work, or what prepares it: a thread once there is something to do."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from functools import partial

from chatnet_engine.files import process_wire as pw
from chatnet_engine.io.file_channel import FileChannel
from chatnet_engine.io.file_connect import Unreachable, answer, dial, introduce
from chatnet_engine.io.file_pace import PacedSockets
from chatnet_engine.io.file_receive import ReceiveJob
from chatnet_engine.io.file_send import SendJob
from chatnet_engine.io.file_update import PrepareJob
from chatnet_engine.secure.noise import NoiseError

logger = logging.getLogger(__name__)

JobRequest = pw.Send | pw.Receive | pw.Prepare


class Job:
    """One connection's work; a thread once there is something to do."""

    def __init__(
        self,
        request: JobRequest,
        report: Callable[[int, pw.Report], None],
        umask: int,
        paced: PacedSockets,
        listings: str,
    ) -> None:
        self.request = request
        self._report = report
        self._umask = umask
        self._paced = paced
        self._listings = listings
        self._channel: FileChannel | None = None
        self._stream: socket.socket | None = None
        self._dialling: socket.socket | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def start(self, channel: FileChannel | None) -> None:
        """With a channel that the listener made, or dial first."""
        self._channel = channel
        name = f"file-job-{self.request.job}"
        try:
            threading.Thread(target=self._run, name=name, daemon=True).start()
        except RuntimeError:  # no room for one more thread
            logger.warning("no thread for file job %d", self.request.job)
            if channel is not None:
                channel.close()
            self._report(self.request.job, pw.Ended(self.request.job, pw.Outcome.LOST))

    def start_on_link(self, sock: socket.socket) -> None:
        """With a socket behind which is a bulk stream: the sender begins."""
        self._stream = sock
        self.start(None)

    def stop(self) -> None:
        """End soon, and silently."""
        with self._lock:
            self._stopped = True
            if self._channel is not None:
                self._channel.interrupt()
            elif self._dialling is not None:
                with contextlib.suppress(OSError):
                    self._dialling.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        number = self.request.job
        ended: pw.Ended | pw.Prepared
        try:
            ended = self._work()
        except Exception:
            logger.exception("file job %d broke", number)
            ended = pw.Ended(number, pw.Outcome.LOST)
        self._report(number, ended)

    def _work(self) -> pw.Ended | pw.Prepared:
        number = self.request.job
        if isinstance(self.request, pw.Prepare):
            prepare = self.request, self._umask, lambda: self._stopped, self._listings
            return PrepareJob(*prepare, partial(self._report, number)).run()
        channel = self._channel
        try:
            if channel is None:
                channel = self._dial() if self._stream is None else self._begin(self._stream)
        except Unreachable:
            outcome = pw.Outcome.UNREACHABLE if self._stream is None else pw.Outcome.LOST
            return pw.Ended(number, outcome)
        if isinstance(self.request, pw.Send) and self._stream is None:
            self._paced.add(number, channel.sock, time.monotonic())
        self._paced.limit(channel)
        self._report(number, pw.Connected(number))
        report = partial(self._report, number)
        try:
            if isinstance(self.request, pw.Send):
                return SendJob(self.request, channel, report, self._listings).run()
            return ReceiveJob(self.request, channel, report, self._umask, self._listings).run()
        finally:
            self._paced.remove(number)
            with self._lock:
                self._channel = None
                channel.close()

    def _dial(self) -> FileChannel:
        assert not isinstance(self.request, pw.Prepare)
        return self._adopt(dial(self.request.connect, self._keep))

    def _begin(self, stream: socket.socket) -> FileChannel:
        assert not isinstance(self.request, pw.Prepare)
        connect = self.request.connect
        stream.settimeout(connect.valid_s)
        try:
            if not self._keep(stream):
                raise OSError("stopped")
            is_sender = isinstance(self.request, pw.Send)
            channel = (introduce if is_sender else answer)(stream, connect)
        except (OSError, NoiseError) as error:
            logger.info("a bulk stream did not begin: %s", error)
            stream.close()
            raise Unreachable from None
        return self._adopt(channel)

    def _adopt(self, channel: FileChannel) -> FileChannel:
        with self._lock:
            self._dialling = None
            if self._stopped:
                channel.close()
                raise Unreachable
            self._channel = channel
        return channel

    def _keep(self, sock: socket.socket) -> bool:
        with self._lock:
            self._dialling = sock
            return not self._stopped
