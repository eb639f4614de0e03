"""The sending side of a channel at its bounds, and what it remembers of losses."""

import pytest

from chatnet_engine.arq.channel_out import MIN_PART_BYTES, UNCUT_BYTES, SendChannel
from chatnet_engine.arq.packets import SentFrame
from chatnet_engine.arq.redundancy import MAX_TRACKED, SMALL_MESSAGE_BYTES
from chatnet_protocol.errors import LocalProtocolError
from chatnet_protocol.limits import MAX_MESSAGE_BYTES, MESSAGE_OVERHEAD_BYTES
from chatnet_protocol.wire import frames

SPACE = 1168
PART_HEAD = frames.message_head_bytes(1)
RUN_HEAD = frames.messages_head_bytes(1)


def channel(window_bytes: int = 1 << 20) -> SendChannel:
    return SendChannel(0, 1, window_bytes, 8192)


def sent(pulled: SentFrame | None) -> list[tuple[int, int, int]]:
    """(number, offset, end) of each message or part in a frame, as the peer reads it."""
    assert pulled is not None
    (frame,) = frames.decode(pulled[0])
    if isinstance(frame, frames.Message):
        return [(frame.number, frame.offset, frame.offset + len(frame.data))]
    assert isinstance(frame, frames.Messages)
    return [(n, 0, len(body)) for n, body in enumerate(frame.messages, frame.first_number)]


def in_parts(*sizes: int) -> SendChannel:
    """A channel that has sent messages longer than 200 bytes, in parts of so many."""
    sending = channel()
    sending.queue([bytes(size) for size in sizes])
    while sending.has_new:
        assert sending.pull_new(PART_HEAD + 200, 0, 0.0) is not None
    return sending


def test_the_window_and_the_longest_message_are_taken_to_the_last_byte() -> None:
    cost = MAX_MESSAGE_BYTES + MESSAGE_OVERHEAD_BYTES
    with pytest.raises(LocalProtocolError, match=r"^over the window$"):
        channel(cost - 1).queue([bytes(MAX_MESSAGE_BYTES)])
    sending = channel(cost)
    assert sending.queue([bytes(MAX_MESSAGE_BYTES)]) == 1
    assert sending.credit() == 0


def test_a_message_is_cut_for_the_least_useful_room_and_its_tail_for_less() -> None:
    sending, end = channel(), SMALL_MESSAGE_BYTES + 10
    sending.queue([bytes(end)])
    assert sending.pull_new(PART_HEAD + MIN_PART_BYTES - 1, 0, 0.0) is None
    first = sending.pull_new(PART_HEAD + MIN_PART_BYTES, 0, 0.0)
    assert sent(first) == [(1, 0, MIN_PART_BYTES)]
    most = SMALL_MESSAGE_BYTES - MIN_PART_BYTES
    assert sent(sending.pull_new(PART_HEAD + most, 0, 0.0)) == [(1, 64, SMALL_MESSAGE_BYTES)]
    assert sending.pull_new(PART_HEAD + 9, 0, 0.0) is None
    assert sent(sending.pull_new(PART_HEAD + 10, 0, 0.0)) == [(1, SMALL_MESSAGE_BYTES, end)]


@pytest.mark.parametrize(
    ("size", "queued"), [(SMALL_MESSAGE_BYTES, MAX_TRACKED), (UNCUT_BYTES, MAX_TRACKED + 1)]
)
def test_what_may_be_copied_is_not_cut(size: int, queued: int) -> None:
    sending = channel()
    sending.queue([bytes(size)] * queued)
    assert sending.pull_new(PART_HEAD + size - 10, 0, 0.0) is None
    assert sending.pull_new(RUN_HEAD + size + 2, 0, 0.0) is not None


def test_in_a_backlog_whatever_is_not_tiny_fills_packets() -> None:
    sending = channel()
    sending.queue([bytes(UNCUT_BYTES + 1)] * (MAX_TRACKED + 1))
    assert sent(sending.pull_new(PART_HEAD + 100, 0, 0.0)) == [(1, 0, 100)]


@pytest.mark.parametrize("space", [RUN_HEAD + 3 * 70, RUN_HEAD + 3 * 70 + 2, SPACE])
def test_a_frame_of_tiny_messages_is_filled_and_never_overfilled(space: int) -> None:
    sending = channel()
    sending.queue([b"x"] * 1000)
    first = sending.pull_new(space, 0, 0.0)
    assert first is not None
    assert len(first[0]) <= space < len(first[0]) + 3
    while sending.has_new:
        sending.pull_new(space, 1, 0.0)
    sending.on_lost((1, 1000), 1)
    assert sending.pull_again(space, 2, 0.0) == first


def test_a_loss_told_twice_is_sent_again_once() -> None:
    sending = in_parts(1000)
    for _ in range(2):
        sending.on_lost((1, 200, 400), 0)
        sending.on_probe((1, 200, 400))
    assert sent(sending.pull_again(SPACE, 1, 0.0)) == [(1, 200, 400)]
    assert not sending.has_again
    sending.on_lost((1, 200, 400), 1)
    assert sent(sending.pull_again(SPACE, 2, 0.0)) == [(1, 200, 400)]


def test_nothing_that_arrived_is_due_again() -> None:
    sending = channel()
    sending.queue([b"a", bytes(900), b"c"])
    pulled = sending.pull_new(SPACE, 0, 0.0)
    assert pulled is not None
    sending.on_acked(pulled[1])
    sending.on_lost(pulled[1], 0)
    sending.on_lost((2, 0, 900), 0)
    sending.on_probe((2, 0, 900))
    assert not sending.has_again


