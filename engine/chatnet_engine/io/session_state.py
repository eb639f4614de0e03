"""Identity, trusted keys and history of a session: whether they are all there and belong together.

Where one of them is missing, damaged or another session's while the others are not, nothing begins
afresh in silence: the start is refused in one sentence that says what is wrong and what each way on
costs. A way on is an option of `chatnet engine`; it does nothing where nothing is wrong.
"""

import logging
import os
import sqlite3
from collections.abc import Callable, Collection, Mapping

from chatnet_engine.io import state_change
from chatnet_engine.io.private_dir import write_atomically
from chatnet_engine.io.state_files import (
    ADOPT_HISTORY,
    NEW_IDENTITY,
    WITHOUT_HISTORY,
    WITHOUT_KNOWN_PEERS,
    FoundState,
    find_state,
    has_state,
)
from chatnet_engine.node.people.known_peers import KnownPeer, KnownPeers
from chatnet_engine.secure.identity import KEY_BYTES, Identity, encode_private_key
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.session_files import HISTORY, IDENTITY, KNOWN_PEERS

logger = logging.getLogger(__name__)

COSTS = {
    NEW_IDENTITY: "a new key, which every peer refuses until its user trusts it",
    WITHOUT_HISTORY: "an empty history; what is there is set aside",
    WITHOUT_KNOWN_PEERS: "every peer's key counts as changed until you trust it again",
    ADOPT_HISTORY: "that history under this key, which its peers refuse until they trust it",
}
"""What each way on costs, for the sentence that refuses a start."""


def open_state(
    folder: str, random: Callable[[int], bytes], ways: Collection[str]
) -> tuple[bytes, KnownPeers]:
    """(the private key, the trusted keys) of the locked `folder`, when all in it belong together.

    Made, with an empty history, where there is none of the three. `ways`: those of COSTS that
    the user takes. Raises CommandError.
    """
    try:
        if not has_state(folder):
            _begin(folder, random(KEY_BYTES))
        found = find_state(folder)
        needs = found.needs()
        if needs:
            _refuse_unless_taken(needs, ways)
            _go_on(folder, found, needs, ways, random)
            found = find_state(folder)
            _refuse_unless_taken(found.needs(), ())
        return found.private_key, _bring_forward(folder, found)
    except sqlite3.Error as error:
        raise CommandError(ErrorCode.STORE, f"The history cannot be opened: {error}.") from None


def _begin(folder: str, private_key: bytes) -> None:
    public_key = Identity.from_private_bytes(private_key).public
    files = {
        HISTORY: state_change.history_of(public_key),
        IDENTITY: state_change.file_of(encode_private_key(private_key)),
    }
    state_change.install(folder, files)


def _go_on(
    folder: str,
    found: FoundState,
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
        files[KNOWN_PEERS] = state_change.file_of(_claimed(found.lines or [], public_key).encode())
    state_change.install(folder, files, own_key)
    for way in needs:
        logger.warning("the state was incomplete: went on with %s", way)


def _bring_forward(folder: str, found: FoundState) -> KnownPeers:
    """Files of before get their checks; what is trusted."""
    if not found.is_checked:
        write_atomically(os.path.join(folder, IDENTITY), encode_private_key(found.private_key))
    lines = found.lines or []
    known = _claimed(lines, found.public_key)
    if not found.owner and any(isinstance(line, KnownPeer) for line in lines):
        write_atomically(os.path.join(folder, KNOWN_PEERS), known.encode())
    return known


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
        f"The session does not start: {', '.join(open_needs.values())}; put back what belongs "
        f"there (chatnet restore-backup FOLDER), or run chatnet engine once with {answer}.",
    )
