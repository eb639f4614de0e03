import pytest

from chatnet_engine.io.zmtp import COMMAND, MORE, Violation
from chatnet_engine.io.zmtp_pub import MAX_FRAME_BYTES, MAX_TOPICS, Subscriber, publication
from raw_zmtp import GREETING, command, frame

HELLO = GREETING + command(b"READY", b"\x0bSocket-Type\x00\x00\x00\x03SUB")


def subscriber(data: bytes = b"") -> Subscriber:
    made = Subscriber()
    made.feed(HELLO + data)
    return made


def test_every_way_to_cut_the_bytes_is_the_same() -> None:
    data = HELLO + frame(b"\1E") + command(b"SUBSCRIBE", b"H") + frame(b"\0E")
    for size in (1, 2, 7, 63, 64, 65, len(data)):
        made = Subscriber()
        for start in range(0, len(data), size):
            made.feed(data[start : start + size])
        assert made.wire.is_ready
        assert made.topics == {b"H"}


def test_topics_are_beginnings() -> None:
    made = subscriber(frame(b"\1E"))
    assert (made.wants(b"E"), made.wants(b"Events"), made.wants(b"G")) == (True, True, False)
    assert not subscriber().wants(b"E")
    assert subscriber(frame(b"\1")).wants(b"anything")
    assert not subscriber(frame(b"\1") + command(b"CANCEL")).wants(b"anything")


@pytest.mark.parametrize(
    "data",
    [
        command(b"ERROR", b"\0"),
        frame(b"\1" + bytes(MAX_FRAME_BYTES)),
        frame(b"", COMMAND),
        b"".join(frame(b"\1%d" % number) for number in range(MAX_TOPICS + 1)),
    ],
)
def test_what_no_subscriber_says_is_a_violation(data: bytes) -> None:
    with pytest.raises(Violation):
        subscriber(data)


def test_messages_that_are_no_subscriptions_are_ignored() -> None:
    assert subscriber(frame(b"") + frame(b"\2x", MORE) + frame(bytes([1]))).topics == {b""}


def test_a_publication_is_two_frames_of_either_length() -> None:
    assert publication(b"E", b"x") == b"\1\1E\0\1x"
    assert publication(b"E", bytes(300)) == b"\1\1E\2" + (300).to_bytes(8, "big") + bytes(300)