@pytest.mark.parametrize("receipted", [False, True])
def test_what_arrives_while_it_waits_to_go_again_holds_nothing_up(receipted: bool) -> None:
    sending = channel()
    sending.queue([b"a", b"b", b"c", b"d", b"e"])
    sending.pull_new(SPACE, 0, 0.0)
    sending.on_lost((1, 5), 0)
    sending.on_acked((4, 1))
    if receipted:
        sending.on_receipt(1)
    else:
        sending.on_acked((1, 1))
    assert sent(sending.pull_again(SPACE, 1, 0.0)) == [(2, 0, 1), (3, 0, 1)]
    assert sent(sending.pull_again(SPACE, 2, 0.0)) == [(5, 0, 1)]
    assert not sending.has_again


def test_a_part_that_arrives_while_it_waits_to_go_again_holds_nothing_up() -> None:
    sending = in_parts(600)
    sending.on_lost((1, 0, 200), 0)
    sending.on_lost((1, 400, 600), 0)
    sending.on_acked((1, 0, 200))
    assert sent(sending.pull_again(SPACE, 1, 0.0)) == [(1, 400, 600)]


def test_a_whole_message_again_takes_its_lost_parts_along() -> None:
    sending = channel()
    sending.queue([bytes(600), bytes(10)])
    sending.pull_new(SPACE, 0, 0.0)
    sending.on_probe((1, 2))
    sending.on_lost((1, 400, 600), 2)
    assert sent(sending.pull_again(SPACE, 3, 0.0)) == [(1, 0, 600), (2, 0, 10)]
    assert not sending.has_again
    sending.on_lost((1, 400, 600), 3)
    assert sent(sending.pull_again(SPACE, 4, 0.0)) == [(1, 400, 600)]
    sending.on_probe((1, 2))
    assert sent(sending.pull_again(SPACE, 5, 0.0)) == [(1, 0, 600), (2, 0, 10)]


def test_a_part_beside_a_whole_message_goes_again_as_the_part() -> None:
    sending = channel()
    sending.queue([b"a", bytes(600)])
    sending.pull_new(SPACE, 0, 0.0)
    sending.on_lost((1, 1), 0)
    sending.on_lost((2, 100, 500), 1)
    assert sent(sending.pull_again(SPACE, 2, 0.0)) == [(1, 0, 1)]
    assert sent(sending.pull_again(SPACE, 2, 0.0)) == [(2, 100, 500)]
    assert sending.resent_bytes == 401


@pytest.mark.parametrize("missing", [0, 999])
def test_a_message_has_arrived_with_its_last_missing_byte(missing: int) -> None:
    sending = in_parts(1000)
    for low, high in ((0, missing), (missing + 1, 1000)):
        if low < high:
            sending.on_acked((1, low, high))
    sending.on_lost((1, 0, 200), 0)
    sending.on_lost((1, 800, 1000), 0)
    assert sent(sending.pull_again(SPACE, 1, 0.0)) == [(1, missing, missing + 1)]
    sending.on_acked((1, missing, missing + 1))
    sending.on_probe((1, 0, 1000))
    assert sending.pull_again(SPACE, 2, 0.0) is None


def test_the_arrival_of_one_message_in_parts_leaves_the_books_of_those_before_it() -> None:
    sending = in_parts(1000, 1000)
    sending.on_acked((1, 0, 800))
    sending.on_acked((2, 0, 1000))
    sending.on_acked((1, 800, 1000))
    sending.on_lost((1, 0, 1000), 0)
    assert not sending.has_again


def test_a_message_cut_when_it_went_again_arrives_with_its_parts() -> None:
    sending = channel()
    sending.queue([bytes(600)])
    sending.pull_new(SPACE, 0, 0.0)
    sending.on_lost((1, 1), 0)
    for token in ((1, 0, 400), (1, 400, 600)):
        pulled = sending.pull_again(PART_HEAD + 400, 1, 0.0)
        assert sent(pulled) == [token]
        sending.on_acked(token)
    assert sending.resent_bytes == 600
    sending.on_lost((1, 1), 1)
    assert not sending.has_again


def test_a_probe_sends_only_what_its_packet_held() -> None:
    sending = channel()
    sending.queue([bytes([n]) for n in range(8)])
    sending.pull_new(SPACE, 0, 0.0)
    sending.on_probe((5, 2))
    assert sent(sending.pull_again(SPACE, 1, 0.0)) == [(5, 0, 1), (6, 0, 1)]
    assert not sending.has_again


@pytest.mark.parametrize(("count", "copied"), [(MAX_TRACKED, MAX_TRACKED), (MAX_TRACKED + 1, 0)])
def test_only_a_thin_stream_is_copied(count: int, copied: int) -> None:
    sending = channel()
    sending.queue([b"x"] * count)
    sending.pull_new(SPACE, 0, 0.0)
    pulled = sending.pull_copies(SPACE, 1, 1.0, every=True, spare=True)
    assert sum(len(sent(each)) for each in pulled) == copied


def test_copies_are_of_small_messages_and_counted_as_resent() -> None:
    sending = channel()
    sending.queue([bytes(SMALL_MESSAGE_BYTES), bytes(SMALL_MESSAGE_BYTES + 1), b"c"])
    sending.pull_new(SPACE, 0, 0.0)
    for packet in (1, 2):
        copies = sending.pull_copies(SPACE, packet, float(packet), every=True, spare=True)
        assert [sent(copy) for copy in copies] == [[(1, 0, SMALL_MESSAGE_BYTES)], [(3, 0, 1)]]
        assert sending.resent_bytes == packet * (SMALL_MESSAGE_BYTES + 1)
