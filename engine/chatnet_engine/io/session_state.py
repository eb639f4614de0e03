"""Identity, trusted keys and history of a session: whether they are all there and belong together.

Where one of them is missing, damaged or another session's while the others are not, nothing begins
afresh in silence: the start is refused in one sentence that says what is wrong and what each way on
costs. A way on is an option of `chatnet engine`; it does nothing where nothing is wrong.
"""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from chatnet_engine.io import state_change
from chatnet_engine.io.private_dir import check_regular, read_private, write_atomically
from chatnet_engine.ledger.ownership import HistoryFacts, examine
from chatnet_engine.ledger.schema import StoreDamaged, open_read_only
from chatnet_engine.node.known_peers import (
    MAX_KNOWN_PEERS_BYTES,
    KnownPeer,
    KnownPeers,
    owner_of,
    parse_known_peers,
)
from chatnet_engine.secure.identity import (
    KEY_BYTES,
    Identity,
    decode_private_key,
    encode_private_key,
)
from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode, VersionMismatch
from chatnet_protocol.ids import fingerprint
from chatnet_protocol.ipc.session_files import HISTORY, IDENTITY, KNOWN_PEERS

logger = logging.getLogger(__name__)

MAX_IDENTITY_BYTES = 64
NEW_IDENTITY = "--new-identity"
WITHOUT_HISTORY = "--without-history"
WITHOUT_KNOWN_PEERS = "--without-known-peers"
ADOPT_HISTORY = "--adopt-history"
COSTS = {
    NEW_IDENTITY: "a new key, which every peer refuses until its user trusts it",
    WITHOUT_HISTORY: "an empty history; what is there is set aside",
    WITHOUT_KNOWN_PEERS: "every peer's key counts as changed until you trust it again",
    ADOPT_HISTORY: "that history under this key, which its peers refuse until they trust it",
}
"""What each way on costs, for the sentence that refuses a start."""


@dataclass(slots=True)
class _Found:
    """The three files as they were read; `*_problem` says what is wrong with one alone."""

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


class SessionState:
    """The state files in a folder whose lock is held."""

    def __init__(self, folder: str) -> None:
        """Completes a change that was cut. Raises OSError, sqlite3.Error."""
        self._folder = folder
        state_change.finish(folder)

    def open(
        self, random: Callable[[int], bytes], ways: Collection[str]
    ) -> tuple[bytes, KnownPeers]:
        """(the private key, the keys that are trusted), when all belong together.

        Made, with an empty history, where there is none of the three. `ways`: those of COSTS that
        the user takes. Raises CommandError.
        """
        try:
            if not any(os.path.lexists(self._path(n)) for n in (IDENTITY, HISTORY, KNOWN_PEERS)):
                self._begin(random(KEY_BYTES))
            found = self._find()
            needs = found.needs()
            if needs:
                _refuse_unless_taken(needs, ways)
                self._go_on(found, needs, ways, random)
                found = self._find()
                _refuse_unless_taken(found.needs(), ())
            return found.private_key, self._bring_forward(found)
        except sqlite3.Error as error:
            raise CommandError(ErrorCode.STORE, f"The history cannot be opened: {error}.") from None

    def _begin(self, private_key: bytes) -> None:
        public_key = Identity.from_private_bytes(private_key).public
        files = {
            HISTORY: state_change.history_of(public_key),
            IDENTITY: state_change.file_of(encode_private_key(private_key)),
        }
        state_change.install(self._folder, files)

    def _go_on(
        self,
        found: _Found,
        needs: Mapping[str, str],
        ways: Collection[str],
        random: Callable[[int], bytes],
    ) -> None:
        files: dict[str, state_change.Maker] = {}
        public_key, own_key = found.public_key, b""
        if NEW_IDENTITY in needs:
            private_key = random(KEY_BYTES)
            public_key = own_key = Identity.from_private_bytes(private_key).public
            files[IDENTITY] = state_change.file_of(encode_private_key(private_key))
        if WITHOUT_HISTORY in needs or (ADOPT_HISTORY in needs and ADOPT_HISTORY not in ways):
            files[HISTORY] = state_change.history_of(public_key)
            own_key = b""
        elif ADOPT_HISTORY in needs:
            own_key = public_key
        if WITHOUT_KNOWN_PEERS in needs:
            files[KNOWN_PEERS] = state_change.file_of(_claimed([], public_key).encode())
        elif found.owner not in (b"", public_key):
            files[KNOWN_PEERS] = state_change.file_of(
                _claimed(found.lines or [], public_key).encode()
            )
        state_change.install(self._folder, files, own_key)
        for way, problem in needs.items():
            logger.warning("%s: went on with %s", problem, way)

    def _bring_forward(self, found: _Found) -> KnownPeers:
        """Files of before get their checks; what is trusted."""
        if not found.is_checked:
            write_atomically(self._path(IDENTITY), encode_private_key(found.private_key))
        lines = found.lines or []
        known = _claimed(lines, found.public_key)
        if not found.owner and any(isinstance(line, KnownPeer) for line in lines):
            write_atomically(self._path(KNOWN_PEERS), known.encode())
        return known

    def _find(self) -> _Found:
        found = _Found()
        self._find_identity(found)
        self._find_history(found)
        self._find_known_peers(found)
        return found

    def _find_identity(self, found: _Found) -> None:
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

    def _find_history(self, found: _Found) -> None:
        for end in ("", *state_change.SIDE_FILES):
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

    def _find_known_peers(self, found: _Found) -> None:
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


def _claimed(lines: list[KnownPeer | str], public_key: bytes) -> KnownPeers:
    known = KnownPeers(lines)
    known.claim(public_key)
    return known


def _refuse_unless_taken(needs: Mapping[str, str], ways: Collection[str]) -> None:
    """Raises CommandError: one sentence for everything that keeps the session from starting."""
    open_needs = {
        way: problem
        for way, problem in needs.items()
        if way not in ways and not (way == ADOPT_HISTORY and WITHOUT_HISTORY in ways)
    }
    if not open_needs:
        return
    answers = [f"{way} ({COSTS[way]})" for way in open_needs]
    answer = " and ".join(answers)
    if ADOPT_HISTORY in open_needs:
        answer += f", or {WITHOUT_HISTORY} ({COSTS[WITHOUT_HISTORY]})"
    raise CommandError(
        ErrorCode.STORE,
        f"The session does not start: {' and '.join(open_needs.values())}; put back what belongs "
        f"there (chatnet restore-backup FOLDER), or start once with {answer}.",
    )
