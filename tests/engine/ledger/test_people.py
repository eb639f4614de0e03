"""Who the peers are: numbers, keys, forgetting, and two that turn out to be one."""

import msgspec
import pytest

from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import restores as cr
from chatnet_protocol.ipc.rows import AckRange, PeerRow, TransferRow
from chatnet_protocol.wire.frames import Receipt
from simworld.ledger_harness import LedgerHarness, arrived, message_id, texts

KEY = b"k" * 32


@pytest.fixture
def harness() -> LedgerHarness:
    return LedgerHarness()


def typed(harness: LedgerHarness, name: str = "typed") -> int:
    stored: c.PeerStored = harness.do(c.StorePeer(PeerRow(0, name, "h", 2)))
    return stored.row.peer


def test_a_new_peer_gets_the_next_number_and_counts_from_nothing(harness: LedgerHarness) -> None:
    result = harness.do(c.StorePeer(PeerRow(0, "a", "h", 1, address="h:1", offered_key=b"o" * 32)))
    assert result.row == PeerRow(1, "a", "h", 1, address="h:1", offered_key=b"o" * 32)
    assert result.state == c.PeerState(1)
    assert typed(harness) == 2
    assert [row.name for row in harness.ledger.load().peers] == ["a", "typed"]


def test_an_update_writes_every_field(harness: LedgerHarness) -> None:
    typed(harness)
    row = PeerRow(1, "n", "h2", 9, KEY, "verified", "", "a:1", "123", b"o" * 32, 77)
    assert harness.do(c.StorePeer(row)).row == row
    assert harness.ledger.load().peers == [row]


def test_a_key_belongs_to_one_peer(harness: LedgerHarness) -> None:
    harness.add_peer(KEY)
    number = typed(harness)
    row = PeerRow(number, "typed", "h", 2, key=KEY)
    refused = harness.do(c.StorePeer(row))
    assert (refused.state, refused.refused) == (c.PeerState(1), 1)
    assert harness.ledger.load().peers[1].key == b""


def test_an_unknown_peer_cannot_be_changed(harness: LedgerHarness) -> None:
    row = PeerRow(4, "x", "h", 1)
    assert harness.do(c.StorePeer(row)) == c.PeerStored(row, c.PeerState(4), 4)
    assert harness.ledger.load().peers == []


def test_what_a_peer_calls_itself_is_not_changed_by_its_user(harness: LedgerHarness) -> None:
    number = harness.add_peer(KEY)
    harness.do(c.ApplyHello(number, 1, 1, 0, 0, 0, "Bob"))
    row = harness.ledger.load().peers[0]
    late = harness.do(c.StorePeer(PeerRow(number, "n", row.host, row.port, KEY, row.trust)))
    assert late.row.display_name == "Bob"
    assert harness.ledger.load().peers[0] == late.row


def test_numbers_of_peers_are_never_reused(harness: LedgerHarness) -> None:
    harness.do(c.ForgetPeer(typed(harness)))
    assert typed(harness) == 2


def test_a_peer_that_never_said_anything_leaves_no_trace_after_a_restart(
    harness: LedgerHarness,
) -> None:
    for key in (KEY, b"o" * 32):
        harness.do(c.StorePeer(PeerRow(0, "s", "", 0, key=key)))
    harness.hello(1, 7)
    harness.do(c.StoreDraft(1, "x", 0))
    harness.do(c.ForgetPeer(1))
    harness = LedgerHarness.from_image(harness.image())
    for table, count in (("peers", 1), ("counters", 1), ("drafts", 0), ("inbound_runs", 0)):
        assert harness.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (count,)
    assert typed(harness) == 3


def test_what_was_asked_of_a_peer_before_it_was_forgotten_does_no_harm(
    harness: LedgerHarness,
) -> None:
    harness.add_peer(KEY)
    harness.do(c.ForgetPeer(1))
    harness.do_all(
        c.ApplyHello(1, 7, 1, 0, 0, 0, ""),
        c.AcceptMessages(1, 7, 1, arrived(1), "", 1),
        c.QueueMessages(1, texts(2), 1, True),
        c.LoadOutbox(1, 0, 100, 10),
        c.StoreReceipts(1, [AckRange(1, 1, 1)]),
        c.StoreMarks(1, my_read=1),
        c.StoreDraft(1, "x", 0),
        c.ForgetPeer(1),
    )
    assert harness.view.peers == []
    assert harness.view.last_no == 2


