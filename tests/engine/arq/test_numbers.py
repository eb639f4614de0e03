"""Packet numbers: unique, rising, some left out, lies found."""

from random import Random

import pytest

from chatnet_engine.arq.numbers import MIN_SKIP_DISTANCE, SKIPS_KEPT, PacketNumbers
from chatnet_protocol.errors import RemoteProtocolError


def test_numbers_rise_from_the_first_and_some_are_left_out() -> None:
    numbers = PacketNumbers(7, Random(1).randbytes)
    taken = [numbers.take() for _ in range(5000)]
    assert taken[0] == 7
    assert taken == sorted(set(taken))
    left_out = taken[-1] - 7 + 1 - len(taken)
    assert 5000 / (MIN_SKIP_DISTANCE + 256) <= left_out <= 5000 / MIN_SKIP_DISTANCE


def test_only_what_was_sent_may_be_acknowledged() -> None:
    numbers = PacketNumbers(7, Random(1).randbytes)
    taken = [numbers.take() for _ in range(300)]
    for number in taken:
        numbers.check([(number, number)])
    for number in (6, numbers.next, *(set(range(7, taken[-1])) - set(taken))):
        why = "left out" if 7 <= number < numbers.next else "never sent"
        with pytest.raises(RemoteProtocolError, match=f"^ACK of a packet .*{why}$"):
            numbers.check([(number, number)])
    with pytest.raises(RemoteProtocolError, match="left out"):
        numbers.check([(7, taken[-1])])
    with pytest.raises(RemoteProtocolError, match="never sent"):
        numbers.check([(6, 7)])
    with pytest.raises(RemoteProtocolError, match="never sent"):
        numbers.check([(taken[-1], numbers.next)])


def test_only_so_many_left_out_numbers_are_remembered() -> None:
    numbers = PacketNumbers(0, Random(2).randbytes)
    taken = [numbers.take() for _ in range(10_000)]
    left_out = sorted(set(range(taken[-1])) - set(taken))
    assert len(left_out) > SKIPS_KEPT + 1
    numbers.check([(left_out[0], left_out[0])])


def test_the_end_is_announced() -> None:
    numbers = PacketNumbers(2**62 - 1, Random(1).randbytes)
    assert not numbers.exhausted
    numbers.take()
    assert numbers.exhausted
