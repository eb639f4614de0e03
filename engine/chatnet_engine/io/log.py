"""The engine's log: one bounded file, one line a record, nothing in it that a terminal obeys."""

import logging
import logging.handlers
import os
import sys
import types

from chatnet_engine.io.private_dir import open_regular
from chatnet_engine.trace import describe
from chatnet_protocol.text import Policy, harmless

MAX_LOG_BYTES = 2 * 1024 * 1024
MAX_DEBUG_LOG_BYTES = 32 * 1024 * 1024
"""A line a packet: at full speed 2 MiB would be seconds."""
KEPT_LOGS = 1
"""Older files kept beside the present one."""

_ExcInfo = (
    tuple[type[BaseException], BaseException, types.TracebackType | None] | tuple[None, None, None]
)


class LineFormatter(logging.Formatter):
    """Whatever a peer or a traceback brought, a record is one line.

    Exceptions are written without their messages, which hold paths and what people wrote.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record with its control characters escaped."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(_public, record.args))
        if record.exc_info:
            record.exc_text = self.formatException(record.exc_info)  # not another handler's
        return harmless(super().format(record), Policy.TERMINAL, line=True)

    def formatException(self, ei: _ExcInfo) -> str:
        """Type and places of the exception."""
        return describe(ei[1]) if ei[1] is not None else ""


def _public(value: object) -> object:
    """What the log says of an exception: the system's words for an error, else its type."""
    if isinstance(value, BaseException):
        return getattr(value, "strerror", "") or type(value).__name__
    return value


def open_log(path: str, level: str) -> int:
    """Send all logging to `path`, 0600; the file descriptor children may write to.

    `level` is one of LEVELS. Raises OSError.
    """
    os.close(open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    handler = logging.handlers.RotatingFileHandler(
        path,
        maxBytes=MAX_DEBUG_LOG_BYTES if level == "debug" else MAX_LOG_BYTES,
        backupCount=KEPT_LOGS,
        encoding="utf-8",
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
