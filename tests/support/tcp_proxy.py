"""A TCP proxy on the loopback that cuts, changes or holds what the dialler sends."""

import contextlib
import socket
import threading


class Proxy:
    """Listens on `host` with the target's port, so that only the host differs.

    `cuts[n]`: the n-th connection ends after so many bytes from the dialler, both ways at once.
    `flips[n]`: one bit of that byte is changed. `hold_after`: nothing after so many bytes passes
    until `release` is set. Connections beyond the lists pass untouched.
    """

    def __init__(self, host: str, target: tuple[str, int]) -> None:
        self.cuts: list[int] = []
        self.flips: list[int] = []
        self.hold_after: int | None = None
        self.release = threading.Event()
        self.held = threading.Event()
        self.streams: list[bytearray] = []
        """What each dialler sent."""
        self._target = target
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((host, target[1]))
        self._start(self._accept)

    def close(self) -> None:
        """End everything, threads included."""
        self.release.set()
        for sock in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, work: object, *args: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            self._sockets += [near, far]
            number = len(self.streams)
            self.streams.append(bytearray())
            self._start(self._forth, number, near, far)
            self._start(self._pass, far, near)

    def _forth(self, number: int, near: socket.socket, far: socket.socket) -> None:
        stream = self.streams[number]
        cut = self.cuts[number] if number < len(self.cuts) else None
        flip = self.flips[number] if number < len(self.flips) else None
        while cut is None or len(stream) < cut:
            limit = 4096 if cut is None else min(4096, cut - len(stream))
            try:
                data = bytearray(near.recv(limit))
            except OSError:
                break
            if not data:
                break
            at = -1 if flip is None else flip - len(stream)
            if 0 <= at < len(data):
                data[at] ^= 1
            stream += data
            if self.hold_after is not None and len(stream) > self.hold_after:
                self.held.set()
                self.release.wait()
            with contextlib.suppress(OSError):
                far.sendall(data)
        # What was passed on is to be read: closing both ways would reset the connection.
        with contextlib.suppress(OSError):
            far.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)

    def _pass(self, far: socket.socket, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(65536):
                near.sendall(data)
        with contextlib.suppress(OSError):
            near.shutdown(socket.SHUT_WR)
