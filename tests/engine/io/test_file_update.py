"""Real file processes that update folders: what is taken, what takes whose place, what stays."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.io.file_folder import PARTIAL_FOLDER
from chatnet_protocol.ipc.rows import TransferRow
from file_pair import Pair, RealSide
from file_trees import Tree, look, write
from tcp_proxy import Proxy

MIDDLE = "127.0.0.2"
"""Where a proxy stands."""
LARGE = 200_000


def id_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


class Nightly:
    """One folder at A that B gets again and again."""

    def __init__(self, pair: Pair[RealSide], tmp_path: Path) -> None:
        self.pair = pair
        self.source = tmp_path / "proj"
        self.source.mkdir()
        self.inbox = Path(pair.b.inbox)
        self.sent = 0

    def send(self, files: Tree, state: str = "done") -> TransferRow:
        """The receiver's row in the end."""
        self.begin(files)
        self.pair.run_until(lambda: self.pair.both(state, id_of(self.sent)))
        return self.pair.b.row(id_of(self.sent))

    def begin(self, files: Tree) -> None:
        write(self.source, files)
        self.sent += 1
        self.pair.offer(self.source, transfer_id=id_of(self.sent), update=True)

    def allow(self, allowed: bool = True) -> None:
        b = self.pair.b
        b.transfers.allow_updates(id_of(self.sent), allowed, Now(b.now(), 1))
        self.pair.move()

    def reasons(self) -> tuple[str, str]:
        """Why the newest did not take the earlier one's place: what A and B say."""
        rows = [side.row(id_of(self.sent)) for side in (self.pair.a, self.pair.b)]
        a, b = (row.differences.not_updated if row.differences else "" for row in rows)
        return a, b

    def names(self) -> list[str]:
        """What people see; the other folder goes soon after a transfer is done."""
        return sorted(path.name for path in self.inbox.iterdir() if path.name != PARTIAL_FOLDER)


@pytest.fixture
def nightly(tmp_path: Path) -> Iterator[Nightly]:
    a, b = RealSide("a", tmp_path), RealSide("b", tmp_path)
    pair = Pair(a, b)
    pair.run_until(lambda: bool(a.port and b.port))
    pair.link(True)
    yield Nightly(pair, tmp_path)
    a.close()
    b.close()


FIRST: Tree = {"a.txt": b"a" * LARGE, "b.txt": b"b", "sub/c.txt": b"c" * 50, "sub/d.txt": b""}
SECOND: Tree = {"a.txt": FIRST["a.txt"], "b.txt": b"bb", "sub/d.txt": b"", "new/e.txt": b"e"}


def until_of(nightly: Nightly) -> list[str]:
    return [name for name in nightly.names() if "(until " in name]


def test_the_new_state_takes_the_earlier_ones_place_and_that_stays_beside_it(
    nightly: Nightly,
) -> None:
    nightly.send(FIRST)
    nightly.allow()
    row = nightly.send(SECOND)
    [until] = until_of(nightly)
    assert nightly.names() == ["proj", until]
    assert look(nightly.inbox / "proj") == SECOND
    assert look(nightly.inbox / until) == FIRST
    assert nightly.reasons() == ("", "")
    assert row.path == str(nightly.inbox / "proj")
    assert row.updates_allowed
    assert row.differences is None


@pytest.fixture
def proxy(nightly: Nightly) -> Iterator[Proxy]:
    """Between A, who dials, and B."""
    nightly.pair.a.host = MIDDLE
    nightly.pair.link(True)
    proxy = Proxy(MIDDLE, ("127.0.0.1", nightly.pair.b.port))
    yield proxy
    proxy.close()


def test_unchanged_files_do_not_travel(nightly: Nightly, proxy: Proxy) -> None:
    nightly.send(FIRST)
    nightly.allow()
    nightly.send(SECOND)
    sizes = [len(stream) for stream in proxy.streams]
    assert len(sizes) == 2
    assert sizes[0] > LARGE
    assert sizes[1] < LARGE // 100
    assert until_of(nightly)


def test_nothing_takes_a_place_before_it_was_allowed(nightly: Nightly) -> None:
    nightly.send(FIRST)
    row = nightly.send(SECOND)
    assert nightly.names() == ["proj", "proj (1)"]
    assert look(nightly.inbox / "proj") == FIRST
    assert look(nightly.inbox / "proj (1)") == SECOND
    assert nightly.reasons() == ("update-not-allowed",) * 2
    assert not row.updates_allowed


