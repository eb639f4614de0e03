"""The connection a simulated engine writes through: it can die or fail at a chosen statement."""

import sqlite3
from collections import Counter
from typing import Any

NEVER = 0
FAULTS = {
    "full": (sqlite3.SQLITE_FULL, "database or disk is full"),
    "io error": (sqlite3.SQLITE_IOERR, "disk I/O error"),
    "busy": (sqlite3.SQLITE_BUSY, "database is locked"),
    "read only": (sqlite3.SQLITE_READONLY, "attempt to write a readonly database"),
}


def memory() -> sqlite3.Connection:
    """An empty database. The thread of a LocalEngine may use it too, one at a time."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


class Died(BaseException):
    """The process is no more; nothing may catch this but the world."""


class SimDisk:
    """Wraps one connection; counts statements from when a fault is set."""

    def __init__(self, connection: sqlite3.Connection, counts: Counter[str]) -> None:
        self._connection = connection
        self._counts = counts
        self.die_in = NEVER
        """The process dies before this many further statements are done."""
        self.fail_in = NEVER
        """This many statements from now the disk begins to fail."""
        self.failing = ""
        """A name in FAULTS while the disk fails, at every statement that writes."""
        self.page_fails = False
        """The next page of the history cannot be read."""
        self.statements = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def unreadable(self) -> bool:
        """Whether the page that is wanted now cannot be read."""
        unreadable = self.page_fails or (self.failing == "io error" and self.fail_in <= 1)
        self.page_fails = False
        self._counts["history unreadable"] += unreadable
        return unreadable

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """As sqlite3's, unless the process or the disk dies of it."""
        self.statements += 1
        if self.die_in:
            self.die_in -= 1
            if not self.die_in:
                self._counts["crash at a statement"] += 1
                raise Died
        if self.fail_in > 1:
            self.fail_in -= 1
        elif self.failing and sql != "ROLLBACK":
            code, text = FAULTS[self.failing]
            error = sqlite3.OperationalError(text)
            error.sqlite_errorcode = code
            self._counts[f"disk {self.failing}"] += 1
            raise error
        return self._connection.execute(sql, parameters)
