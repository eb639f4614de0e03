"""How an engine tells the process that started it how the start went: one report over a pipe.

Fields separated by NUL, ended by the end of the file. Nothing, or half a report: it died.
"""

import os

READY = "ready"
"""Serving. Fields: the session's folder, the arguments that start it again."""
REFUSED = "refused"
"""It must not start. Field: one sentence for a person."""
FAILED = "failed"
"""It died of an internal error, which may pass. Field: one sentence."""
MAX_REPORT_BYTES = 16384
_END = "end"


class StartReport:
    """The writing end. Without a descriptor nobody waits, and nothing is written."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    @property
    def is_wanted(self) -> bool:
        """Whether a process waits for it."""
        return self._fd is not None

    def send(self, *fields: str) -> None:
        """Write the report, once."""
        if self._fd is None:
            return
        data = "\0".join((*fields, _END)).encode("utf-8", "surrogateescape")
        try:
            os.write(self._fd, data[:MAX_REPORT_BYTES])
            os.close(self._fd)
        except OSError:
            pass  # the process that started this engine has ended
        self._fd = None


def decode_report(data: bytes) -> list[str]:
    """The fields; none when the report is incomplete."""
    fields = data.decode("utf-8", "surrogateescape").split("\0")
    return fields[:-1] if len(fields) > 1 and fields[-1] == _END else []
