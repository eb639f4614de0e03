"""Watermarks only grow and never pass what exists; of two drafts the first wins."""

import pytest

from chatnet_engine.ledger import counters
from chatnet_engine.store_ops import commit as c
from simworld.ledger_harness import LedgerHarness, arrived, texts


@pytest.fixture
def harness() -> LedgerHarness:
    harness = LedgerHarness()
    harness.add_peer()
    harness.hello(1, 7)
    harness.queue(1, texts(1, 2, 3))
    harness.accept(1, 7, 1, arrived(*range(10, 15)))
    return harness


def test_marks_grow_to_the_maximum(harness: LedgerHarness) -> None:
    first = c.StoreMarks(1, sent_seq=2, peer_shown=3, peer_read=1, my_shown=4, my_read=2)
    assert harness.do(first) == c.MarksStored(1, True, 2, 3, 1, 4, 2)
    assert harness.do(first) == c.MarksStored(1, False, 2, 3, 1, 4, 2)
    assert harness.do(c.StoreMarks(1, my_read=3)) == c.MarksStored(1, True, 2, 3, 1, 4, 3)
    assert harness.do(c.StoreMarks(1)) == c.MarksStored(1, False, 2, 3, 1, 4, 3)


def test_what_is_known_of_a_line_is_replaced(harness: LedgerHarness) -> None:
    assert counters.peer_state(harness.connection, 1).line == b""
    assert harness.do(c.StoreLine(1, b"once")) == c.LineStored(1, b"once")
    harness.do(c.StoreLine(1, b"then"))
    assert counters.peer_state(harness.connection, 1).line == b"then"


def test_our_own_marks_never_pass_what_exists(harness: LedgerHarness) -> None:
    result = harness.do(c.StoreMarks(1, sent_seq=99, my_shown=99, my_read=99))
    assert (result.sent_seq, result.my_shown, result.my_read) == (3, 5, 5)


def test_the_first_of_two_drafts_wins_and_the_other_is_told(harness: LedgerHarness) -> None:
    assert harness.do(c.StoreDraft(1, "one", 0)) == c.DraftStored(1, True, 1, "one")
    assert harness.do(c.StoreDraft(1, "two", 0)) == c.DraftStored(1, False, 1, "one")
    assert harness.do(c.StoreDraft(1, "two", 1)) == c.DraftStored(1, True, 2, "two")
    assert harness.view.peers[0].draft == "two"
