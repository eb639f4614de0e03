"""Rows that cannot be read are left out by name, at a start and later; the others are read."""

import pytest

from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import restores as cr
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.ipc.rows import MessageKind, TransferRow
from simworld.ledger_harness import SOURCE, LedgerHarness, arrived, message_id

NO_UTF8 = "CAST(x'62c328' AS TEXT)"
FILES = encode_offer(Offer([OfferedFile(["a.txt"], 9)]))
TRANSFER, UNUSED_OFFER = message_id(12), message_id(13)


@pytest.fixture
def harness() -> LedgerHarness:
    """Two peers; the first sent a text and two offers, one of them with a transfer."""
    harness = LedgerHarness()
    harness.add_peer()
    harness.add_peer(b"o" * 32, "other")
    harness.hello(1, 7)
    harness.accept(1, 7, 1, arrived(11))
    offers = [
        c.Message(MessageKind.OFFER, message_id(number), number, 2000, FILES) for number in (12, 13)
    ]
    harness.do(c.AcceptMessages(1, 7, 2, offers, SOURCE, 5000))
    row = TransferRow(TRANSFER, 1, 2, False, "offered", "a.txt", 1, 9)
    harness.do(c.StoreTransfer(row, b"detail"))
    harness.do(cr.StoreRestoreRequest(1, 5, "asking"))
    return harness


def start(harness: LedgerHarness, *damage: str) -> c.Loaded:
    """What a start on the damaged store reads."""
    harness.connection.execute("PRAGMA foreign_keys = OFF")
    for statement in damage:
        harness.connection.execute(statement)
    return Ledger(harness.connection).load()


def left_out(loaded: c.Loaded) -> list[tuple[str, int, str]]:
    return [(one.what, one.peer, one.name) for one in loaded.left_out]


@pytest.mark.parametrize(
    "damage",
    [
        f"UPDATE peers SET name = {NO_UTF8} WHERE peer = 1",
        "UPDATE peers SET key = x'010203' WHERE peer = 1",
        "UPDATE peers SET trust = 'total' WHERE peer = 1",
        "DELETE FROM counters WHERE peer = 1",
    ],
)
def test_a_damaged_peer_is_left_out_with_its_transfers(harness: LedgerHarness, damage: str) -> None:
    loaded = start(harness, damage)
    assert [(what, peer) for what, peer, _ in left_out(loaded)] == [(c.LeftOut.PEER, 1)]
    assert [row.peer for row in loaded.peers] == [2]
    assert loaded.transfers == []


def test_a_damaged_message_is_left_out_and_named(harness: LedgerHarness) -> None:
    loaded = start(harness, f"UPDATE messages SET source = {NO_UTF8} WHERE no = 1")
    assert left_out(loaded) == [(c.LeftOut.MESSAGE, 1, "bob")]
    assert "message 1" in loaded.left_out[0].error
    assert [row.peer for row in loaded.peers] == [1, 2]


def test_a_damaged_restore_leaves_its_peer_listed(harness: LedgerHarness) -> None:
    loaded = start(harness, "UPDATE restores SET mine = 'perhaps' WHERE peer = 1")
    assert left_out(loaded) == [(c.LeftOut.RESTORE, 1, "bob")]
    assert [row.peer for row in loaded.peers] == [1, 2]


@pytest.mark.parametrize(
    ("column", "name"),
    [
        (f"name = {NO_UTF8}", ""),
        ("state = 'lost'", "a.txt"),
        ("id = x'0102'", "a.txt"),
        ("differences = x'c1'", "a.txt"),
        ("reason = '[1]'", "a.txt"),
    ],
)
def test_a_damaged_transfer_is_left_out_at_a_start_and_later(
    harness: LedgerHarness, column: str, name: str
) -> None:
    loaded = start(harness, f"UPDATE transfers SET {column}")
    assert left_out(loaded) == [(c.LeftOut.TRANSFER, 1, name)]
    assert loaded.transfers == []
    ledger = Ledger(harness.connection)
    answer = ledger.apply(c.Commit(1, [c.LoadPeer(1, 0, 0)]))
    assert isinstance(answer, c.Committed)
    again = answer.results[0]
    assert isinstance(again, c.PeerLoaded)
    assert again.transfers == []
    assert again.row == loaded.peers[0]


def test_what_comes_after_a_damaged_transfer_is_read(harness: LedgerHarness) -> None:
    others = [bytes((number,)) * 16 for number in (0, 255)]  # in the order of ids, whichever way
    for one in others:
        harness.do(c.StoreTransfer(TransferRow(one, 1, 2, False, "offered", "b", 1, 9), b"x"))
    loaded = start(harness, f"UPDATE transfers SET state = 'lost' WHERE id = x'{TRANSFER.hex()}'")
    assert [one.id for one in loaded.left_out] == [TRANSFER]
    assert {stored.row.id for stored in loaded.transfers} == set(others)


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        ("UPDATE peers SET key = x'010203' WHERE peer = 1", "ValueError: a key of a wrong length"),
        ("UPDATE transfers SET id = x'0102'", "ValueError: an id of a wrong length"),
        (
            "UPDATE restores SET mine = 'perhaps' WHERE peer = 1",
            "ValueError: 'perhaps' is not a valid RestoreMine",
        ),
    ],
)
def test_what_is_wrong_with_a_row_is_named(harness: LedgerHarness, damage: str, error: str) -> None:
    assert [one.error for one in start(harness, damage).left_out] == [error]


def test_a_damaged_folder_is_not_found_as_an_earlier_one(harness: LedgerHarness) -> None:
    columns = "state = 'done', mine = 0, kind = 'folder', name = 'proj'"
    harness.connection.execute(f"UPDATE transfers SET {columns}")
    ledger = Ledger(harness.connection)
    answers = []
    for number, column in ((1, "by_whom = ''"), (2, "differences = x'c1'")):
        harness.connection.execute(f"UPDATE transfers SET {column}")
        answer = ledger.apply(c.Commit(number, [c.FindFolder(b"?" * 16, 1, "proj")]))
        assert isinstance(answer, c.Committed)
        answers += answer.results
    found, damaged = answers
    assert isinstance(found, c.FolderFound)
    assert found.found
    assert damaged == c.FolderFound(None)


def test_an_offer_that_cannot_be_read_is_named_and_not_offered(harness: LedgerHarness) -> None:
    assert [(peer, row.id) for peer, row in start(harness).offers] == [(1, UNUSED_OFFER)]
    loaded = start(harness, "UPDATE messages SET body = x'c1' WHERE no = 3")
    assert loaded.offers == []
    assert left_out(loaded) == [(c.LeftOut.MESSAGE, 1, "bob")]
    assert "the offer of message 3" in loaded.left_out[0].error