def test_permission_can_be_taken_back(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow()
    nightly.send(SECOND)
    nightly.allow(allowed=False)
    nightly.send(FIRST)
    assert nightly.reasons() == ("update-not-allowed",) * 2
    assert look(nightly.inbox / "proj") == SECOND


def test_a_copy_that_was_changed_stays_and_both_sides_know(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow()
    (nightly.inbox / "proj/mine.txt").write_bytes(b"mine")
    nightly.send(SECOND)
    assert nightly.names() == ["proj", "proj (1)"]
    assert look(nightly.inbox / "proj") == FIRST | {"mine.txt": b"mine"}
    assert look(nightly.inbox / "proj (1)") == SECOND
    assert nightly.reasons() == ("update-changed",) * 2
    # From now on the one beside it is updated.
    nightly.send(FIRST)
    assert nightly.reasons() == ("", "")
    assert look(nightly.inbox / "proj (1)") == FIRST
    assert look(nightly.inbox / "proj") == FIRST | {"mine.txt": b"mine"}
    [until] = until_of(nightly)
    assert until.startswith("proj (1) (until ")


def test_a_copy_that_was_moved_is_not_looked_for(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow()
    (nightly.inbox / "proj").rename(nightly.inbox / "elsewhere")
    nightly.send(SECOND)
    assert nightly.reasons() == ("update-moved",) * 2
    assert look(nightly.inbox / "proj") == SECOND
    assert look(nightly.inbox / "elsewhere") == FIRST


def states(count: int) -> list[Tree]:
    """Of one size."""
    return [{"a.txt": bytes((48 + number,)) * LARGE, "b.txt": b"b"} for number in range(count)]


def test_the_newest_earlier_states_stay_up_to_twice_the_size(nightly: Nightly) -> None:
    every = states(5)
    nightly.send(every[0])
    nightly.allow()
    for files in every[1:]:
        nightly.send(files)
        assert nightly.reasons() == ("", "")
    nightly.pair.run_until(lambda: len(until_of(nightly)) <= 2)  # removed after "done"
    kept = [look(nightly.inbox / name) for name in until_of(nightly)]
    assert sorted(tree["a.txt"][:1] for tree in kept) == [b"2", b"3"]
    assert look(nightly.inbox / "proj") == every[4]
    nightly.pair.run_until(lambda: not (nightly.inbox / PARTIAL_FOLDER).exists())


def test_a_folder_of_nothing_but_what_is_here_needs_no_byte(nightly: Nightly) -> None:
    nightly.send(FIRST)
    nightly.allow()
    row = nightly.send(FIRST)
    assert nightly.reasons() == ("", "")
    assert row.done_bytes == row.size_bytes == sum(map(len, FIRST.values()))
    assert look(nightly.inbox / "proj") == FIRST


def test_a_copy_changed_while_the_rest_arrives_is_not_replaced(
    nightly: Nightly, proxy: Proxy
) -> None:
    nightly.send(FIRST)
    nightly.allow()
    proxy.hold_after = 100
    nightly.begin(SECOND)
    nightly.pair.run_until(lambda: len(proxy.streams) == 2 and proxy.held.is_set())
    (nightly.inbox / "proj/late.txt").write_bytes(b"late")
    proxy.release.set()
    nightly.pair.run_until(lambda: nightly.pair.both("done", id_of(2)))
    assert look(nightly.inbox / "proj") == FIRST | {"late.txt": b"late"}
    assert look(nightly.inbox / "proj (1)") == SECOND
    assert nightly.reasons() == ("update-changed",) * 2


@pytest.mark.parametrize("moves", [3, 20, 60])
def test_killed_anywhere_it_goes_on(nightly: Nightly, moves: int) -> None:
    nightly.send(FIRST)
    nightly.allow()
    b = nightly.pair.b
    nightly.begin(SECOND)
    for _ in range(moves):
        nightly.pair.move()
    b.restart()
    nightly.pair.run_until(lambda: bool(b.port))
    nightly.pair.link(True)
    nightly.pair.run_until(lambda: nightly.pair.both("done", id_of(2)))
    assert nightly.reasons() == ("", "")
    [until] = until_of(nightly)
    assert nightly.names() == ["proj", until]
    assert (look(nightly.inbox / "proj"), look(nightly.inbox / until)) == (SECOND, FIRST)
