"""What answers a datagram leaves from the address of ours that it came to."""

from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.secure.events import ArrivedFrom, Authenticated, local_of
from chatnet_protocol.version import WIRE_VERSION
from chatnet_protocol.wire import datagrams
from simworld.secure_world import A, B, World

START = 1000.0
FIRST, SECOND = "192.0.2.1", "192.0.2.11"


def ends() -> tuple[Endpoint, Endpoint]:
    world = World(1)
    return world.add("a", A).endpoint, world.add("b", B).endpoint


def passed(giver: Endpoint, taker: Endpoint, addr: tuple[str, int], now: float = START) -> set[str]:
    """Everything that waits goes over; from which addresses it asked to leave."""
    out = giver.take_datagrams()
    for data, _ in out:
        taker.handle_datagram(data, addr, now)
    return {local_of(target) for _, target in out}


def accept(endpoint: Endpoint) -> None:
    for event in endpoint.take_events():
        if isinstance(event, Authenticated):
            endpoint.accept(event.attempt, 1, START)
    endpoint.take_events()


def linked() -> tuple[Endpoint, Endpoint]:
    """a has dialled b at its second address."""
    a, b = ends()
    a.dial(1, [B], START, remote_key=None)
    assert passed(a, b, ArrivedFrom(A, SECOND)) == {""}
    assert passed(b, a, B) == {SECOND}, "RESP"
    accept(a)
    passed(a, b, ArrivedFrom(A, SECOND))
    accept(b)
    assert passed(b, a, B) == {SECOND}, "CONFIRM"
    a.take_events()
    return a, b


def sealed_from(endpoint: Endpoint, number: int) -> str:
    out = endpoint.seal(1, number, b"\x01")
    assert out is not None
    return local_of(out[1])


def test_an_address_is_the_same_wherever_it_was_written_to() -> None:
    arrived = ArrivedFrom(A, SECOND)
    assert arrived == A
    assert hash(arrived) == hash(A)
    assert local_of(arrived) == SECOND
    assert local_of(A) == ""


def test_an_answer_leaves_from_where_it_was_asked() -> None:
    a, b = linked()
    assert sealed_from(b, 0) == SECOND
    assert sealed_from(a, 0) == "", "it was never said where it came to"


def test_a_cookie_and_a_version_leave_from_where_they_were_asked() -> None:
    a, b = ends()
    for peer in range(1, 12):
        a.dial(peer, [B], START, remote_key=None)
    kinds = set()
    for data, _ in a.take_datagrams():
        b.handle_datagram(data, ArrivedFrom(A, SECOND), START)
        other = bytes([data[0], WIRE_VERSION + 1]) + data[2:]
        b.handle_datagram(other, ArrivedFrom(A, SECOND), START)
    for data, target in b.take_datagrams():
        kinds.add(data[0])
        assert local_of(target) == SECOND
    assert kinds == {datagrams.RESP, datagrams.COOKIE, datagrams.VERSION}


def test_the_last_valid_datagram_says_where_to_send_from() -> None:
    a, b = linked()
    for number, local in ((0, FIRST), (1, SECOND), (2, "")):
        data, _ = a.seal(1, number, b"\x01") or (b"", A)
        b.handle_datagram(data, ArrivedFrom(A, local), START)
        assert sealed_from(b, number) == local


def test_a_forged_a_repeated_and_a_late_datagram_say_nothing() -> None:
    a, b = linked()
    late, _ = a.seal(1, 0, b"\x01") or (b"", A)
    newest, _ = a.seal(1, 1, b"\x01") or (b"", A)
    b.handle_datagram(newest, ArrivedFrom(A, FIRST), START)
    forged = newest[:-1] + bytes([newest[-1] ^ 1])
    for data in (newest, forged, late):
        b.handle_datagram(data, ArrivedFrom(A, SECOND), START)
    assert sealed_from(b, 0) == FIRST


def test_a_new_handshake_is_tried_from_both() -> None:
    _, b = linked()
    b.dial(1, [A], START, remote_key=None)
    b.rehandshake(1, START)
    out = b.take_datagrams()
    assert [(target, local_of(target)) for _, target in out] == [(A, ""), (A, SECOND)]
