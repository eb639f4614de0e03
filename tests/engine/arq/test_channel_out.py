"""The sending side of a channel: cutting, resending, freeing."""

from random import Random

import pytest

from chatnet_engine.arq.channel_out import MIN_PART_BYTES, SendChannel
from chatnet_engine.arq.packets import SentFrame
from chatnet_engine.arq.redundancy import CopyPlan
from chatnet_protocol.errors import LocalProtocolError
from chatnet_protocol.wire import frames

SPACE = 1168


def channel(window_bytes: int = 1 << 20, window_messages: int = 8192) -> SendChannel:
    return SendChannel(0, 1, window_bytes, window_messages)


def content(pulled: SentFrame | None) -> list[tuple[int, int, bytes]]:
    """(number, offset, bytes) of each message or part in a frame."""
    assert pulled is not None
    (frame,) = frames.decode(pulled[0])
    if isinstance(frame, frames.Message):
        return [(frame.number, frame.offset, frame.data)]
    assert isinstance(frame, frames.Messages)
    return [(n, 0, body) for n, body in enumerate(frame.messages, frame.first_number)]


def test_whole_messages_share_a_frame_as_far_as_they_fit() -> None:
    sending = channel()
    assert sending.queue([bytes(100)] * 12) == 1
    first = sending.pull_new(SPACE, 0, 0.0)
    assert first is not None
    assert len(first[0]) <= SPACE
    assert [n for n, _, _ in content(first)] == list(range(1, 12))
    assert first[1] == (1, 11)
    assert sending.sent_upto == 11
    assert [n for n, _, _ in content(sending.pull_new(SPACE, 1, 0.0))] == [12]
    assert sending.pull_new(SPACE, 2, 0.0) is None


@pytest.mark.parametrize("seed", range(5))
def test_a_frame_takes_the_next_messages_as_long_as_they_fit(seed: int) -> None:
    random = Random(seed)
    bodies = [
        bytes(random.choice([1, 20, 90, 100, 101, 128, random.randrange(1, 200)]))
        for _ in range(200)
    ]
    sending = channel()
    sending.queue(bodies)
    number = 1
    while sending.has_new:
        frame = sending.pull_new(SPACE, number, 0.0)
        assert frame is not None
        first, count = frame[1]
        assert first == number
        number += count
        assert len(frame[0]) <= SPACE
        left = SPACE - frames.messages_head_bytes(first)
        left -= sum(len(body) + 2 for body in bodies[first - 1 : number - 1])
        assert number > 200 or left < len(bodies[number - 1]) + 2
    assert number == 201


@pytest.mark.parametrize(
    ("following", "lengths"), [(128, [(1, 11)]), (129, [(1, 11), (12, 0, 95)])]
)
def test_a_packet_ends_with_a_part_of_a_message_that_may_be_cut(
    following: int, lengths: list[tuple[int, ...]]
) -> None:
    sending = channel(window_messages=100)
    sending.queue([bytes(94)] * 11 + [bytes(following)] * 80)
    assert [token for _, token in sending.pull(SPACE, 0, 0.0)] == lengths


def test_a_long_message_is_cut_and_counts_as_sent_with_its_last_part() -> None:
    sending = channel()
    body = bytes(range(256)) * 10
    sending.queue([b"short", body])
    frame = sending.pull_new(SPACE, 0, 0.0)
    assert content(frame) == [(1, 0, b"short")]
    parts: list[SentFrame] = []
    assert sending.pull_new(MIN_PART_BYTES, 0, 0.0) is None
    while sending.has_new:
        assert sending.sent_upto == 1
        pulled = sending.pull_new(SPACE, len(parts), 0.0)
        assert pulled is not None
        assert len(pulled[0]) <= SPACE
        parts.append(pulled)
    assert b"".join(content(part)[0][2] for part in parts) == body
    assert sending.sent_upto == 2
    assert sending.unreceipted == 2
    for part in parts[1:]:
        sending.on_acked(part[1])
    sending.on_lost(parts[0][1], 0)
    assert content(sending.pull_again(SPACE, 9, 0.0)) == content(parts[0])
    sending.on_acked(parts[0][1])
    sending.on_acked(parts[0][1])
    sending.on_lost(parts[1][1], 0)
    assert sending.pull_again(SPACE, 10, 0.0) is None


def test_lost_messages_go_again_oldest_first_without_the_acknowledged() -> None:
    sending = channel()
    sending.queue([b"%d" % n for n in range(1, 7)])
    sending.pull_new(SPACE, 0, 0.0)
    sending.on_acked((4, 1))
    sending.on_lost((5, 2), 0)
    sending.on_lost((1, 4), 0)
    sending.on_lost((1, 4), 0)
    assert [n for n, _, _ in content(sending.pull_again(SPACE, 1, 0.0))] == [1, 2, 3]
    assert [n for n, _, _ in content(sending.pull_again(SPACE, 1, 0.0))] == [5, 6]
    assert sending.pull_again(SPACE, 1, 0.0) is None
    assert not sending.has_again
    assert sending.resent_bytes == 5


