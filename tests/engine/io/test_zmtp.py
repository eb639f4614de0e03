import pytest

from attacks.zmtp import GREETING, command, frame
from chatnet_engine.io import zmtp
from chatnet_engine.io.zmtp import MAX_FRAME_BYTES, MAX_TOPICS, Subscriber, Violation

READY = command(b"READY", b"\x0bSocket-Type\x00\x00\x00\x03SUB")
HELLO = GREETING + READY


def subscriber(data=HELLO):
    made = Subscriber()
    made.feed(data)
    return made


def test_what_it_says_first_is_the_greeting_and_what_it_is():
    assert Subscriber().answers == [zmtp.GREETING, zmtp.READY]
    assert len(zmtp.GREETING) == zmtp.GREETING_BYTES
    assert command(b"READY", b"\x0bSocket-Type\x00\x00\x00\x03PUB") == zmtp.READY
    assert command(b"PING", b"\0\0") == zmtp.PING


def test_every_way_to_cut_the_bytes_is_the_same():
    data = HELLO + frame(b"\1E") + command(b"SUBSCRIBE", b"H") + frame(b"\0E")
    for size in (1, 2, 7, 63, 64, 65, len(data)):
        made = Subscriber()
        for start in range(0, len(data), size):
            made.feed(data[start : start + size])
        assert made.is_ready
        assert made.topics == {b"H"}


def test_topics_are_beginnings():
    made = subscriber(HELLO + frame(b"\1E"))
    assert (made.wants(b"E"), made.wants(b"Events"), made.wants(b"G")) == (True, True, False)
    assert not subscriber().wants(b"E")
    assert subscriber(HELLO + frame(b"\1")).wants(b"anything")
    assert not subscriber(HELLO + frame(b"\1") + command(b"CANCEL")).wants(b"anything")


def test_a_ping_is_answered_with_its_context():
    made = subscriber()
    made.answers.clear()
    made.feed(command(b"PING", b"\0\0" + b"c" * 20) + command(b"PONG", b"x"))
    assert made.answers == [command(b"PONG", b"c" * 16)]


@pytest.mark.parametrize(
    "data",
    [
        b"\x01\x00" + bytes(10),
        GREETING[:10] + b"\x01" + GREETING[11:],
        GREETING.replace(b"NULL\0", b"PLAIN"),
        GREETING + frame(b"\1E"),
        GREETING + command(b"SUBSCRIBE", b"E"),
        HELLO + command(b"ERROR", b"\0"),
        HELLO + frame(b"\1" + bytes(MAX_FRAME_BYTES)),
        HELLO + b"\2" + (2**63).to_bytes(8, "big"),
        HELLO + frame(b"", zmtp.COMMAND),
        HELLO + b"".join(frame(b"\1%d" % number) for number in range(MAX_TOPICS + 1)),
    ],
)
def test_what_no_subscriber_says_is_a_violation(data):
    with pytest.raises(Violation):
        subscriber(data)


def test_messages_that_are_no_subscriptions_are_ignored():
    made = subscriber(HELLO + frame(b"") + frame(b"\2x", zmtp.MORE) + frame(bytes([1])))
    assert made.topics == {b""}


def test_a_publication_is_two_frames_of_either_length():
    assert zmtp.publication(b"E", b"x") == b"\1\1E\0\1x"
    assert zmtp.publication(b"E", bytes(300)) == b"\1\1E\2" + (300).to_bytes(8, "big") + bytes(300)
