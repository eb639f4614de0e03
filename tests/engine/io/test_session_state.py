"""Identity, trusted keys and history that do not belong together are never replaced in silence."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random

import pytest

from chatnet_engine.io.session import SessionFolder
from chatnet_engine.io.session_state import COSTS
from chatnet_engine.main import ONCE
from chatnet_engine.secure.identity import Identity, public_key_text
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.errors import ChatNetError, CommandError
from chatnet_protocol.ids import fingerprint
from chatnet_protocol.ipc.rows import PeerRow, SessionRow, Trust
from freeze_store import load_frozen

FILES = ("identity.key", "history.db", "known_peers")
KEYS = (b"1" * 32, b"2" * 32)
PEERS = (b"B" * 32, b"C" * 32)
TEXT = c.QueueMessages(1, [c.NewMessage(b"i" * 16, 1, b"hello", 5)], 5, False)
SESSION = SessionRow("s", "", "", 1, b"", "", "")


class Start:
    """One start of a session, up to its loaded history, and its end."""

    def __init__(self, path: Path, *ways: str, key: bytes = b"n" * 32) -> None:
        folder = SessionFolder(str(path), "s")
        try:
            self.private_key, self.known = folder.open_state(lambda size: key, ways)
            ledger = folder.open_ledger()
            self.loaded = ledger.load()
            self.view = ledger.load_view(SESSION)
            self.rows = self.known.reconcile(self.loaded.peers, folder._own_key)
            ledger.close()
        finally:
            folder.close()

    @property
    def texts(self) -> list[str]:
        return [row.text for peer in self.view.peers for row in peer.messages]


def make(path: Path, number: int, *, pins: bool = True) -> None:
    """A session with a text to a peer that has the same name everywhere."""
    folder = SessionFolder(str(path), "s")
    _, known = folder.open_state(lambda size: KEYS[number])
    ledger = folder.open_ledger()
    ledger.apply(c.Commit(1, [c.StorePeer(PeerRow(0, "bob", "host", 9)), TEXT]))
    if pins:
        pin = c.StorePeer(
            PeerRow(1, "bob", "host", 9, key=PEERS[number], trust=Trust.PINNED, safety_number="1")
        )
        ledger.apply(c.Commit(2, [pin], known.note([pin], 7)))
    ledger.close()
    folder.close()


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """A folder whose syncs cost nothing, where there is one: there are some thousand starts."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=base) as root:
        yield Path(root)


@pytest.fixture(scope="module")
def made(memory: Path) -> Path:
    for number in (0, 1):
        make(memory / str(number) / "sessions" / "s", number)
    return memory


@pytest.fixture
def path(made: Path) -> Iterator[Path]:
    path = made / "now" / "sessions" / "s"
    shutil.copytree(made / "0" / "sessions" / "s", path)
    yield path
    shutil.rmtree(made / "now")


def content(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in FILES if (path / name).exists()}


def refused(path: Path, *ways: str) -> str:
    """The sentence of a start that is refused and changes nothing."""
    before = content(path)
    with pytest.raises(CommandError) as caught:
        Start(path, *ways)
    assert content(path) == before
    sentence = caught.value.detail
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def other(made: Path, name: str) -> bytes:
    return (made / "1" / "sessions" / "s" / name).read_bytes()


# --- first starts --------------------------------------------------------------------------------


