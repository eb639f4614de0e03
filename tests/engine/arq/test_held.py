"""What is kept out of order: of a link, and of all links."""

import pytest

from chatnet_engine.arq.held import Held, HeldTotal
from chatnet_protocol.limits import HELD_SHARE_BYTES, MAX_HELD_BYTES

SHARE = HELD_SHARE_BYTES


def test_a_link_has_space_up_to_its_limit() -> None:
    held = Held(100, HeldTotal())
    held.add(60)
    assert held.has_space(40)
    assert not held.has_space(41)
    held.add(-20)
    assert held.has_space(60)


@pytest.mark.parametrize("others", [0, 1])
def test_all_links_have_space_up_to_the_total(others: int) -> None:
    total = HeldTotal(10 * SHARE)
    Held(10 * SHARE, total).add(8 * SHARE - 1 + others)
    held = Held(10 * SHARE, total)
    held.add(SHARE)
    assert held.has_space(SHARE + 1) == (not others)


def test_a_full_total_leaves_each_link_its_share() -> None:
    total = HeldTotal(SHARE)
    Held(10 * SHARE, total).add(5 * SHARE)
    held = Held(10 * SHARE, total)
    assert held.has_space(SHARE)
    assert not held.has_space(SHARE + 1)
    assert not Held(SHARE - 1, total).has_space(SHARE), "nor beyond its own limit"


def test_a_link_that_is_over_gives_back_what_it_kept() -> None:
    total = HeldTotal()
    assert total.limit_bytes == MAX_HELD_BYTES
    held, other = Held(1000, total), Held(1000, total)
    held.add(600)
    other.add(5)
    held.release()
    assert (held.weight_bytes, total.weight_bytes) == (0, 5)