def test_a_forgotten_peer_leaves_the_list_and_its_rows_stay(harness: LedgerHarness) -> None:
    harness.add_peer(KEY)
    harness.queue(1, texts(1))
    assert harness.do(c.ForgetPeer(1)) == c.PeerForgotten(1, 0, None)
    assert harness.ledger.load().peers == []
    assert len(harness.history()) == 1
    assert harness.do(c.StorePeer(PeerRow(1, "x", "h", 1))).refused == 1


def test_a_wish_for_the_conversation_goes_with_its_peer(harness: LedgerHarness) -> None:
    harness.add_peer(KEY)
    harness.hello(1, 7, acked_total=5)
    harness.do(cr.StoreRestoreRequest(1, 9, "asking"))
    harness.do(c.ForgetPeer(1))
    assert harness.ledger.load().restores == []
    assert harness.connection.execute("SELECT count(*) FROM restores").fetchone() == (0,)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_key_that_comes_back_goes_on_where_it_was(harness: LedgerHarness, at_once: bool) -> None:
    harness.add_peer(KEY)
    harness.hello(1, 7)
    harness.queue(1, texts(1, 2))
    harness.accept(1, 7, 1, arrived(11, 12, lamport=30))
    harness.do(c.StoreReceipts(1, [AckRange(2, 2, 2)]))
    harness.do(c.ForgetPeer(1))
    number = harness.add_peer(KEY if at_once else b"")
    if not at_once:
        harness.do(c.StorePeer(PeerRow(number, "bob", "host", 1, key=KEY)))
    state = harness.state(number)
    assert number == 2
    assert (state.received_total, state.acked_total, state.lamport) == (2, 2, 31)
    assert (state.incarnation, state.mark, state.my_read, state.last_seq) == (7, 2, 2, 0)
    assert harness.hello(number, 7, base=2).receipts == [Receipt(2, 2, 1)]
    result = harness.accept(number, 7, 3, arrived(12, 13))
    assert [(row.id, row.ack) for row in result.rows] == [(message_id(13), 3)]
    assert harness.view.peers[0].unread == 1


def test_a_peer_in_use_that_takes_a_forgotten_key_keeps_its_own_counters(
    harness: LedgerHarness,
) -> None:
    harness.add_peer(KEY)
    harness.hello(1, 7)
    harness.accept(1, 7, 1, arrived(1, 2))
    harness.do(c.ForgetPeer(1))
    harness.add_peer(b"o" * 32)
    harness.hello(2, 8)
    harness.accept(2, 8, 1, arrived(3))
    harness.do(c.StorePeer(PeerRow(2, "bob", "host", 1, key=KEY)))
    assert (harness.state(2).received_total, harness.state(2).incarnation) == (1, 8)


def test_a_key_that_comes_back_as_a_stranger_and_is_merged_is_who_it_was(
    harness: LedgerHarness,
) -> None:
    harness.add_peer(KEY)
    harness.hello(1, 7)
    harness.accept(1, 7, 1, arrived(11, 12))
    harness.do(c.ForgetPeer(1))
    stranger = harness.do(c.StorePeer(PeerRow(0, "s", "", 0, key=KEY, trust="pending"))).row.peer
    number = typed(harness)
    harness.do(c.ForgetPeer(stranger, number))
    harness.do(c.StorePeer(PeerRow(number, "typed", "h", 2, key=KEY, trust="pinned")))
    assert harness.state(number).received_total == 2
    harness.hello(number, 8)
    result = harness.accept(number, 8, 1, arrived(12, 13))
    assert [(row.id, row.ack) for row in result.rows] == [(message_id(13), 3)]
    authors = harness.connection.execute("SELECT DISTINCT author FROM messages").fetchall()
    assert len(authors) == 1


def test_a_typed_peer_merges_into_the_one_whose_key_it_has(harness: LedgerHarness) -> None:
    harness.add_peer(KEY)
    harness.hello(1, 7)
    harness.queue(1, texts(1, 2), release=True)
    harness.do(c.StoreReceipts(1, [AckRange(1, 1, 1)]))
    harness.accept(1, 7, 1, arrived(11, lamport=20))
    number = typed(harness)
    harness.queue(number, texts(3, 4))
    harness.do(c.FailMessage(number, 1, "withdrawn"))
    harness.do(c.StoreDraft(number, "half", 0))
    result = harness.do(c.ForgetPeer(number, 1))
    assert result.state == harness.state(1)
    assert (result.state.last_seq, result.state.delivered_seq) == (4, 1)
    assert (result.state.draft, result.state.draft_revision) == ("half", 1)
    assert result.seq_offset == 2
    page = harness.do(c.LoadOutbox(1, 1, 10**9, 100))
    assert [(row.seq, row.message.id, row.message.lamport) for row in page.rows] == [
        (2, message_id(2), 2),
        (4, message_id(4), 21),
    ]
    assert harness.queue(1, texts(5)).rows[0].lamport == 22
    assert [row.peer for row in harness.ledger.load().peers] == [1]


