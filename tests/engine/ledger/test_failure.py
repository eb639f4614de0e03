"""What SQLite cannot do is told in a sentence; what we did wrong is raised."""

import sqlite3

import pytest

from chatnet_engine.ledger.failure import commit_failed

NAME = "SQLITE_OF_A_TEST"


def error(code: int | None) -> sqlite3.OperationalError:
    made = sqlite3.OperationalError("text of SQLite")
    if code is not None:
        made.sqlite_errorcode = code
        made.sqlite_errorname = NAME
    return made


@pytest.mark.parametrize(
    ("code", "fatal"),
    [
        (sqlite3.SQLITE_FULL, False),
        (sqlite3.SQLITE_IOERR_FSYNC, False),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, False),
        (sqlite3.SQLITE_CANTOPEN, False),
        (sqlite3.SQLITE_READONLY_DBMOVED, True),
        (sqlite3.SQLITE_CORRUPT, True),
    ],
)
def test_troubles_of_the_disk_are_answered(code: int, fatal: bool) -> None:
    failed = commit_failed(4, error(code))
    assert failed is not None
    assert (failed.number, failed.fatal, failed.code) == (4, fatal, NAME)
    assert failed.reason.endswith(".")
    assert "text of SQLite" not in failed.reason


@pytest.mark.parametrize("code", [sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT_UNIQUE, None])
def test_mistakes_of_ours_are_not(code: int | None) -> None:
    assert commit_failed(4, error(code)) is None
