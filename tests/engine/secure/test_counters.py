"""The counters against a tally from outside: what was on the wire, and which events came of it."""

from collections import Counter
from dataclasses import asdict

import pytest

from chatnet_engine.secure.events import LinkUp, PacketArrived, VersionSeen
from chatnet_protocol.wire import datagrams as d
from simworld.secure_world import A, B, Line, Node, World, agreed, two

STRANGER = ("203.0.113.5", 9)


class Tally:
    """Kinds of datagrams that each of two nodes has sent and got."""

    def __init__(self, seed: int, line: Line) -> None:
        self.world = World(seed, line)
        self.sent: dict[str, Counter[int]] = {A[0]: Counter(), B[0]: Counter()}
        self.got: dict[str, Counter[int]] = {A[0]: Counter(), B[0]: Counter()}
        self.world.filter = self._note
        self.a, self.b = self.world.add("a", A), self.world.add("b", B)
        for node in (self.a, self.b):
            self._listen(node)
        self.a.dial(1, B)
        self.b.dial(1, A)

    def _note(self, data: bytes, source: tuple[str, int], to: tuple[str, int]) -> bool:
        self.sent[source[0]][data[0]] += 1
        return True

    def _listen(self, node: Node) -> None:
        receive = node.receive

        def note(data: bytes, source: tuple[str, int]) -> None:
            self.got[node.addr[0]][data[0]] += 1
            receive(data, source)

        node.receive = note  # type: ignore[method-assign]


@pytest.mark.parametrize("seed", range(3))
def test_counters_say_what_was_sent_and_taken_in(seed: int) -> None:
    tally = Tally(seed, Line(loss=0.2, duplicate=0.2, min_delay_s=0.01, max_delay_s=0.4))
    for _ in range(12):
        tally.world.run(20)
        for node in (tally.a, tally.b):
            tally.world.run(10)
            node.endpoint.rehandshake(1, tally.world.now)
            node.flush()
    for node in (tally.a, tally.b):
        counters, sent, got = (
            node.endpoint.counters,
            tally.sent[node.addr[0]],
            tally.got[node.addr[0]],
        )
        assert counters.inits_sent == sent[d.INIT] > 5
        assert counters.inits_received == got[d.INIT] > 5
        assert counters.packets_sealed + counters.confirms_sent == sent[d.DATA] > 50
        assert counters.packets_opened == node.count(PacketArrived) > 50
        taken = counters.handshakes_initiated + counters.handshakes_responded
        assert taken == node.count(LinkUp) > 3
        other = B if node is tally.a else A
        assert {event.addr for event in node.events if isinstance(event, LinkUp)} == {other}
        assert counters.stranger_inits <= 3, "a renewal is made for the key that is known"


def test_a_clean_start_drops_nothing_but_the_losing_of_two_attempts() -> None:
    world, a, b = two(3)
    assert world.run(5, lambda: agreed(a, b))
    for node in (a, b):
        counts = asdict(node.endpoint.counters)
        dropped = {name for name, n in counts.items() if name.startswith("dropped") and n}
        assert dropped <= {"dropped_simultaneous", "dropped_unknown_index"}
        status = node.endpoint.peer_status(1)
        assert status
        assert status.confirmed


def test_a_session_is_confirmed_by_the_first_answer_and_not_before() -> None:
    world, a, b = two(4)
    world.filter = lambda data, source, to: data[0] != d.DATA
    world.run(2)
    found = [node.endpoint.peer_status(1) for node in (a, b)]
    assert not all(status and status.confirmed for status in found)


def init_of_version(version: int) -> bytes:
    return bytes([d.INIT, version]) + bytes(d.MIN_INIT_BYTES)


def test_an_init_of_another_version_is_answered_and_told_where_we_dial() -> None:
    world = World(1)
    a = world.add("a", A)
    a.dial(1, B)
    a.endpoint.take_datagrams()
    for source in (STRANGER, B):
        a.endpoint.handle_datagram(init_of_version(9), source, world.now)
    assert a.endpoint.take_events() == [VersionSeen(B, 9)]
    answers = a.endpoint.take_datagrams()
    assert [(data[0], to) for data, to in answers] == [(d.VERSION, STRANGER), (d.VERSION, B)]


def test_hanging_up_takes_the_deadlines_of_the_peer_along() -> None:
    world = World(2)
    a = world.add("a", A)
    idle = a.endpoint.next_timeout()
    a.dial(1, B)
    assert a.endpoint.next_timeout() != idle
    a.endpoint.hang_up(1)
    assert a.endpoint.next_timeout() == idle


def test_each_repetition_of_a_fin_is_counted() -> None:
    world = World(5)
    world.capture = True
    a, b = world.add("a", A), world.add("b", B)
    b.decide = lambda event: 1
    a.talkative = False
    world.filter = lambda data, source, to: source == A or data[0] != d.DATA
    a.dial(1, B)
    world.run(5)
    fins = sum(data[0] == d.FIN for data, _, _ in world.captured)
    assert a.endpoint.counters.fins_repeated == fins - 1 > 1


def test_each_forged_answer_is_counted_and_the_genuine_one_still_taken() -> None:
    world = World(6)
    world.capture = True
    a, b = world.add("a", A), world.add("b", B)
    b.decide = lambda event: 1
    world.filter = lambda data, source, to: data[0] != d.RESP
    a.dial(1, B)
    world.run(0.2)
    resp = next(data for data, _, _ in world.captured if data[0] == d.RESP)
    for at in (8, 40, len(resp) - 1):
        a.endpoint.handle_datagram(resp[:at] + bytes([resp[at] ^ 1]) + resp[at + 1 :], B, world.now)
    assert a.endpoint.counters.dropped_forged == 3
    world.filter = lambda data, source, to: True
    a.receive(resp, B)
    assert world.run(0.5, lambda: agreed(a, b))
    assert a.endpoint.counters.dropped_forged == 3


def test_each_duplicate_of_an_init_is_counted_before_its_fin_and_after() -> None:
    world = World(7)
    world.capture = True
    a, b = world.add("a", A), world.add("b", B)
    b.decide = lambda event: 1
    a.dial(1, B)
    init = world.captured[0][0]
    world.run(0.06)
    assert b.endpoint._responder.half_open == 1
    for _ in range(2):  # the ephemeral of an INIT under another index
        b.endpoint.handle_datagram(init[:4] + bytes(4) + init[8:], STRANGER, world.now)
    assert b.endpoint.counters.dropped_duplicate_init == 2
    assert world.run(1, lambda: agreed(a, b))
    for _ in range(2):
        b.endpoint.handle_datagram(init, A, world.now)
    assert b.endpoint.counters.dropped_duplicate_init == 4
