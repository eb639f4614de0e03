"""Puts a backup back into a session that does not run: what `chatnet restore-backup` becomes.

All of it is put back or nothing is, wherever the process is cut; what was there is set aside.
"""

import argparse
import contextlib
import logging
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chatnet_engine.io import state_change
from chatnet_engine.io.private_dir import read_private
from chatnet_engine.io.session import SessionFolder, default_home
from chatnet_engine.io.state_files import FoundState, find_state, has_state
from chatnet_engine.ledger.copying import copy_store
from chatnet_engine.ledger.schema import StoreDamaged, open_read_only
from chatnet_engine.node.people.known_peers import MAX_KNOWN_PEERS_BYTES
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.session_files import HISTORY, IDENTITY, KNOWN_PEERS, session_dir

MAX_IDENTITY_BYTES = 64


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done."""

    messages: int
    aside: str
    """Folder of what was there before; empty if nothing was."""


def restore(backup: str, folder: SessionFolder, *, replace: bool) -> Restored:
    """Put `backup` into the session whose folder is locked. Raises CommandError.

    `replace`: also where the session has a history. A backup with the history alone goes under
    the identity that the session has.
    """
    alone = not os.path.lexists(os.path.join(backup, IDENTITY))
    folder.finish_change()
    if has_state(folder.path) and not replace:
        raise CommandError(
            ErrorCode.FILE,
            f"Session {folder.name} is there already; with --replace the backup takes its place "
            "and what it holds now is set aside.",
        )
    with _one_sentence(backup):
        found = find_state(backup)
        if alone:
            _put_under(found, find_state(folder.path), folder.name)
        if problems := found.needs():
            raise CommandError(
                ErrorCode.FILE,
                f"{backup} cannot be put back: {' and '.join(problems.values())}.",
            )
        return _install(backup, folder.path, alone)


def _put_under(found: FoundState, own: FoundState, name: str) -> None:
    """A history alone is judged beside the identity and the trusted keys of the session."""
    if own.identity_problem:
        raise CommandError(
            ErrorCode.FILE,
            f"The backup holds the history alone, and the identity key of session {name} "
            f"{own.identity_problem}.",
        )
    found.identity_problem, found.public_key = "", own.public_key
    found.known_problem, found.owner = own.known_problem, own.owner
    if own.lines is None and found.history and found.history.trusted and not own.known_problem:
        found.known_problem = "is missing"


def _install(backup: str, folder: str, alone: bool) -> Restored:
    messages = 0

    def copy_history(path: str) -> None:
        nonlocal messages
        # Held open until SQLite has closed the file: closing it would take SQLite's locks away.
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with contextlib.closing(open_read_only(os.path.join(backup, HISTORY))) as source:
                messages = copy_store(source, path, lambda: None)
            os.fsync(fd)
        finally:
            os.close(fd)

    files: dict[str, state_change.Maker] = {HISTORY: copy_history}
    gone: list[str] = []
    small = {} if alone else {IDENTITY: MAX_IDENTITY_BYTES, KNOWN_PEERS: MAX_KNOWN_PEERS_BYTES}
    for name, size in small.items():
        path = os.path.join(backup, name)
        if os.path.lexists(path):
            files[name] = state_change.file_of(read_private(path, size))
        else:
            gone.append(name)
    aside = state_change.install(folder, files, gone=gone)
    return Restored(messages, aside)


@contextlib.contextmanager
def _one_sentence(backup: str) -> Iterator[None]:
    try:
        yield
    except StoreDamaged as error:
        raise CommandError(ErrorCode.STORE, f"{backup} cannot be put back: {error}") from None
    except sqlite3.Error as error:
        raise CommandError(ErrorCode.STORE, f"{backup} cannot be put back: {error}.") from None
    except OSError as error:
        raise CommandError(
            ErrorCode.FILE, f"{backup} cannot be put back: {error.strerror}."
        ) from None


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Exit code 0 done, 1 failed; the result on stdout, the rest on stderr."""
    parser = argparse.ArgumentParser(prog="chatnet restore-backup")
    parser.add_argument("folder")
    parser.add_argument("session")
    parser.add_argument("--replace", action="store_true")
    options = parser.parse_args(argv)
    os.umask(0o077)
    logging.disable(logging.CRITICAL)  # what fails is one sentence here
    try:
        if not os.path.isdir(options.folder):
            raise CommandError(ErrorCode.FILE, f"{options.folder} is no folder.")
        path = session_dir(default_home(environ), options.session)
        folder = SessionFolder(path, options.session)
        try:
            done = restore(os.path.abspath(options.folder), folder, replace=options.replace)
        finally:
            folder.remove_if_unused()
            folder.close()
    except CommandError as error:
        sys.stderr.write(f"{error.detail}\n")
        return 1
    finally:
        logging.disable(logging.NOTSET)
    count = f"{done.messages:,} message" + ("s" if done.messages != 1 else "")
    sys.stdout.write(f"restored · {count} · session {options.session}\n")
    if done.aside:
        sys.stderr.write(f"What was there before is kept in {done.aside}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