def test_a_message_that_no_longer_fits_whole_goes_again_in_parts() -> None:
    sending = channel()
    body = bytes(range(250)) * 4
    sending.queue([body])
    whole = sending.pull_new(SPACE, 0, 0.0)
    sending.on_probe((1, 1))
    assert sending.pull_again(50, 1, 0.0) is None
    first = sending.pull_again(600, 1, 0.0)
    second = sending.pull_again(600, 2, 0.0)
    assert content(first)[0][2] + content(second)[0][2] == body
    assert first is not None
    sending.on_lost(first[1], 1)
    assert whole is not None
    sending.on_acked(whole[1])
    assert sending.pull_again(600, 3, 0.0) is None


def test_acknowledged_bytes_are_left_out_of_a_lost_part() -> None:
    sending = channel()
    sending.queue([bytes(range(250)) * 20])
    sending.pull_new(SPACE, 0, 0.0)
    sending.on_acked((1, 100, 200))
    sending.on_lost((1, 0, 300), 0)
    assert [(o, len(d)) for _, o, d in content(sending.pull_again(SPACE, 1, 0.0))] == [(0, 100)]
    assert [(o, len(d)) for _, o, d in content(sending.pull_again(SPACE, 1, 0.0))] == [(200, 100)]
    sending.on_acked((1, 0, 100))
    sending.on_probe((1, 0, 300))
    assert [(o, len(d)) for _, o, d in content(sending.pull_again(SPACE, 2, 0.0))] == [(200, 100)]


def test_receipts_free_and_reopen() -> None:
    sending = channel(window_bytes=1000, window_messages=3)
    sending.queue([b"x"] * 10)
    assert sending.credit() == 1000 - 650
    assert sending.pull_new(SPACE, 0, 0.0) == (frames.encode_messages(0, 1, [b"x"] * 3), (1, 3))
    assert not sending.has_new
    sending.on_receipt(2)
    sending.on_receipt(1)
    assert sending.receipted == 2
    assert sending.credit() == 1000 - 520
    assert content(sending.pull_new(SPACE, 1, 0.0)) == [(4, 0, b"x"), (5, 0, b"x")]
    with pytest.raises(LocalProtocolError, match=r"^over the window$"):
        sending.queue([bytes(500)])


def test_copies_ride_in_runs_and_a_loss_waits_for_them() -> None:
    sending = channel()
    sending.copies.on_line(CopyPlan(2, 0.005), 0.05, 1.0)
    sending.queue([b"a", b"b", bytes(500), b"c"])
    sending.pull_new(SPACE, 0, 0.0)
    copies = sending.pull_copies(SPACE, 1, 1.0, every=False, spare=True)
    assert [content(copy) for copy in copies] == [
        [(1, 0, b"a"), (2, 0, b"b")],
        [(4, 0, b"c")],
    ]
    sending.on_lost((1, 4), 0)
    assert content(sending.pull_again(SPACE, 2, 1.0)) == [(3, 0, bytes(500))]
    assert sending.pull_again(SPACE, 2, 1.0) is None
    sending.on_lost((1, 2), 1)
    assert content(sending.pull_again(SPACE, 3, 1.0)) == [(1, 0, b"a"), (2, 0, b"b")]
    sending.on_receipt(4)
    assert sending.pull_copies(SPACE, 4, 9.0, every=True, spare=True) == []
    assert sending.pull_copies(0, 4, 9.0, every=True, spare=True) == []


def test_a_copy_rides_when_it_just_fits() -> None:
    sending = channel()
    sending.queue([b"a", b"b"])
    sending.pull_new(SPACE, 0, 0.0)
    space = 2 * (frames.messages_head_bytes(2) + 2 + 1)
    (copy,) = sending.pull_copies(space - 1, 1, 1.0, every=True, spare=True)
    assert content(copy) == [(1, 0, b"a")]
    (copy,) = sending.pull_copies(space, 2, 2.0, every=True, spare=True)
    assert content(copy) == [(1, 0, b"a"), (2, 0, b"b")]


def test_only_what_the_lost_packet_held_is_sent_again() -> None:
    sending = channel()
    sending.queue([b"a" * 500, b"b" * 500, b"c" * 500, b"d" * 500])
    pulled = [sending.pull_new(SPACE, packet, 0.0) for packet in range(2)]
    assert pulled[1]
    sending.on_lost(pulled[1][1], 1)
    assert [n for n, _, _ in content(sending.pull_again(SPACE, 2, 0.0))] == [3, 4]
    assert sending.pull_again(SPACE, 3, 0.0) is None


def test_nothing_is_remembered_of_parts_that_arrived() -> None:
    sending = channel()
    sending.queue([bytes(3000), bytes(3000)])
    tokens = []
    while (pulled := sending.pull_new(SPACE, 0, 0.0)) is not None:
        tokens.append(pulled[1])
    assert sorted(sending._parts) == [1, 2]
    for token in tokens:
        if token[0] == 1:
            sending.on_acked(token)
    assert sorted(sending._parts) == [2]
    sending.on_receipt(2)
    assert sending._parts == {}


def test_an_empty_queueing_and_an_empty_message_are_our_mistakes() -> None:
    with pytest.raises(LocalProtocolError, match=r"^no message to queue$"):
        channel().queue([])
    with pytest.raises(LocalProtocolError, match=r"^a message has 1 to"):
        channel().queue([b"x", b""])
