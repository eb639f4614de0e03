"""The order in which things go into a packet, and how space is shared out."""

import pytest

from chatnet_engine.arq.acks import Acks
from chatnet_engine.arq.channel_out import MIN_USEFUL_BYTES, SendChannel
from chatnet_engine.arq.packets import SentPacket
from chatnet_engine.arq.redundancy import CopyPlan
from chatnet_engine.arq.sources import PacketBuilder, Sources
from chatnet_protocol.wire import frames

SPACE = 1000
LITTLE_ROOM = 40
"""For a small message, and for no part of a long one."""


def sources(*channels: int) -> Sources:
    out = Sources(Acks())
    for number in channels:
        out.open_channel(SendChannel(number, 1, 1 << 20, 8192))
    return out


def channels_in(builder: PacketBuilder) -> list[int]:
    found = [frame for chunk in builder.chunks for frame in frames.decode(chunk)]
    return [frame.channel for frame in found if isinstance(frame, frames.Message | frames.Messages)]


def test_what_is_added_takes_its_room_and_asks_for_an_answer() -> None:
    builder = PacketBuilder(SPACE)
    builder.add_bare(b"x" * 9)
    assert (builder.space, builder.ack_eliciting, builder.contents) == (SPACE - 9, True, [])
    builder = PacketBuilder(SPACE)
    acks = Acks()
    builder.add(acks, (b"x" * 9, (1,)), ack_eliciting=False)
    assert (builder.space, builder.ack_eliciting, builder.contents) == (
        SPACE - 9,
        False,
        [(acks, (1,))],
    )
    builder.add(acks, (b"y", (2,)))
    builder.add(acks, (b"z", (3,)), ack_eliciting=False)
    assert (builder.space, builder.ack_eliciting) == (SPACE - 11, True)


def test_bulk_channels_take_turns() -> None:
    out = sources(1, 2)
    for channel in (1, 2):
        out.channels[channel].queue([bytes(5000)])
    served = []
    for packet in range(6):
        builder = PacketBuilder(SPACE)
        out.add_bulk(builder, packet, 0.0)
        served += channels_in(builder)
    assert served == [1, 2, 1, 2, 1, 2]


def test_a_channel_with_nothing_to_say_keeps_its_place() -> None:
    out = sources(1, 2, 3)
    out.channels[2].queue([b"two"])
    out.add_bulk(PacketBuilder(SPACE), 0, 0.0)
    assert [channel.channel for channel in out._bulk] == [1, 3, 2]


def test_lost_content_also_sends_a_channel_to_the_end_of_the_line() -> None:
    out = sources(1, 2)
    out.channels[1].queue([b"one"])
    pulled = out.channels[1].pull_new(SPACE, 0, 0.0)
    assert pulled
    out.channels[1].on_lost(pulled[1], 0)
    builder = PacketBuilder(SPACE)
    out.add_bulk(builder, 1, 0.0)
    assert channels_in(builder) == [1]
    assert [channel.channel for channel in out._bulk] == [2, 1]


def test_no_channel_is_asked_with_too_little_room_but_with_just_enough() -> None:
    for space, found in ((MIN_USEFUL_BYTES - 1, []), (MIN_USEFUL_BYTES, [0])):
        out = sources(0)
        out.channels[0].queue([b"x"])
        builder = PacketBuilder(space)
        out.add_chat(builder, 0, 0.0)
        assert channels_in(builder) == found
        pulled = out.channels[0].pull_new(SPACE, 0, 0.0)
        for token in [token for _, token in builder.contents] or [pulled[1] if pulled else (1, 1)]:
            out.channels[0].on_lost(token, 0)
        again = PacketBuilder(space)
        out.add_chat(again, 1, 0.0)
        assert channels_in(again) == found


def test_chat_is_nobody_until_it_is_opened() -> None:
    out = sources(1)
    builder = PacketBuilder(SPACE)
    out.add_chat(builder, 0, 0.0)
    out.add_copies(builder, 0, 0.0, every=True)
    out.on_line(CopyPlan(5, 0.005), 0.1, 0.1)
    assert (builder.chunks, out.has_chat, out.chat_at(0.0)) == ([], False, None)


def test_what_does_not_fit_again_does_not_hold_back_what_is_new_and_fits() -> None:
    out = sources(1)
    out.channels[1].queue([bytes(900)])
    pulled = out.channels[1].pull_new(SPACE, 0, 0.0)
    assert pulled
    out.channels[1].on_lost(pulled[1], 0)
    out.channels[1].queue([b"small"])
    builder = PacketBuilder(LITTLE_ROOM)
    out.add_bulk(builder, 1, 0.0)
    assert frames.decode(builder.chunks[0]) == [frames.Messages(1, 2, [b"small"])]


def test_a_channel_was_served_even_if_its_next_message_did_not_fit() -> None:
    out = sources(1, 2)
    out.channels[1].queue([b"small", bytes(900)])
    builder = PacketBuilder(LITTLE_ROOM)
    out.add_bulk(builder, 0, 0.0)
    assert channels_in(builder) == [1]
    assert [channel.channel for channel in out._bulk] == [2, 1]


def test_bulk_is_asked_with_just_enough_room() -> None:
    out = sources(1)
    out.channels[1].queue([b"x"])
    builder = PacketBuilder(MIN_USEFUL_BYTES)
    out.add_bulk(builder, 0, 0.0)
    assert channels_in(builder) == [1]


@pytest.mark.parametrize(("bulk_waits", "rides"), [(False, [0]), (True, [])])
def test_a_copy_too_many_rides_only_where_nothing_else_wants_the_room(
    bulk_waits: bool, rides: list[int]
) -> None:
    out = sources(0, 1)
    out.on_line(CopyPlan(2, 0.005, rides=True), 0.05, 0.056)
    out.channels[0].queue([b"x"])
    out.add_chat(PacketBuilder(SPACE), 0, 0.0)
    owed = PacketBuilder(SPACE)
    out.add_copies(owed, 1, 0.01, every=False)
    assert channels_in(owed) == [0]
    if bulk_waits:
        out.channels[1].queue([b"file"])
    spare = PacketBuilder(SPACE)
    out.add_copies(spare, 2, 0.02, every=False)
    assert channels_in(spare) == rides


@pytest.mark.parametrize("kind", ["chat", "bulk", "control", "nothing"])
def test_a_packet_is_worth_sending_again_for_any_content_of_it(kind: str) -> None:
    out = sources(0, 1)
    builder = PacketBuilder(SPACE)
    if kind == "chat":
        out.channels[0].queue([bytes(500)])
        out.add_chat(builder, 0, 0.0)
    elif kind == "bulk":
        out.channels[1].queue([bytes(500)])
        out.add_bulk(builder, 0, 0.0)
    elif kind == "control":
        out.states.set(1, b"typing")
        out.add_control(builder, 0.0, with_ack=False, repeated=True)
    packet = SentPacket(0, 0.0, 100, builder.contents)
    assert out.resend(packet) is (kind != "nothing")