def test_merging_into_a_conversation_with_nothing_waiting_goes_on_in_order(
    harness: LedgerHarness,
) -> None:
    harness.add_peer(KEY)
    harness.queue(1, texts(1))
    harness.do(c.StoreReceipts(1, [AckRange(1, 5, 1)]))
    number = typed(harness)
    harness.queue(number, texts(2, 3))
    harness.do(c.FailMessage(number, 1, "no"))
    assert harness.do(c.ForgetPeer(number, 1)).state.delivered_seq == 2
    harness.do(c.StoreReceipts(1, [AckRange(3, 6, 1)]))
    assert harness.state(1).delivered_seq == 3
    assert [(row.seq, row.ack) for row in harness.history()] == [(1, 5), (2, 0), (3, 6)]


def test_two_used_conversations_merge_by_their_maxima(harness: LedgerHarness) -> None:
    for number, key in ((1, b"a" * 32), (2, b"b" * 32)):
        harness.add_peer(key)
        harness.hello(number, number)
        harness.queue(number, texts(number * 10, number * 10 + 1))
        harness.accept(number, number, 1, arrived(*range(50, 50 + number)))
        harness.do(c.StoreReceipts(number, [AckRange(2, number + 1, 2)]))
        harness.do(c.StoreMarks(number, my_shown=number, my_read=1, peer_read=1, peer_shown=2))
    harness.do(c.StoreDraft(1, "kept", 0))
    harness.do(c.StoreDraft(2, "lost", 0))
    state = harness.do(c.ForgetPeer(2, 1)).state
    assert (state.received_total, state.acked_total, state.my_shown, state.my_read) == (2, 3, 2, 1)
    assert (state.last_seq, state.delivered_seq, state.sent_seq, state.draft) == (4, 4, 4, "kept")
    assert [row.ack for row in harness.history() if row.mine] == [1, 2, 2, 3]


def test_transfers_move_along(harness: LedgerHarness) -> None:
    harness.add_peer(KEY)
    number = typed(harness)
    row = TransferRow(message_id(1), number, 1, True, "offered", "f", 1, 2)
    harness.do(c.StoreTransfer(row, b""))
    harness.do(c.ForgetPeer(number, 1))
    assert harness.view.transfers == [msgspec.structs.replace(row, peer=1)]


def test_a_chain_of_merges_leads_to_its_end(harness: LedgerHarness) -> None:
    first, second, third = typed(harness), typed(harness), typed(harness)
    harness.do(c.ForgetPeer(first, second))
    harness.do(c.ForgetPeer(second, third))
    assert harness.do(c.QueueMessages(first, texts(1), 1, False)).peer == third
    assert harness.do(c.ForgetPeer(third, third)) == c.PeerForgotten(third, 0, None)


def test_a_chosen_size_is_stored_with_that_it_was_chosen(harness: LedgerHarness) -> None:
    row = PeerRow(0, "n", "h", 9, auto_accept_bytes=7, auto_accept_set=True)
    stored = harness.do(c.StorePeer(row)).row
    assert harness.ledger.load().peers == [stored]
    assert stored.auto_accept_set


def test_refused_keys_and_a_block_are_read_as_they_were_stored(harness: LedgerHarness) -> None:
    refused = [bytes((number,)) * 32 for number in (1, 2, 3)]
    row = PeerRow(0, "n", "h", 9, refused_keys=refused, blocked=True)
    stored = harness.do(c.StorePeer(row)).row
    assert harness.ledger.load().peers == [stored]
    assert (stored.refused_keys, stored.blocked) == (refused, True)
    harness.do(c.StorePeer(msgspec.structs.replace(stored, refused_keys=[], blocked=False)))
    assert harness.ledger.load().peers[0].refused_keys == []
    assert not harness.ledger.load().peers[0].blocked


def test_a_default_that_a_new_version_changed_is_named_until_the_peer_is_stored(
    harness: LedgerHarness,
) -> None:
    number = typed(harness)
    assert harness.ledger.load().asking_now == []
    harness.connection.execute("UPDATE peers SET auto_accept_set = 2")
    loaded = harness.ledger.load()
    assert loaded.asking_now == [number]
    assert not loaded.peers[0].auto_accept_set
    harness.do(c.StorePeer(loaded.peers[0]))
    assert harness.ledger.load().asking_now == []
