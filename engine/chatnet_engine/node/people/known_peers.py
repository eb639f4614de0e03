"""The keys this session trusts, as the file `known_peers` says it, and what it says of the history.

One line a peer: `name key first_seen verified`, divided by spaces. The key has 52 base-32
characters and 7 of a check (52 alone will do), `first_seen` is Unix time in seconds, `verified` is
yes or no; whatever follows is kept. Empty lines and lines that begin with # are kept as they are.
In a name, space, % and # stand as %20, %25, %23. A comment `# chatnet known_peers of KEY` names the
identity that trusts them; a file without one is taken as it is. The file has the last word about
keys: a peer of the history whose key it does not name is not trusted any more. Reading and writing
it is the business of io.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import msgspec

from chatnet_engine.secure.identity import checked_key_text, parse_checked_key
from chatnet_engine.secure.safety_number import safety_number
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.rows import PeerRow, Trust
from chatnet_protocol.limits import MAX_PEERS

MAX_KNOWN_PEERS_BYTES = 1024 * 1024
"""Of the file; a longer one is refused as damaged."""
OWNER = "# chatnet known_peers of "
"""Begins the comment that ends with the key of the file's owner, as checked_key_text."""
TRUSTED = (Trust.PINNED, Trust.VERIFIED)
_FIELDS = 4


@dataclass(frozen=True, slots=True)
class KnownPeer:
    """One line."""

    name: str
    key: bytes
    first_seen_s: int
    verified: bool
    rest: str = ""

    @lru_cache(maxsize=2 * MAX_PEERS)  # noqa: B019 (bounded; a value without identity)
    def line(self) -> str:
        """As the file has it."""
        verified = "yes" if self.verified else "no"
        words = [_escape(self.name), checked_key_text(self.key), str(self.first_seen_s), verified]
        return " ".join([*words, self.rest] if self.rest else words)


def parse_known_peers(data: bytes) -> list[KnownPeer | str]:
    """The lines of the file. Raises DecodeError, which says which line is wrong and why."""
    if len(data) > MAX_KNOWN_PEERS_BYTES:
        raise DecodeError("it is longer than 1 MiB")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise DecodeError(f"line {number} is not UTF-8") from None
    lines: list[KnownPeer | str] = []
    seen: dict[bytes, int] = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], 1):
        if not line.strip() or line.startswith("#"):
            lines.append(line)
            continue
        try:
            known = _parse_line(line)
        except DecodeError as error:
            raise DecodeError(f"line {number}: {error}") from None
        if known.key in seen:
            raise DecodeError(f"line {number} repeats the key of line {seen[known.key]}")
        seen[known.key] = number
        lines.append(known)
    return lines


def owner_of(lines: Iterable[KnownPeer | str]) -> bytes:
    """The public key of the identity that trusts these; empty when no line says so.

    Raises DecodeError.
    """
    for number, line in enumerate(lines, 1):
        if isinstance(line, str) and line.startswith(OWNER):
            try:
                return parse_checked_key(line.removeprefix(OWNER).strip())
            except DecodeError as error:
                raise DecodeError(f"line {number}: {error}") from None
    return b""


