"""One peer read again while the engine runs: as a start would, and no more than was missed."""

from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import restores as cr
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.ipc.rows import AckRange, MessageKind, TransferRow
from simworld.ledger_harness import SOURCE, LedgerHarness, arrived, message_id, texts

FILES = encode_offer(Offer([OfferedFile(["a.txt"], 9)]))


def world() -> LedgerHarness:
    """Two peers; the first has five messages, two of its own delivered, an offer and a transfer."""
    harness = LedgerHarness()
    harness.add_peer()
    harness.add_peer(b"o" * 32, "other")
    for peer in (1, 2):
        harness.hello(peer, 7)
    harness.queue(1, texts(1, 2, 3))
    harness.accept(1, 7, 1, arrived(11))
    harness.queue(2, texts(21))
    harness.do(c.StoreReceipts(1, [AckRange(1, 1, 1)]))
    harness.do(c.StoreReceipts(1, [AckRange(3, 3, 2)]))
    for peer, number in ((1, 12), (2, 22)):
        offer = c.Message(MessageKind.OFFER, message_id(number), 9, 2000, FILES)
        first = 2 if peer == 1 else 1
        harness.do(c.AcceptMessages(peer, 7, first, [offer], SOURCE, 5000))
        row = TransferRow(message_id(number + 50), peer, 1, True, "active", "n", 1, 9)
        harness.do(c.StoreTransfer(row, b"detail"))
    return harness


def test_a_peer_is_read_as_a_start_reads_it() -> None:
    harness = world()
    loaded = harness.ledger.load()
    found = harness.do(c.LoadPeer(1, 0, 0))
    assert found.row == loaded.peers[0]
    assert found.state == loaded.states[0]
    assert found.tail == harness.ledger.load_view(harness.view.session).peers[0].messages
    assert found.restore == cr.RestoreState(1, "none")
    assert found.transfers == [one for one in loaded.transfers if one.row.peer == 1]
    assert [row.id for row in found.offers] == [message_id(12)]
    assert [row.no for row in found.rows] == [1, 2, 3, 4, 6]


def test_only_what_front_ends_have_missed_is_read() -> None:
    harness = world()
    found = harness.do(c.LoadPeer(1, 3, 2))
    assert [row.no for row in found.rows] == [4, 6]
    assert found.runs == [AckRange(3, 3, 3)]
    assert harness.do(c.LoadPeer(1, 6, 3)).rows == []
    assert harness.do(c.LoadPeer(1, 6, 3)).runs == []


def test_a_peer_that_is_not_listed_any_more_has_no_row() -> None:
    harness = world()
    harness.do(c.ForgetPeer(1))
    assert harness.do(c.LoadPeer(1, 0, 0)).row is None
