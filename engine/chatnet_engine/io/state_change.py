"""Replaces files of a session's state at once: after a cut anywhere, all or none are new.

The new files are made complete in a folder of their own. The file `ready` in it is the point of no
return: without it the folder is thrown away at the next start, with it the rest is done then.
What a new file takes the place of is kept in a folder `set-aside-N`.
"""

import errno
import os
import shutil
from collections.abc import Callable, Mapping, Sequence

import msgspec

from chatnet_engine.io.private_dir import (
    make_private_dir,
    read_private,
    sync_dir,
    sync_dirs_above,
    write_atomically,
    write_durably,
)
from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.migrations import migrate
from chatnet_engine.ledger.ownership import adopt
from chatnet_engine.ledger.schema import close_file, open_file
from chatnet_protocol.ipc.session_files import HISTORY

DRAFT = "state.new"
READY = "ready"
ASIDE = "set-aside-{}"
SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database; never moved without it, never left to another."""
MAX_READY_BYTES = 4096

Maker = Callable[[str], None]
"""Makes the file at a path, its bytes on disk."""


class _Ready(msgspec.Struct):
    files: list[str]
    gone: list[str]
    """Set aside without a new one."""
    aside: str
    own_key: str
    """Hex; the key that the history, where it stays, is made to belong to."""


def install(
    folder: str, files: Mapping[str, Maker], own_key: bytes = b"", gone: Sequence[str] = ()
) -> str:
    """Put new files in the place of those of the session in `folder`, whose lock is held.

    `own_key`: also make the history belong to that key. `gone`: files that go without a new one.
    Returns the folder of what was set aside, empty if nothing was. Raises OSError, sqlite3.Error
    and what a maker raises; then nothing has changed.
    """
    draft = os.path.join(folder, DRAFT)
    shutil.rmtree(draft, ignore_errors=True)
    make_private_dir(draft)
    try:
        for name, make in files.items():
            make(os.path.join(draft, name))
        sync_dir(draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    aside = _free_name(folder)
    ready = _Ready(list(files), list(gone), aside, own_key.hex())
    write_atomically(os.path.join(draft, READY), msgspec.json.encode(ready))
    finish(folder)
    aside = os.path.join(folder, aside)
    return aside if os.path.isdir(aside) else ""


def finish(folder: str) -> None:
    """Complete, or forget, what an earlier `install` began. Raises OSError, sqlite3.Error."""
    draft = os.path.join(folder, DRAFT)
    if not os.path.lexists(draft):
        return
    try:
        data = read_private(os.path.join(draft, READY), MAX_READY_BYTES)
    except FileNotFoundError:
        shutil.rmtree(draft)
        return
    try:
        ready = msgspec.json.decode(data, type=_Ready)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise OSError(errno.EINVAL, f"{DRAFT}/{READY} is damaged") from None
    aside = os.path.join(folder, ready.aside)
    for name in ready.gone:
        _set_aside(os.path.join(folder, name), aside)
    for name in ready.files:
        new, place = os.path.join(draft, name), os.path.join(folder, name)
        if name == HISTORY:
            for end in SIDE_FILES:
                _set_aside(place + end, aside)
        if os.path.lexists(new):
            # A power loss may leave the new file under both names.
            if not (os.path.lexists(place) and os.path.samefile(new, place)):
                _set_aside(place, aside)
            os.rename(new, place)
    if os.path.isdir(aside):
        sync_dir(aside)
    sync_dir(folder)
    if ready.own_key:
        _adopt(os.path.join(folder, HISTORY), bytes.fromhex(ready.own_key))
    shutil.rmtree(draft)
    sync_dir(folder)
    sync_dirs_above(folder)


def file_of(data: bytes) -> Maker:
    """Makes a file with that content."""
    return lambda path: write_durably(path, data)


def history_of(own_key: bytes) -> Maker:
    """Makes an empty history that belongs to a key."""

    def make(path: str) -> None:
        write_durably(path, b"")
        connection = open_file(path)
        Ledger(connection)
        adopt(connection, own_key)
        close_file(connection)

    return make


def _adopt(path: str, own_key: bytes) -> None:
    connection = open_file(path, checked=True)
    try:
        migrate(connection)
        adopt(connection, own_key)
    finally:
        connection.close()


def _free_name(folder: str) -> str:
    number = 1
    while os.path.lexists(os.path.join(folder, ASIDE.format(number))):
        number += 1
    return ASIDE.format(number)


def _set_aside(path: str, aside: str) -> None:
    if not os.path.lexists(path):
        return
    make_private_dir(aside)
    kept = os.path.join(aside, os.path.basename(path))
    os.rename(path, kept)
    if os.path.lexists(path):
        os.unlink(path)  # a power loss had left it under both names: then rename does nothing