def test_a_first_start_makes_a_key_and_its_history(tmp_path: Path) -> None:
    start = Start(tmp_path / "sessions" / "s")
    assert start.private_key == b"n" * 32
    assert start.loaded.peers == []
    again = Start(tmp_path / "sessions" / "s", key=b"x" * 32)
    assert again.private_key == b"n" * 32
    names = sorted(os.listdir(tmp_path / "sessions" / "s"))
    assert names == ["history.db", "identity.key", "lock"]
    assert (tmp_path / "sessions" / "s" / "identity.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "sessions" / "s" / "history.db").stat().st_mode & 0o777 == 0o600


def test_what_front_ends_put_into_the_folder_before_stays(tmp_path: Path) -> None:
    path = tmp_path / "sessions" / "s"
    path.mkdir(parents=True)
    (path / "start.lock").touch()
    (path / "inbox").mkdir()
    assert Start(path).private_key == b"n" * 32
    assert sorted(os.listdir(path)) == ["history.db", "identity.key", "inbox", "lock", "start.lock"]


def test_known_peers_may_be_absent_or_empty_while_nothing_is_pinned(tmp_path: Path) -> None:
    path = tmp_path / "sessions" / "s"
    make(path, 0, pins=False)
    assert not (path / "known_peers").exists()
    assert Start(path).texts == ["hello"]
    (path / "known_peers").touch()
    assert Start(path).texts == ["hello"]


# --- sessions of before --------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
def test_a_session_of_before_is_taken_once_and_brought_forward(
    tmp_path: Path, version: int
) -> None:
    path = tmp_path / "sessions" / "s"
    path.mkdir(parents=True)
    (path / "identity.key").write_bytes(KEYS[0])
    (path / "known_peers").write_text(f"# mine\nbob {public_key_text(PEERS[0])} 7 yes\n")
    with sqlite3.connect(path / "history.db", isolation_level=None) as db:
        load_frozen(db, version)
    db.close()
    start = Start(path)
    assert start.private_key == KEYS[0]
    assert len(start.loaded.peers) > 1
    assert len((path / "identity.key").read_bytes()) == 40
    first, mine, bob = (path / "known_peers").read_text().splitlines()
    assert first.startswith("# chatnet known_peers of ")
    assert (mine, bob.split()[1][:52]) == ("# mine", public_key_text(PEERS[0]))
    assert Start(path).private_key == KEYS[0]
    (path / "identity.key").write_bytes(KEYS[1])
    assert "belongs to the identity" in refused(path)


# --- every subset --------------------------------------------------------------------------------

FATES = ("whole", "missing", "empty", "swapped", "damaged")


def spoil(path: Path, made: Path, name: str, fate: str) -> None:
    target = path / name
    match fate:
        case "missing":
            target.unlink()
        case "empty":
            target.write_bytes(b"")
        case "swapped":
            target.write_bytes(other(made, name))
        case "damaged":
            target.write_bytes(b"\x00" + target.read_bytes()[1:])
        case _:
            pass


def expected_ways(fates: tuple[str, ...]) -> set[str]:
    """The table of the README of the engine."""
    identity, history, known = fates
    lost = ("missing", "empty", "damaged")
    ways: set[str] = set()
    if set(fates) == {"missing"}:
        return ways
    if identity in lost:
        ways.add("--new-identity")
    if history in lost:
        ways.add("--without-history")
    elif identity not in lost and identity != history:
        ways.add("--adopt-history")
    of = {fate for fate in (identity, history) if fate not in lost}
    if known == "damaged" or (known in ("missing", "empty") and history not in lost):
        ways.add("--without-known-peers")
    if known in ("whole", "swapped") and of and known not in of:
        ways.add("--without-known-peers")
    return ways


@pytest.mark.parametrize("fates", list(product(FATES, repeat=3)), ids="-".join)
def test_every_subset_missing_empty_swapped_or_damaged(
    path: Path, made: Path, fates: tuple[str, ...]
) -> None:
    for name, fate in zip(FILES, fates, strict=True):
        spoil(path, made, name, fate)
    before = content(path)
    ways = expected_ways(fates)
    if not ways:
        start = Start(path)
        if before:
            assert start.private_key in KEYS
            assert start.texts == ["hello"]
            assert start.loaded.peers[0].key in PEERS
            assert not start.known.unlisted
        else:
            assert start.private_key == b"n" * 32
        return
    sentence = refused(path)
    assert {way for way in COSTS if f"{way} (" in sentence} - ways <= {"--without-history"}
    for way in ways:
        assert f"{way} ({COSTS[way]})" in sentence
    for missing in ways:
        assert refused(path, *(ways - {missing}))
    start = Start(path, *ways)
    again = Start(path, key=b"z" * 32)
    assert again.private_key == start.private_key
    assert (start.private_key == b"n" * 32) == ("--new-identity" in ways)
    assert start.texts == ([] if "--without-history" in ways else ["hello"])
    assert all(row.safety_number not in ("", "1") for row in start.rows)
    kept = {file.read_bytes() for file in path.rglob("set-aside-*/*")}
    replaced = {name for name in before if before[name] != content(path)[name]} - {"history.db"}
    if "--without-history" in ways:
        replaced |= {"history.db"} & set(before)
    assert {before[name] for name in replaced} <= kept, "what was there is set aside"


def test_the_ways_on_are_options_of_the_engine() -> None:
    assert list(ONCE) == list(COSTS)


def test_a_way_on_does_nothing_where_nothing_is_wrong(path: Path) -> None:
    before = content(path)
    start = Start(path, *COSTS)
    assert (start.private_key, start.texts) == (KEYS[0], ["hello"])
    assert content(path)["identity.key"] == before["identity.key"]
    assert content(path)["known_peers"] == before["known_peers"]
    assert not list(path.glob("set-aside-*"))


def test_a_history_of_another_identity_can_also_be_left(path: Path, made: Path) -> None:
    spoil(path, made, "history.db", "swapped")
    sentence = refused(path)
    assert all(fingerprint(Identity.from_private_bytes(key).public) in sentence for key in KEYS)
    assert Start(path, "--without-history").texts == []
    [kept] = path.glob("set-aside-1/history.db")
    assert kept.read_bytes() == other(made, "history.db")


def test_an_adopted_history_gets_the_safety_numbers_of_its_new_key(path: Path, made: Path) -> None:
    spoil(path, made, "identity.key", "swapped")
    [row] = Start(path, "--adopt-history").rows
    assert (row.key, row.trust, len(row.safety_number)) == (PEERS[0], Trust.PINNED, 71)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"files": 1}'])
