"""HELLO, states, channel receipts and path tokens by themselves."""

import pytest

from chatnet_engine.arq.control import (
    MAX_PATH_TOKENS,
    ChannelReceipts,
    HelloSlot,
    PathTokens,
    StateBoard,
)
from chatnet_protocol.errors import LocalProtocolError
from chatnet_protocol.limits import MAX_HELLO_BYTES, MAX_STATE_BYTES
from chatnet_protocol.wire import frames


def test_hello_rides_until_acknowledged_and_a_loss_makes_it_due() -> None:
    hello = HelloSlot()
    assert hello.pull() is None
    hello.set(b"hi")
    assert hello.due
    assert hello.pull() == hello.pull() == (frames.encode_hello(b"hi"), ())
    assert not hello.due
    hello.on_lost((), 1)
    assert hello.due
    hello.pull()
    hello.on_probe(())
    assert hello.due
    hello.on_acked(())
    assert not hello.due
    assert hello.pull() is None
    hello.on_lost((), 1)
    hello.on_probe(())
    assert not hello.due


def test_a_second_hello_is_our_mistake_even_when_the_first_has_arrived() -> None:
    hello = HelloSlot()
    hello.set(b"hi")
    hello.on_acked(())
    with pytest.raises(LocalProtocolError, match=r"^HELLO was set already$"):
        hello.set(b"hi again")


def test_a_frame_takes_the_last_byte_of_room() -> None:
    board, receipts, paths = StateBoard(), ChannelReceipts(), PathTokens()
    board.set(1, b"away")
    receipts.set(2, 5)
    paths.challenge(b"answer!?")
    frame = frames.encode_state(1, 1, b"away")
    assert board.pull(len(frame) - 1) is None
    assert board.pull(len(frame)) == (frame, (1, 1))
    frame = frames.encode_channel_receipt(2, 5)
    assert receipts.pull(len(frame) - 1) is None
    assert receipts.pull(len(frame)) == (frame, (2, 5))
    frame = frames.encode_path_challenge(b"answer!?")
    assert paths.pull(len(frame) - 1) is None
    assert paths.pull(len(frame)) == frame


def test_the_longest_hello_and_state_are_taken() -> None:
    hello, board = HelloSlot(), StateBoard()
    with pytest.raises(LocalProtocolError, match="longer than 512 bytes"):
        hello.set(bytes(MAX_HELLO_BYTES + 1))
    hello.set(bytes(MAX_HELLO_BYTES))
    assert hello.due
    with pytest.raises(LocalProtocolError, match="longer than 256 bytes"):
        board.set(1, bytes(MAX_STATE_BYTES + 1))
    board.set(1, bytes(MAX_STATE_BYTES))
    assert board.due


def test_only_the_newest_state_is_repeated() -> None:
    board = StateBoard()
    board.set(1, b"old")
    old = board.pull(100)
    assert old == (frames.encode_state(1, 1, b"old"), (1, 1))
    board.set(1, b"new")
    new = board.pull(100)
    assert new == (frames.encode_state(1, 2, b"new"), (1, 2))
    board.on_lost((1, 1), 5)
    assert board.pull(100) is None
    board.on_lost((1, 2), 6)
    assert board.due
    board.on_acked((1, 2))
    assert not board.due
    board.on_probe((1, 2))
    board.on_acked((1, 1))
    assert board.pull(3) is None
    assert board.pull(100) == new


def test_channel_receipts_repeat_the_highest() -> None:
    receipts = ChannelReceipts()
    receipts.set(2, 5)
    assert receipts.pull(2) is None
    assert receipts.pull(100) == (frames.encode_channel_receipt(2, 5), (2, 5))
    receipts.set(2, 9)
    assert receipts.pull(100) == (frames.encode_channel_receipt(2, 9), (2, 9))
    receipts.on_lost((2, 5), 1)
    assert not receipts.due
    receipts.on_lost((2, 9), 1)
    receipts.on_acked((2, 5))
    assert receipts.due
    receipts.on_acked((2, 9))
    assert receipts.pull(100) is None


def test_path_tokens_go_once_and_the_oldest_give_way() -> None:
    paths = PathTokens()
    assert paths.pull(100) is None
    for n in range(MAX_PATH_TOKENS + 1):
        paths.challenge(bytes([n]) * 8)
    assert paths.pull(5) is None
    assert paths.pull(100) == frames.encode_path_challenge(b"\x01" * 8)
    paths.respond(b"answered")
    frames_left = [paths.pull(100) for _ in range(MAX_PATH_TOKENS)]
    assert frames_left[-1] == frames.encode_path_response(b"answered")
    assert not paths.due
