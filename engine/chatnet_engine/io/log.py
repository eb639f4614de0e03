"""The engine's log: one bounded file, one line a record, nothing in it that a terminal obeys."""

import logging
import logging.handlers
import os
import re
import sys

from chatnet_engine.io.private_dir import open_regular
from chatnet_protocol.text import ZERO_WIDTH

MAX_LOG_BYTES = 2 * 1024 * 1024
KEPT_LOGS = 1
"""Older files kept beside the present one."""

_UNSAFE = re.compile(
    f"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff{ZERO_WIDTH}]"
)


def escape(text: str) -> str:
    """Text that cannot start a line, move a cursor or turn the writing direction."""
    return _UNSAFE.sub(_escape_one, text)


def _escape_one(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class LineFormatter(logging.Formatter):
    """Whatever a peer or a traceback brought, a record is one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with its control characters escaped."""
        return escape(super().format(record))


def open_log(path: str, level: str) -> int:
    """Send all logging to `path`, 0600; the file descriptor children may write to.

    `level` is one of LEVELS. Raises OSError.
    """
    os.close(open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    handler = logging.handlers.RotatingFileHandler(
        path, maxBytes=MAX_LOG_BYTES, backupCount=KEPT_LOGS, encoding="utf-8"
    )
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level.upper())
    # A failed write to the log must not write a traceback to somebody's terminal.
    logging.raiseExceptions = False
    sys.excepthook = _log_uncaught
    assert handler.stream is not None
    return handler.stream.fileno()


def close_log() -> None:
    """Take the handlers away again."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, logging.handlers.RotatingFileHandler):
            root.removeHandler(handler)
            handler.close()


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: object) -> None:
    logging.getLogger(__name__).critical("uncaught", exc_info=error)