class KnownPeers:
    """The file's content while the engine runs, and which peers of the history it vouches for."""

    def __init__(self, lines: Sequence[KnownPeer | str] = ()) -> None:
        self._lines = list(lines)
        self._keys: dict[int, bytes] = {}
        """The key in the file of each peer of the session."""
        self._before: tuple[list[KnownPeer | str], dict[int, bytes], set[int]] | None = None
        """Lines, keys and doubts before the transaction in flight."""
        self._uncertain = False
        """A transaction failed: the file may already hold what that one would have written."""
        self.unlisted: set[int] = set()
        """Peers with a key that the file does not name: any key of theirs counts as a changed
        one until a person decides."""

    def claim(self, own_key: bytes) -> None:
        """From the next writing on the file names its owner, at its top."""
        if owner_of(self._lines) != own_key:
            others = [x for x in self._lines if not (isinstance(x, str) and x.startswith(OWNER))]
            self._lines = [OWNER + checked_key_text(own_key), *others]

    def reconcile(self, rows: Iterable[PeerRow], own_key: bytes) -> list[PeerRow]:
        """Compare with the history, once, at the start; the rows that change.

        A line without a peer of that key belongs to the peer of its name, if just one is called
        so: that heals a crash between the file and the history, and a history from a backup.
        """
        rows = list(rows)
        listed = [row for row in rows if row.trust != Trust.PENDING]
        changed = [
            _with_key(row, row.key, Trust.PENDING, own_key)
            for row in rows
            if row.trust == Trust.PENDING and not row.safety_number
        ]
        for row in listed:
            key = row.key if self._find(row.key) else self._key_for(row, listed)
            if not key:
                if row.key:
                    self.unlisted.add(row.peer)
                    if row.trust == Trust.VERIFIED or not row.safety_number:
                        changed.append(_with_key(row, row.key, Trust.PINNED, own_key))
                continue
            known = self._find(key)
            assert known
            self._keys[row.peer] = key
            trust = Trust.VERIFIED if known.verified else Trust.PINNED
            if (row.key, row.trust) != (key, trust) or not row.safety_number:
                changed.append(_with_key(row, key, trust, own_key))
        return changed

    def adopt(self, row: PeerRow, own_key: bytes, taken: Iterable[bytes]) -> PeerRow:
        """A new peer, with the key that the file has under its name, unless another has it."""
        found = [known for known in self._peers() if known.name == row.name]
        if len(found) != 1 or found[0].key in set(taken):
            return row
        trust = Trust.VERIFIED if found[0].verified else Trust.PINNED
        return _with_key(row, found[0].key, trust, own_key)

    def vouch(self, peer: int) -> None:
        """A person decided about this peer's key: the next commit of its row counts."""
        self.unlisted.discard(peer)

    def note(self, ops: Iterable[c.Op], now_s: int) -> bytes | None:
        """What is about to be committed; the file's new content if it changes by that."""
        ops = [op for op in ops if isinstance(op, c.StorePeer | c.ForgetPeer)]
        if not ops and not self._uncertain:
            self._before = None  # most commits: what they cost does not depend on the peers
            return None
        before = list(self._lines)
        self._before = (before, dict(self._keys), set(self.unlisted))
        for op in ops:
            match op:
                case c.StorePeer(row) if row.peer and row.trust in TRUSTED:
                    if row.key and row.peer not in self.unlisted:
                        self._put(row, now_s)
                case c.ForgetPeer(peer):
                    self.unlisted.discard(peer)
                    self._drop(self._keys.pop(peer, b""))
                case _:
                    pass
        if before == self._lines and not self._uncertain:
            return None
        self._uncertain = False
        return self.encode()

    def handle_failed(self) -> None:
        """What was noted last did not become true."""
        if self._before:
            self._lines, self._keys, self.unlisted = self._before
            self._before, self._uncertain = None, True

    def encode(self) -> bytes:
        """The whole file."""
        lines = (line if isinstance(line, str) else line.line() for line in self._lines)
        return "".join(f"{line}\n" for line in lines).encode()

    def _put(self, row: PeerRow, now_s: int) -> None:
        former = self._keys.get(row.peer, b"")
        verified = row.trust == Trust.VERIFIED
        self._keys[row.peer] = row.key
        for key in (row.key, former):
            if known := self._find(key):
                new = replace(known, name=row.name, key=row.key, verified=verified)
                if key != row.key:
                    new = replace(new, first_seen_s=now_s)
                self._lines[self._lines.index(known)] = new
                if key == row.key != former:
                    self._drop(former)
                return
        self._lines.append(KnownPeer(row.name, row.key, now_s, verified))

    def _drop(self, key: bytes) -> None:
        if key not in self._keys.values() and (known := self._find(key)):
            self._lines.remove(known)

    def _key_for(self, row: PeerRow, listed: Sequence[PeerRow]) -> bytes:
        held = {other.key for other in listed}
        free = [known for known in self._peers() if known.name == row.name]
        namesakes = sum(other.name == row.name for other in listed)
        if len(free) == 1 and namesakes == 1 and free[0].key not in held:
            return free[0].key
        return b""

    def _find(self, key: bytes) -> KnownPeer | None:
        return next((known for known in self._peers() if known.key == key), None)

    def _peers(self) -> Iterable[KnownPeer]:
        return (line for line in self._lines if isinstance(line, KnownPeer))


def _parse_line(line: str) -> KnownPeer:
    words = line.split(None, _FIELDS)
    if len(words) < _FIELDS:
        raise DecodeError("a peer has a name, a key, a time and yes or no")
    name, key, first_seen, verified = words[:_FIELDS]
    if not (first_seen.isascii() and first_seen.isdigit() and len(first_seen) < 16):
        raise DecodeError("the third word is the Unix time of the first contact")
    if verified not in ("yes", "no"):
        raise DecodeError("the fourth word is yes (verified) or no")
    rest = words[_FIELDS] if len(words) > _FIELDS else ""
    return KnownPeer(
        _unescape(name), parse_checked_key(key), int(first_seen), verified == "yes", rest
    )


def _with_key(row: PeerRow, key: bytes, trust: Trust, own_key: bytes) -> PeerRow:
    number = row.safety_number if row.key == key else ""
    number = number or safety_number(own_key, key)
    return msgspec.structs.replace(row, key=key, trust=trust, safety_number=number)


def _escape(name: str) -> str:
    return "".join(
        "".join(f"%{byte:02X}" for byte in letter.encode())
        if letter in "%#" or letter.isspace()
        else letter
        for letter in name
    )


def _unescape(text: str) -> str:
    head, *tail = text.split("%")
    try:
        return b"".join([head.encode(), *(_byte(x[:2]) + x[2:].encode() for x in tail)]).decode()
    except ValueError:
        raise DecodeError("a % in a name is followed by two hexadecimal digits") from None


def _byte(code: str) -> bytes:
    if len(code) != 2:
        raise ValueError(code)
    return bytes.fromhex(code)
