"""Real file processes that update a folder of more files than an offer's message names."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files.detail import decode_detail
from chatnet_engine.io.file_folder import PARTIAL_FOLDER
from chatnet_protocol.limits import MAX_FILES_IN_OFFER
from file_pair import Pair, RealSide
from file_trees import Tree, look
from tcp_proxy import Proxy

pytestmark = pytest.mark.e2e
FILES = MAX_FILES_IN_OFFER + 200
FIRST, SECOND = (bytes((number,)) * 16 for number in (1, 2))
MIDDLE = "127.0.0.2"
"""Where a proxy stands."""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair[RealSide]]:
    pair = Pair(RealSide("a", tmp_path), RealSide("b", tmp_path))
    pair.b.verified = True
    pair.run_until(lambda: bool(pair.a.port and pair.b.port))
    pair.link(True)
    yield pair
    pair.a.close()
    pair.b.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    top = tmp_path / "out" / "many"
    for number in range(FILES):
        folder = top / f"{number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"f{number}").write_bytes(b"%d " % number * 100)
    return top


def change(top: Path, word: bytes, count: int) -> None:
    for number in range(count):
        (top / f"{number % 7}" / f"f{number}").write_bytes(word * number)


def send(pair: Pair[RealSide], source: Path, transfer_id: bytes) -> None:
    pair.offer(source, transfer_id=transfer_id, update=True)
    pair.run_until(lambda: pair.both("done", transfer_id))


def allow(pair: Pair[RealSide], transfer_id: bytes) -> None:
    pair.b.transfers.allow_updates(transfer_id, True, Now(pair.b.now(), 1))
    pair.move()


def check_updated(pair: Pair[RealSide], source: Path, transfer_id: bytes, before: Tree) -> None:
    """In the earlier one's place, which stays beside it, and nothing else is left."""
    inbox = Path(pair.b.inbox)
    for side in (pair.a, pair.b):
        assert side.row(transfer_id).differences is None
    pair.run_until(lambda: not (inbox / PARTIAL_FOLDER).exists())
    [until] = [name for name in os.listdir(inbox) if "(until " in name]
    assert sorted(os.listdir(inbox)) == ["many", until]
    assert look(inbox / "many") == look(source)
    assert look(inbox / until) == before
    assert f"{transfer_id.hex()}.manifest" in os.listdir(f"{pair.b.inbox}-listings")


def test_only_what_changed_travels(pair: Pair[RealSide], source: Path) -> None:
    pair.a.host = MIDDLE
    pair.link(True)
    proxy = Proxy(MIDDLE, ("127.0.0.1", pair.b.port))
    try:
        send(pair, source, FIRST)
        allow(pair, FIRST)
        before = look(source)
        change(source, b"x", 10)
        send(pair, source, SECOND)
        check_updated(pair, source, SECOND, before)
        pair.run_until(lambda: len(os.listdir(f"{pair.b.inbox}-listings")) == 1)
        first, listing, rest = (len(stream) for stream in proxy.streams)
    finally:
        proxy.close()
    files = sum(map(len, before.values()))
    assert first > files
    assert listing + rest < files // 10


def test_a_copy_that_was_changed_is_not_replaced(pair: Pair[RealSide], source: Path) -> None:
    send(pair, source, FIRST)
    allow(pair, FIRST)
    mine = Path(pair.b.inbox) / "many" / "3" / "f3"
    mine.write_bytes(b"mine")
    send(pair, source, SECOND)
    for side in (pair.a, pair.b):
        differences = side.row(SECOND).differences
        assert differences is not None
        assert differences.not_updated == "update-changed"
    assert mine.read_bytes() == b"mine"
    assert look(Path(pair.b.inbox) / "many (1)") == look(source)


@pytest.mark.parametrize("name", ["a", "b"])
def test_killed_at_every_stage_it_is_updated_all_the_same(
    pair: Pair[RealSide], source: Path, name: str
) -> None:
    send(pair, source, FIRST)
    allow(pair, FIRST)
    before = look(source)
    change(source, b"x", 200)
    pair.offer(source, transfer_id=SECOND, update=True)
    partials = Path(pair.b.inbox) / PARTIAL_FOLDER

    def is_complete() -> bool:
        stored = pair.b.store[SECOND]
        return decode_detail(stored.detail, stored.listing)[0].exchange is not None

    stages = (
        (partials / f"{SECOND.hex()}-listing").exists,
        (partials / f"{SECOND.hex()}-0").exists,
        is_complete,
    )
    for is_reached in stages:
        pair.run_until(is_reached)
        (pair.b if name == "b" else pair.a).restart()
        pair.run_until(lambda: bool(pair.a.port and pair.b.port))
        pair.link(True)
    pair.run_until(lambda: pair.both("done", SECOND))
    check_updated(pair, source, SECOND, before)
