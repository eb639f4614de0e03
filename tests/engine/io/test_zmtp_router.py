import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_engine.io.zmtp import LONG, MORE, Violation
from chatnet_engine.io.zmtp_router import MAX_STEPS, Requester
from chatnet_protocol.limits import MAX_IPC_PARTS, MAX_REQUEST_BYTES
from raw_zmtp import GREETING, command, frame

DEALER = GREETING + command(b"READY", b"\x0bSocket-Type\x00\x00\x00\x06DEALER")
REQ = GREETING + command(b"READY", b"\x0bSocket-Type\x00\x00\x00\x03REQ")
PING = command(b"PING", b"\0\0")


def requester(data: bytes = b"", hello: bytes = DEALER) -> Requester:
    made = Requester()
    made.feed(hello + data)
    return made


def message(parts: list[bytes]) -> bytes:
    return b"".join(frame(part, MORE) for part in parts[:-1]) + frame(parts[-1])


def take_all(made: Requester) -> list[list[bytes]]:
    taken = []
    while not made.is_starved:
        request = made.take()
        taken += [] if request is None else [request]
    return taken


PARTS = st.lists(st.binary(max_size=300), min_size=1, max_size=MAX_IPC_PARTS)


@given(
    st.lists(st.tuples(PARTS, st.booleans()), max_size=8),
    st.lists(st.integers(1, 400), max_size=40),
    st.booleans(),
)
def test_every_way_to_cut_the_bytes_gives_the_same_requests(
    said: list[tuple[list[bytes], bool]], cuts: list[int], delimited: bool
) -> None:
    before = [b""] if delimited else []
    data = REQ if delimited else DEALER
    data += b"".join(PING * pinged + message(before + parts) for parts, pinged in said)
    made, taken = Requester(), []
    for size in [*cuts, len(data)]:
        made.feed(data[:size])
        data = data[size:]
        taken += take_all(made)
    assert taken == [parts for parts, _ in said]
    assert made.held_bytes == 0
    assert len(made.wire.answers) == 2 + sum(pinged for _, pinged in said)


def test_requests_are_taken_one_by_one() -> None:
    made = requester(frame(b"1") + frame(b"2") + frame(b"3")[:2])
    assert [made.take(), made.is_starved] == [[b"1"], False]
    assert [made.take(), made.is_starved] == [[b"2"], False]
    assert [made.take(), made.is_starved] == [None, True]
    made.feed(b"3")
    assert [made.take(), made.is_starved] == [[b"3"], True]


def test_one_call_does_not_go_through_more_than_a_few_heartbeats() -> None:
    made = requester(PING * 3 * MAX_STEPS + frame(b"1"))
    assert [made.take(), made.is_starved] == [None, False]
    assert len(made.wire.answers) <= 2 + MAX_STEPS
    assert take_all(made) == [[b"1"]]


def test_the_delimiter_of_a_req_is_taken_off_and_put_before_the_reply() -> None:
    made = requester(message([b"", b"ask"]), REQ)
    assert made.take() == [b"ask"]
    assert made.reply(b"answer") == message([b"", b"answer"])
    made = requester(message([b"", b"ask"]))
    assert made.take() == [b"", b"ask"]
    assert made.reply(b"answer") == message([b"answer"])


def test_a_request_may_be_as_long_as_the_longest_and_no_longer() -> None:
    longest = message([bytes(MAX_REQUEST_BYTES - 1), b"x"])
    assert requester(longest).take() == [bytes(MAX_REQUEST_BYTES - 1), b"x"]
    made = requester(2 * longest)
    assert len(take_all(made)) == 2
    too_long = message([bytes(MAX_REQUEST_BYTES - 1), b"xx"])
    made = requester(too_long[:-2])
    with pytest.raises(Violation):
        take_all(made)


@pytest.mark.parametrize(
    "data",
    [
        command(b"SUBSCRIBE", b"E"),
        command(b"ERROR", b"\0"),
        frame(b"1", MORE) + PING,
        frame(b"1", MORE) * MAX_IPC_PARTS,
        bytes((LONG,)) + (MAX_REQUEST_BYTES + 1).to_bytes(8, "big"),
        bytes((LONG,)) + (2**64 - 1).to_bytes(8, "big"),
    ],
)
def test_what_no_client_says_is_a_violation(data: bytes) -> None:
    with pytest.raises(Violation):
        take_all(requester(data))


def test_a_req_without_its_delimiter_is_a_violation() -> None:
    with pytest.raises(Violation):
        requester(message([b"ask", b"more"]), REQ).take()
