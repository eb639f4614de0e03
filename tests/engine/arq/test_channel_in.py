"""The receiving side of a channel: order, repetition, the window."""

from itertools import permutations

import pytest

from chatnet_engine.arq.channel_in import ReceiveChannel
from chatnet_engine.arq.held import Held, HeldTotal
from chatnet_protocol.errors import LocalProtocolError, RemoteProtocolError
from chatnet_protocol.limits import MESSAGE_OVERHEAD_BYTES


def held() -> Held:
    return Held(1 << 20, HeldTotal())


def started(limit_bytes: int = 10_000, window_messages: int = 100) -> ReceiveChannel:
    channel = ReceiveChannel(limit_bytes, window_messages, held())
    channel.start(1, 0.0)
    return channel


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_any_order_comes_out_in_order_once(order: tuple[int, ...]) -> None:
    channel = started()
    runs = [(1, [b"a", b"b"]), (3, [b"c"]), (2, [b"b", b"c"]), (4, [b"d"])]
    for index in order:
        channel.accept(*runs[index], now=1.0)
    assert channel.take_ready() == (1, [b"a", b"b", b"c", b"d"])
    assert channel.take_ready() == (5, [])
    assert channel.duplicates == 2
    assert channel.held_messages == 0


def test_a_whole_message_takes_the_place_of_its_parts() -> None:
    channel = started()
    channel.accept_part(1, 0, 4, b"ab", 1.0)
    channel.accept_part(2, 0, 2, b"c", 1.0)
    channel.accept(1, [b"abcd"], 2.0)
    channel.accept_part(1, 2, 4, b"cd", 3.0)
    channel.accept_part(2, 1, 2, b"d", 4.0)
    channel.accept_part(4, 0, 1, b"x", 4.0)
    channel.accept_part(4, 0, 1, b"x", 4.0)
    assert channel.take_ready() == (1, [b"abcd", b"cd"])
    assert channel.ready_at == 4.0
    assert channel.duplicates == 2
    assert channel.held_messages == 1


def test_receipts_free_the_window_in_whole_batches() -> None:
    weight = 1000 + MESSAGE_OVERHEAD_BYTES
    channel = started(limit_bytes=3 * weight)
    for number in (1, 2, 3):
        channel.check(number, 1000, 1, None)
        channel.accept(number, [bytes(1000)], 0.0)
    with pytest.raises(RemoteProtocolError, match=r"^more bytes than the window holds$"):
        channel.check(4, 1, 1, None)
    channel.on_receipt(1)
    channel.check(4, 1000, 1, None)
    channel.on_receipt(3)
    channel.on_receipt(2)
    assert channel.receipted == 3


def test_a_batch_frees_nothing_before_its_last_message_is_receipted() -> None:
    channel = started(limit_bytes=2 * (1000 + MESSAGE_OVERHEAD_BYTES))
    channel.accept(1, [bytes(1000), bytes(1000)], 0.0)
    channel.on_receipt(1)
    with pytest.raises(RemoteProtocolError, match="window holds"):
        channel.check(3, 1, 1, None)
    channel.on_receipt(2)
    channel.check(4, 2000, 2, None)


def test_numbers_beyond_the_window_are_refused_and_old_ones_cost_nothing() -> None:
    channel = started(limit_bytes=200, window_messages=3)
    channel.check(3, 1, 1, None)
    with pytest.raises(RemoteProtocolError, match=r"^message number beyond the window$"):
        channel.check(4, 1, 1, None)
    channel.accept(1, [b"x"], 0.0)
    channel.check(1, 10**6, 1, None)
    channel.on_receipt(1)
    channel.check(4, 1, 1, None)


def test_further_parts_cost_nothing_and_must_agree() -> None:
    channel = started(limit_bytes=1000 + MESSAGE_OVERHEAD_BYTES)
    channel.check(2, 1000, 1, 2)
    channel.accept_part(2, 0, 1000, b"x", 0.0)
    channel.check(2, 1000, 1, 2)
    with pytest.raises(
        RemoteProtocolError, match=r"^parts of one message disagree about its size$"
    ):
        channel.check(2, 1001, 1, 2)
    with pytest.raises(RemoteProtocolError, match="window holds"):
        channel.check(3, 1, 1, 3)
    channel.accept(2, [bytes(1000)], 0.0)
    channel.check(2, 7, 1, 2)


def test_what_came_before_the_start_is_kept_and_the_old_dropped() -> None:
    channel = ReceiveChannel(10_000, 100, held())
    channel.accept(3, [b"c", b"d"], 0.0)
    channel.accept_part(1, 0, 9, b"old part", 0.0)
    channel.accept_part(5, 0, 9, b"new part", 0.0)
    with pytest.raises(LocalProtocolError, match=r"^a receipt for messages that did not arrive$"):
        channel.on_receipt(3)
    assert channel.take_ready() == (0, [])
    channel.start(4, 7.0)
    assert channel.take_ready() == (4, [b"d"])
    assert channel.ready_at == 7.0
    assert channel.held_messages == 1
    assert channel.duplicates == 1
    with pytest.raises(LocalProtocolError, match="did not arrive"):
        channel.on_receipt(5)
    with pytest.raises(LocalProtocolError, match=r"^receiving has started already$"):
        channel.start(4, 7.0)


def test_parts_hold_the_window_until_the_whole_message_does() -> None:
    channel = started(limit_bytes=1500 + 2 * MESSAGE_OVERHEAD_BYTES)
    channel.accept_part(1, 0, 1000, b"x", 0.0)
    channel.accept_part(2, 0, 500, b"x", 0.0)
    channel.accept(1, [bytes(1000)], 0.0)
    with pytest.raises(RemoteProtocolError, match="window holds"):
        channel.check(3, 1, 1, None)
    channel.accept_part(2, 1, 500, bytes(499), 0.0)
    channel.on_receipt(1)
    with pytest.raises(RemoteProtocolError, match="window holds"):
        channel.check(3, 1001, 1, None)
    channel.check(3, 1000, 1, None)
    channel.on_receipt(2)
    channel.check(4, 1500, 2, None)
    with pytest.raises(RemoteProtocolError, match="window holds"):
        channel.check(4, 1501, 2, None)


def test_what_is_dropped_at_the_start_gives_its_room_back() -> None:
    weight = 1000 + MESSAGE_OVERHEAD_BYTES
    channel = ReceiveChannel(5 * weight, 100, held())
    channel.accept(1, [bytes(1000), bytes(1000)], 0.0)
    for number in (3, 4, 5):
        channel.accept_part(number, 0, 1000, b"x", 0.0)
    with pytest.raises(RemoteProtocolError, match="window holds"):
        channel.check(6, 1, 1, None)
    channel.start(5, 0.0)
    assert channel.duplicates == 2
    channel.check(9, 4000, 4, None)
    with pytest.raises(RemoteProtocolError, match="window holds"):
        channel.check(9, 4001, 4, None)
    channel.accept_part(5, 1, 1000, bytes(999), 1.0)
    assert channel.take_ready() == (5, [b"x" + bytes(999)])


def test_a_gap_filled_by_whole_messages_is_dated_by_the_filling() -> None:
    channel = started()
    channel.accept(2, [b"b"], 1.0)
    assert channel.take_ready() == (1, [])
    channel.accept(1, [b"a"], 2.0)
    assert channel.take_ready() == (1, [b"a", b"b"])
    assert channel.ready_at == 2.0
