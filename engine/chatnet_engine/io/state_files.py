"""Reads the state files of a session or of a backup, and changes nothing."""

import contextlib
import logging
import os
from dataclasses import dataclass

from chatnet_engine.io.private_dir import check_regular, read_private
from chatnet_engine.io.state_change import SIDE_FILES
from chatnet_engine.ledger.ownership import HistoryFacts, examine
from chatnet_engine.ledger.schema import StoreDamaged, open_read_only
from chatnet_engine.node.people.known_peers import (
    MAX_KNOWN_PEERS_BYTES,
    KnownPeer,
    owner_of,
    parse_known_peers,
)
from chatnet_engine.secure.identity import Identity, decode_private_key
from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode, VersionMismatch
from chatnet_protocol.ids import fingerprint
from chatnet_protocol.ipc.session_files import HISTORY, IDENTITY, KNOWN_PEERS

logger = logging.getLogger(__name__)

STATE_FILES = (IDENTITY, HISTORY, KNOWN_PEERS)
MAX_IDENTITY_BYTES = 64
NEW_IDENTITY = "--new-identity"
WITHOUT_HISTORY = "--without-history"
WITHOUT_KNOWN_PEERS = "--without-known-peers"
ADOPT_HISTORY = "--adopt-history"
"""The ways on, options of `chatnet engine`."""


@dataclass(slots=True)
class FoundState:
    """The state files of a folder; `*_problem` says what is wrong with one alone."""

    private_key: bytes = b""
    public_key: bytes = b""
    is_checked: bool = False
    identity_problem: str = ""
    history: HistoryFacts | None = None
    history_problem: str = ""
    lines: list[KnownPeer | str] | None = None
    owner: bytes = b""
    known_problem: str = ""

    def needs(self) -> dict[str, str]:
        """What is wrong, each under the way on that it needs."""
        needs = {
            NEW_IDENTITY: self.identity_problem and f"{IDENTITY} {self.identity_problem}",
            WITHOUT_HISTORY: self.history_problem and f"{HISTORY} {self.history_problem}",
            WITHOUT_KNOWN_PEERS: self.known_problem and f"{KNOWN_PEERS} {self.known_problem}",
        }
        ours, theirs = self.public_key, self.history.own_key if self.history else b""
        if ours and theirs and ours != theirs:
            needs[ADOPT_HISTORY] = (
                f"{HISTORY} belongs to the identity {fingerprint(theirs)} and {IDENTITY} is "
                f"{fingerprint(ours)}"
            )
        if self.owner and (ours or theirs) and self.owner not in (ours, theirs):
            whose = fingerprint(self.owner)
            needs[WITHOUT_KNOWN_PEERS] = f"{KNOWN_PEERS} belongs to the identity {whose}"
        return {way: problem for way, problem in needs.items() if problem}


def has_state(folder: str) -> bool:
    """Whether any of the files is there."""
    return any(os.path.lexists(os.path.join(folder, name)) for name in STATE_FILES)


def find_state(folder: str) -> FoundState:
    """All three. Raises CommandError where one is no file of its own; sqlite3.Error."""
    return _Reader(folder).find()


class _Reader:
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find(self) -> FoundState:
        """The identity and the history first: they say what the trusted keys have to be."""
        found = FoundState()
        self._find_identity(found)
        self._find_history(found)
        self._find_known_peers(found)
        return found

    def _find_identity(self, found: FoundState) -> None:
        data = self._read(IDENTITY, MAX_IDENTITY_BYTES)
        if not data:
            found.identity_problem = "is missing" if data is None else "is empty"
            return
        try:
            found.private_key, found.is_checked = decode_private_key(data)
        except DecodeError:
            found.identity_problem = "is damaged"
            return
        found.public_key = Identity.from_private_bytes(found.private_key).public

    def _find_history(self, found: FoundState) -> None:
        for end in ("", *SIDE_FILES):
            size = self._size(HISTORY + end)
            if end == "" and not size:
                found.history_problem = "is missing" if size is None else "is empty"
        if found.history_problem:
            return
        try:
            with contextlib.closing(open_read_only(self._path(HISTORY))) as connection:
                found.history = examine(connection)
        except VersionMismatch as error:
            raise CommandError(ErrorCode.STORE, str(error)) from None
        except StoreDamaged as error:
            logger.warning("%s", error)
            found.history_problem = "is damaged"
        else:
            found.history_problem = "" if found.history else "is empty"

    def _find_known_peers(self, found: FoundState) -> None:
        data = self._read(KNOWN_PEERS, MAX_KNOWN_PEERS_BYTES)
        if not data:
            if found.history and found.history.trusted:
                found.known_problem = "is missing" if data is None else "is empty"
            return
        try:
            found.lines = parse_known_peers(data)
            found.owner = owner_of(found.lines)
        except DecodeError as error:
            found.known_problem = f"is damaged: {error}"

    def _read(self, name: str, size: int) -> bytes | None:
        try:
            return read_private(self._path(name), size + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(name, error) from None

    def _size(self, name: str) -> int | None:
        # Not opened: closing a descriptor of the database would take SQLite's locks away.
        try:
            status = os.lstat(self._path(name))
            check_regular(status)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(name, error) from None
        return status.st_size

    def _unusable(self, name: str, error: OSError) -> CommandError:
        sentence = f"{self._path(name)} cannot be used: {error.strerror}."
        return CommandError(ErrorCode.FILE, sentence)

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)
