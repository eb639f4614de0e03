import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_engine.io import zmtp
from chatnet_engine.io.zmtp import COMMAND, LONG, MAX_COMMAND_BYTES, MORE, Violation, Wire
from raw_zmtp import GREETING, command, frame

READY = command(b"READY", b"\x0bSocket-Type\x00\x00\x00\x03SUB")
HELLO = GREETING + READY
MAX_BYTES = 300


def wire(data: bytes = b"") -> Wire:
    made = Wire(b"PUB", frozenset({b"SUB"}))
    made.feed(data)
    return made


def take_all(made: Wire) -> list[tuple[int, bytes]]:
    """Message frames until nothing is complete; commands are carried out."""
    taken = []
    while (found := made.take_frame(MAX_BYTES)) is not None:
        flags, body = found
        if flags & COMMAND:
            made.handle_command(body)
        else:
            taken.append((flags & MORE, body))
    return taken


def test_what_it_says_first_is_the_greeting_and_what_it_is() -> None:
    assert wire().answers == [zmtp.GREETING, zmtp.ready(b"PUB")]
    assert len(zmtp.GREETING) == zmtp.GREETING_BYTES
    assert command(b"READY", b"\x0bSocket-Type\x00\x00\x00\x03PUB") == zmtp.ready(b"PUB")
    assert command(b"PING", b"\0\0") == zmtp.PING


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from([0, MORE]), st.binary(max_size=MAX_BYTES)),
            st.tuples(st.just(COMMAND), st.binary(max_size=20).map(lambda c: b"\4PING\0\0" + c)),
        ),
        max_size=8,
    ),
    st.lists(st.integers(1, 400), max_size=40),
)
def test_every_way_to_cut_the_bytes_is_the_same(
    frames: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    data = HELLO + b"".join(frame(body, flags) for flags, body in frames)
    made, taken = wire(), []
    for size in [*cuts, len(data)]:
        made.feed(data[:size])
        data = data[size:]
        taken += take_all(made)
    assert taken == [(flags, body) for flags, body in frames if flags != COMMAND]
    pongs = [command(b"PONG", body[7:23]) for flags, body in frames if flags == COMMAND]
    assert made.answers[2:] == pongs
    assert made.held_bytes == 0


@given(st.binary(max_size=400), st.booleans())
def test_random_bytes_are_taken_wait_or_are_a_violation(noise: bytes, greeted: bool) -> None:
    made = wire((HELLO if greeted else b"") + noise)
    try:
        take_all(made)
    except Violation:
        return
    assert greeted or len(noise) < len(GREETING) or noise.startswith(GREETING[:10])
    assert made.held_bytes <= 9 + max(MAX_BYTES, MAX_COMMAND_BYTES)


@pytest.mark.parametrize(
    "data",
    [
        b"\x01",
        GREETING[:9] + b"\x01",
        GREETING[:10] + b"\x01" + GREETING[11:],
        GREETING.replace(b"NULL\0", b"PLAIN"),
        GREETING + frame(b"\1E")[:2],
        GREETING + command(b"SUBSCRIBE", b"E"),
        GREETING + command(b"READY"),
        GREETING + READY.replace(b"SUB", b"REP"),
        GREETING + command(b"READY", b"\x0bSocket-Type\x00\x00\x00\x04SUB"),
        GREETING + command(b"READY", b"\x0bSocket-Type"),
        GREETING + command(b"READY", b"\x00\x00\x00\x00\x00"),
        HELLO + frame(b"", COMMAND | MORE),
        HELLO + frame(b"", 8),
        HELLO + bytes((LONG,)) + (MAX_BYTES + 1).to_bytes(8, "big"),
        HELLO + bytes((LONG | COMMAND,)) + (MAX_COMMAND_BYTES + 1).to_bytes(8, "big"),
    ],
)
def test_what_no_client_says_is_a_violation_before_the_rest_is_there(data: bytes) -> None:
    with pytest.raises(Violation):
        take_all(wire(data))


def test_names_of_properties_have_no_case_and_others_do_not_matter() -> None:
    data = b"\x08Identity" + (255).to_bytes(4, "big") + bytes(255)
    data += b"\x0bsocket-TYPE\x00\x00\x00\x03SUB\x01x\x00\x00\x01\x00" + bytes(256)
    made = wire(GREETING + command(b"READY", data))
    take_all(made)
    assert made.is_ready


def test_who_speaks_3_0_is_not_asked_whether_it_lives() -> None:
    old = wire(GREETING[:11] + b"\0" + GREETING[12:] + READY)
    new = wire(HELLO)
    take_all(old)
    take_all(new)
    assert (old.is_ready, old.knows_ping) == (True, False)
    assert (new.is_ready, new.knows_ping) == (True, True)


def test_a_ping_is_answered_with_its_context() -> None:
    made = wire(HELLO + command(b"PING", b"\0\0" + b"c" * 20) + command(b"PONG", b"x"))
    take_all(made)
    assert made.answers[2:] == [command(b"PONG", b"c" * 16)]


def test_other_commands_are_the_sockets() -> None:
    made = wire(HELLO)
    take_all(made)
    assert made.handle_command(b"\x05ERRORrest") == (b"ERROR", b"rest")
    assert made.handle_command(b"") == (b"", b"")
