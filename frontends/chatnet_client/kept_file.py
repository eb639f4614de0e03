"""Keeps a front end's texts in a file of the session's folder: `typed-NAME`, 0600, append-only.

Its owner holds a flock on it; a file without an owner may be taken over. A thread
syncs what was appended, so that a slow disk keeps nobody from writing.
"""

import contextlib
import fcntl
import os
import threading

from chatnet_client.kept_records import KeptText, decode, encode_removal, encode_text

PREFIX = "typed-"
WRITE_ANEW_BYTES = 8 * 1024 * 1024
"""A file of this size is written anew when less than half of it are texts still kept."""
MAX_ADOPTED_FILES = 100
"""Looked at in one call; the rest in the next."""


class KeptFile:
    """Implements `kept.Keeper` in `folder`. Used by one thread."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._fd = -1
        self._path = ""
        self._size = 0
        self._records: dict[bytes, bytes] = {}
        self._live_bytes = 0
        self._lock = threading.Lock()
        """Around the descriptor, which the syncing thread uses."""
        self._dirty = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def append(self, text: KeptText) -> None:
        """Raises OSError, and nothing is kept then."""
        record = encode_text(text)
        self._open()
        if self._size > max(WRITE_ANEW_BYTES, 2 * self._live_bytes):
            self._write_anew()
        self._write(record)
        if text.id not in self._records:
            self._live_bytes += len(record)
        self._records[text.id] = record

    def remove(self, text_id: bytes) -> None:
        """A removal that cannot be written costs one more question under the same id later."""
        record = self._records.pop(text_id, None)
        if record is None:
            return
        self._live_bytes -= len(record)
        with contextlib.suppress(OSError):
            if self._records:
                self._write(encode_removal(text_id))
            else:
                os.ftruncate(self._fd, 0)
                self._size = 0

    def adopt(self) -> list[KeptText]:
        """Texts of files without an owner, which go when their texts are safe here."""
        adopted: list[KeptText] = []
        for name in sorted(os.listdir(self._folder)):
            path = f"{self._folder}/{name}"
            if name.startswith(PREFIX) and path != self._path:
                try:
                    adopted += self._adopt(path)
                except OSError:
                    break  # it stays where it is; what is here already is here under the same ids
            if len(adopted) >= MAX_ADOPTED_FILES:
                break
        return adopted

    def close(self) -> None:
        """Sync what is kept; a file without texts goes."""
        self._closing = True
        self._dirty.set()
        if self._thread is not None:
            self._thread.join()
        if self._fd < 0:
            return
        if not self._records:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
        with contextlib.suppress(OSError):
            os.fsync(self._fd)
        os.close(self._fd)
        self._fd = -1

    def _adopt(self, path: str) -> list[KeptText]:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return []
        with open(fd, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return []  # its front end lives
            if not os.fstat(fd).st_nlink:
                return []  # somebody else has just taken it over
            texts = decode(file.read())
            for text in texts:
                self.append(text)
            if texts:
                os.fsync(self._fd)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        return texts

    def _open(self) -> None:
        """A new file, whose lock is ours before anybody can take it for abandoned."""
        while self._fd < 0:
            path = f"{self._folder}/{PREFIX}{os.urandom(8).hex()}"
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            fd = os.open(path, flags, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                continue
            if not os.fstat(fd).st_nlink:
                os.close(fd)
                continue
            self._fd, self._path, self._size = fd, path, 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._sync, name="chatnet-kept", daemon=True)
            self._thread.start()

    def _write(self, record: bytes) -> None:
        # At the end of what is whole: what a full disk cut is overwritten by the next record.
        done = 0
        while done < len(record):
            done += os.pwrite(self._fd, record[done:], self._size + done)
        self._size += len(record)
        self._dirty.set()

    def _write_anew(self) -> None:
        """The same texts without what is gone, in a new file of ours."""
        old_fd, old_path, old_size = self._fd, self._path, self._size
        with self._lock:
            self._fd = -1
            try:
                self._open()
                for record in self._records.values():
                    self._write(record)
                os.fsync(self._fd)
            except OSError:
                if self._fd >= 0:
                    with contextlib.suppress(OSError):
                        os.unlink(self._path)
                    os.close(self._fd)
                self._fd, self._path, self._size = old_fd, old_path, old_size
                raise
            os.unlink(old_path)
            os.close(old_fd)

    def _sync(self) -> None:
        synced_path = ""
        while not self._closing:
            self._dirty.wait()
            self._dirty.clear()
            with self._lock, contextlib.suppress(OSError):
                os.fsync(self._fd)
                if self._path != synced_path:
                    folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                    try:
                        os.fsync(folder)
                    finally:
                        os.close(folder)
                    synced_path = self._path