def test_a_change_whose_list_is_damaged_is_one_sentence(path: Path, content: bytes) -> None:
    (path / "state.new").mkdir()
    (path / "state.new" / "ready").write_bytes(content)
    assert "state.new/ready is damaged" in refused(path)
    (path / "state.new" / "ready").unlink()
    assert Start(path).texts == ["hello"], "a change without a list never happened"


# --- flipped bits --------------------------------------------------------------------------------


def flips(data: bytes, seed: int, rounds: int = 300) -> Iterator[bytes]:
    random = Random(seed)
    for _ in range(rounds):
        spoiled = bytearray(data)
        spoiled[random.randrange(len(data))] ^= 1 << random.randrange(8)
        yield bytes(spoiled)


def outcome(path: Path) -> Start | None:
    """None: refused in one sentence. Anything else that is raised is a failure."""
    try:
        return Start(path)
    except ChatNetError:
        return None


def test_every_flipped_bit_of_the_identity_is_noticed(path: Path) -> None:
    key = path / "identity.key"
    whole = key.read_bytes()
    for bit in range(8 * len(whole)):
        spoiled = bytearray(whole)
        spoiled[bit // 8] ^= 1 << bit % 8
        key.write_bytes(spoiled)
        with pytest.raises(CommandError, match=r"identity\.key is damaged"):
            Start(path)


def test_no_flipped_bit_of_known_peers_makes_anybody_trusted(path: Path) -> None:
    known_peers = path / "known_peers"
    whole = known_peers.read_bytes()
    bits = Random(3).sample(range(8 * len(whole)), 300)
    for bit in bits:
        spoiled = bytearray(whole)
        spoiled[bit // 8] ^= 1 << bit % 8
        known_peers.write_bytes(spoiled)
        start = outcome(path)
        if start is None:
            continue
        trusted = {known.key for known in start.known._peers()}
        assert trusted <= {PEERS[0]}
        assert trusted or start.known.unlisted == {1}, "a key that is not named counts as changed"


def test_a_flipped_bit_of_the_history_ends_in_one_sentence_at_most(path: Path) -> None:
    history = path / "history.db"
    whole = history.read_bytes()
    refusals = 0
    for number, spoiled in enumerate(flips(whole, 5)):
        for end in ("-wal", "-shm"):
            (path / f"history.db{end}").unlink(missing_ok=True)
        history.write_bytes(spoiled)
        start = outcome(path)
        refusals += start is None
        if start and start.loaded.peers:
            assert start.private_key == KEYS[0], number
            assert {row.key for row in start.loaded.peers} == {PEERS[0]} or start.known.unlisted
    assert refusals > 10
