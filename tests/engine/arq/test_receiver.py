"""What has come from the peer: limits per channel, and each thing told once."""

import pytest

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.control import ChannelReceipts
from chatnet_engine.arq.events import MessagesArrived, StateArrived
from chatnet_engine.arq.held import HeldTotal
from chatnet_engine.arq.receiver import Receiver
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.limits import HELD_SHARE_BYTES, MESSAGE_OVERHEAD_BYTES
from chatnet_protocol.wire import frames

WINDOW = 1000
LONGEST = 2 * WINDOW - MESSAGE_OVERHEAD_BYTES
"""A message that fills the receiving side, which holds twice the window."""


def receiver() -> tuple[Receiver, ChannelReceipts]:
    receipts = ChannelReceipts()
    receiving = Receiver(
        ArqConfig(window_bytes=WINDOW, bulk_window_bytes=WINDOW), receipts, HeldTotal()
    )
    receiving.start(1, 0.0)
    return receiving, receipts


def test_what_is_kept_out_of_order_counts_with_what_keeping_it_costs() -> None:
    """Bytes alone would let a link keep many small messages for next to nothing."""
    count = 10
    for spare_bytes, taken in ((0, True), (-1, False)):
        receiving = Receiver(ArqConfig(), ChannelReceipts(), HeldTotal(0))
        receiving.start(1, 0.0)
        weight_bytes = count * (1 + MESSAGE_OVERHEAD_BYTES)
        receiving.held.add(HELD_SHARE_BYTES - weight_bytes - spare_bytes)
        ahead = frames.Messages(0, 2, [b"x"] * count)
        assert receiving.take_messages(ahead, 0.0, may_take=True) is taken


@pytest.mark.parametrize("channel", [0, 1])
def test_a_message_in_parts_takes_its_room_once(channel: int) -> None:
    receiving, _ = receiver()
    with pytest.raises(RemoteProtocolError, match="window holds"):
        receiving.take_part(frames.Message(channel, 1, 0, LONGEST + 1, b"x"), 0.0, may_take=True)
    for offset, when in ((0, 1.0), (900, 2.0), (1800, 3.0)):
        data = bytes(min(900, LONGEST - offset))
        part = frames.Message(channel, 1, offset, LONGEST, data)
        assert not receiving.take_part(part, when, may_take=False)
        assert receiving.take_part(part, when, may_take=True)
    assert receiving.take_events() == [MessagesArrived(channel, 1, [bytes(LONGEST)], 3.0)]


def test_parts_that_disagree_are_found_before_anything_is_taken() -> None:
    receiving, _ = receiver()
    receiving.take_part(frames.Message(0, 1, 0, 100, b"x"), 0.0, may_take=True)
    with pytest.raises(RemoteProtocolError, match="disagree"):
        receiving.take_part(frames.Message(0, 1, 1, 101, b"x"), 0.0, may_take=False)


def test_what_is_taken_from_other_channels_is_receipted_and_frees_their_window() -> None:
    receiving, receipts = receiver()
    frame = frames.Messages(2, 1, [bytes(400), b"second", bytes(600)])
    assert receiving.take_messages(frame, 1.0, may_take=True)
    assert not receipts.due
    full = frames.Messages(2, 4, [bytes(LONGEST)])
    with pytest.raises(RemoteProtocolError, match="window holds"):
        receiving.take_messages(full, 1.0, may_take=False)
    assert receiving.take_events() == [MessagesArrived(2, 1, frame.messages, 1.0)]
    assert receipts.pull(100) == (frames.encode_channel_receipt(2, 3), (2, 3))
    assert receiving.take_messages(full, 1.0, may_take=True)


def test_a_state_is_told_once_and_an_old_one_never() -> None:
    receiving, _ = receiver()
    receiving.on_state(frames.State(1, 0, b"first"))
    assert receiving.take_events() == [StateArrived(1, b"first")]
    receiving.on_state(frames.State(1, 3, b"new"))
    receiving.on_state(frames.State(1, 2, b"old"))
    assert receiving.take_events() == [StateArrived(1, b"new")]
    receiving.on_state(frames.State(1, 3, b"new"))
    assert receiving.take_events() == []
