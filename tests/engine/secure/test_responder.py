"""Whoever knocks: places, duplicates, forgeries and refusals, one datagram at a time."""

import pytest

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.admission import mac1, mac1_key
from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.events import Authenticated, Reflected
from chatnet_engine.secure.handshake import MAX_RESP_ADDRS, Initiation
from chatnet_engine.secure.identity import Identity
from chatnet_protocol.errors import LocalProtocolError
from chatnet_protocol.wire import datagrams
from chatnet_protocol.wire.datagrams import COOKIE, INIT, NO_COOKIE, RESP, LinkIdentity
from simworld.secure_world import A, B, World

CONFIG = SecureConfig()


class Visitor:
    """One who wants a handshake, from an address of its own."""

    def __init__(self, number: int, key: bytes | None = None) -> None:
        self.addr = (f"198.51.100.{number}", 1)
        self.key = mac1_key(key)
        self.fin = b""
        self.attempt = Initiation(
            peer=1,
            identity=Identity.from_private_bytes(bytes([number]) * 32),
            index=number,
            ephemeral=bytes([number]) * 32,
            psk=None,
            now=0.0,
        )

    def init(self) -> bytes:
        covered = self.attempt.covered(self.addr)
        return datagrams.encode_init(covered, mac1(self.key, covered))

    def read_resp(self, resp: bytes) -> bytes:
        proof = self.attempt.read_resp(datagrams.decode_resp(resp), B)
        proof.finish(self.attempt.mode, LinkIdentity(incarnation=77, port=1))
        self.fin = proof.fin
        return self.fin


class Door:
    """An endpoint, and what it answers to each datagram."""

    def __init__(self, config: SecureConfig = CONFIG) -> None:
        self.now = 1000.0
        node = World(1).add("b", B, config=config)
        self.public, self.endpoint = node.identity.public, node.endpoint
        self.counters = node.endpoint.counters

    def hear(self, data: bytes, addr: Addr) -> list[tuple[bytes, Addr]]:
        self.endpoint.handle_datagram(data, addr, self.now)
        return self.endpoint.take_datagrams()

    def visitor(self, number: int, *, known: bool = False) -> Visitor:
        return Visitor(number, self.public if known else None)

    def knock(self, visitor: Visitor) -> bytes | None:
        """The last answer; a cookie is returned at once."""
        answers = self.hear(visitor.init(), visitor.addr)
        if answers and answers[0][0][0] == COOKIE:
            reply = datagrams.decode_cookie(answers[0][0])
            visitor.attempt.take_cookie(visitor.addr, reply.cookie)
            answers = self.hear(visitor.init(), visitor.addr)
        assert len(answers) <= 1
        return answers[0][0] if answers else None

    def admits(self, visitor: Visitor) -> bool:
        answer = self.knock(visitor)
        return answer is not None and answer[0] == RESP

    def holds(self, visitor: Visitor) -> bool:
        """Whether the handshake of `visitor` is still open: its INIT gets the same RESP."""
        visitor.attempt.cookies.clear()
        return [data[0] for data, _ in self.hear(visitor.init(), visitor.addr)] == [RESP]

    def complete(self, number: int) -> tuple[Visitor, int]:
        """A visitor that has proved its key, and the attempt the owner has to answer."""
        visitor = self.visitor(number)
        resp = self.knock(visitor)
        assert resp is not None
        self.hear(visitor.read_resp(resp), visitor.addr)
        (claim,) = self.endpoint.take_events()
        assert isinstance(claim, Authenticated)
        return visitor, claim.attempt


def crowd(door: Door, *, known: int) -> list[Visitor]:
    """All places that strangers may have are taken, after some by those who know our key."""
    visitors = [door.visitor(n, known=True) for n in range(1, known + 1)]
    visitors += [door.visitor(known + n) for n in range(1, CONFIG.max_half_open_strangers + 1)]
    assert [door.admits(visitor) for visitor in visitors] == [True] * len(visitors)
    return visitors


def test_strangers_leave_two_places_to_those_who_know_our_key() -> None:
    door = Door()
    crowd(door, known=0)
    assert not door.admits(door.visitor(20))
    assert [door.admits(door.visitor(n, known=True)) for n in (21, 22, 23)] == [True, True, False]
    assert door.endpoint._responder.half_open == CONFIG.max_half_open
    assert door.counters.dropped_half_open_full == 2


@pytest.mark.parametrize("known", [1, 2])
def test_a_stranger_takes_the_place_of_the_oldest_stranger_only(known: int) -> None:
    """Else the strangers would soon have all places, those kept for known ones too."""
    door = Door()
    visitors = crowd(door, known=known)
    for n in range(3):
        door.now += CONFIG.evict_half_open_s
        assert door.admits(door.visitor(20 + n))
    assert door.endpoint._responder.half_open == len(visitors)
    assert [door.holds(visitor) for visitor in visitors[: known + 4]] == (
        [True] * known + [False] * 3 + [True]
    )


def test_one_who_knows_our_key_takes_the_place_of_the_oldest_of_all() -> None:
    door = Door()
    visitors = crowd(door, known=2)
    door.now += CONFIG.evict_half_open_s
    assert door.admits(door.visitor(20, known=True))
    assert [door.holds(visitor) for visitor in visitors[:4]] == [False, True, True, True]


def test_those_who_know_our_key_come_at_once_without_a_cookie() -> None:
    door = Door(SecureConfig(free_half_open=8))
    assert all(door.admits(door.visitor(n, known=True)) for n in range(1, 9))
    assert (door.counters.cookies_sent, door.counters.stranger_inits) == (0, 0)


def test_each_handshake_too_many_from_one_address_is_counted() -> None:
    door = Door(SecureConfig(free_half_open=0, max_half_open=20, max_half_open_strangers=20))
    visitors = [door.visitor(n) for n in range(1, 9)]
    for port, visitor in enumerate(visitors):
        visitor.addr = ("198.51.100.1", port)
    assert [door.admits(visitor) for visitor in visitors] == [True] * 5 + [False] * 3
    assert door.counters.dropped_rate == 3


def test_an_init_may_come_again_when_its_handshake_was_forgotten() -> None:
    door = Door()
    visitor = door.visitor(1)
    first = door.knock(visitor)
    door.now += CONFIG.half_open_s
    door.endpoint.handle_timeout(door.now)
    assert door.endpoint._responder.half_open == 0
    again = door.knock(visitor)
    assert again is not None
    assert again != first
    door.hear(visitor.read_resp(again), visitor.addr)
    assert [type(event) for event in door.endpoint.take_events()] == [Authenticated]


def test_an_init_is_answered_to_a_few_addresses_only() -> None:
    door = Door()
    init = door.visitor(1).init()
    addrs = [("198.51.100.1", port) for port in range(1, 10)]
    answered = [to for addr in addrs for _, to in door.hear(init, addr)]
    assert answered == addrs[:MAX_RESP_ADDRS]
    assert door.counters.dropped_duplicate_init == len(addrs) - MAX_RESP_ADDRS


def test_so_many_spent_inits_are_known_and_the_oldest_is_forgotten() -> None:
    door = Door(SecureConfig(max_spent_inits=2))
    spent = [door.complete(n)[0] for n in (1, 2, 3)]
    for visitor in spent[1:]:
        assert door.hear(visitor.init(), visitor.addr) == []
    assert door.counters.dropped_duplicate_init == 2
    assert door.admits(spent[0])


def test_so_many_refusals_are_repeated_and_the_oldest_is_forgotten() -> None:
    door = Door(SecureConfig(max_refusals=2))
    refused = []
    for number in (1, 2, 3):
        visitor, attempt = door.complete(number)
        door.endpoint.refuse(attempt, b"no", door.now)
        ((refusal, to),) = door.endpoint.take_datagrams()
        assert to == visitor.addr
        refused.append((visitor, refusal))
    elsewhere = ("203.0.113.7", 7)
    assert door.hear(refused[0][0].fin, elsewhere) == []
    for visitor, refusal in refused[1:]:
        assert door.hear(visitor.fin, elsewhere) == [(refusal, elsewhere)]


def test_refusals_are_forgotten_in_time() -> None:
    door = Door()
    visitor, attempt = door.complete(1)
    assert door.endpoint.next_timeout() == door.now + CONFIG.pending_s
    door.endpoint.refuse(attempt, b"no", door.now)
    door.endpoint.take_datagrams()
    assert door.endpoint.next_timeout() == door.now + CONFIG.half_open_s
    door.now += CONFIG.half_open_s
    door.endpoint.handle_timeout(door.now)
    assert door.endpoint.next_timeout() is None
    assert door.hear(visitor.fin, visitor.addr) == []


def test_forged_fins_are_counted_and_the_genuine_one_still_taken() -> None:
    door = Door()
    visitor = door.visitor(1)
    resp = door.knock(visitor)
    assert resp is not None
    fin = visitor.read_resp(resp)
    for at in (10, 50, len(fin) - 1):
        door.hear(fin[:at] + bytes([fin[at] ^ 1]) + fin[at + 1 :], visitor.addr)
    assert door.counters.dropped_forged == 3
    assert door.endpoint.take_events() == []
    door.hear(fin, visitor.addr)
    assert [type(event) for event in door.endpoint.take_events()] == [Authenticated]


def test_inits_with_a_key_of_small_order_are_counted() -> None:
    door = Door()
    door.endpoint.set_invites({1: bytes(32)})
    covered = datagrams.init_covered(5, 1, bytes(48))
    for _ in range(2):
        assert door.hear(datagrams.encode_init(covered, bytes(16)), A) == []
    assert door.counters.dropped_forged == 2


def test_claims_are_dropped_when_their_time_is_over_and_not_before() -> None:
    door = Door()
    attempts = [door.complete(1)[1]]
    door.now += 1.0
    attempts.append(door.complete(2)[1])
    for number, end in enumerate((1005.0, 1006.0)):
        assert door.endpoint.next_timeout() == end
        door.endpoint.handle_timeout(end - 0.01)
        assert door.counters.dropped_unanswered == number
        door.endpoint.handle_timeout(end)
        assert door.counters.dropped_unanswered == number + 1
    assert door.endpoint.next_timeout() is None
    for attempt in attempts:
        with pytest.raises(LocalProtocolError, match=f"attempt {attempt} is not waiting"):
            door.endpoint.accept(attempt, 1, door.now)


def dialling() -> tuple[Door, bytes]:
    """One that dials A, and its INIT."""
    door = Door()
    door.endpoint.dial(1, [A], door.now, remote_key=None)
    ((init, to),) = door.endpoint.take_datagrams()
    assert to == A
    return door, init


def test_our_own_init_that_came_back_is_told_each_time() -> None:
    door, init = dialling()
    for source in (A, B):
        assert door.hear(init, source) == []
    assert door.counters.dropped_reflected == 2
    assert door.endpoint.take_events() == [Reflected(1, A), Reflected(1, B)]


def crossing(index: int) -> bytes:
    """An INIT whose ephemeral key is smaller than any that is drawn."""
    covered = datagrams.init_covered(index, 0, index.to_bytes(32, "big"))
    return datagrams.encode_init(covered, mac1(mac1_key(None), covered))


def test_inits_that_cross_ours_and_lose_are_counted() -> None:
    door, _ = dialling()
    for index in (1, 2):
        assert door.hear(crossing(index), A) == []
    assert door.counters.dropped_simultaneous == 2
    door.now += CONFIG.simultaneous_s
    assert [data[0] for data, _ in door.hear(crossing(3), A)] == [RESP]


def test_each_new_cookie_is_returned_at_once_and_counts_as_an_init_that_went_out() -> None:
    door, init = dialling()
    door.now += 0.375
    for count, cookie in enumerate((b"\1" * 16, b"\2" * 16), start=1):
        reply = datagrams.encode_cookie(datagrams.peek_index(init), cookie)
        ((again, to),) = door.hear(reply, A)
        assert (again[0], to, datagrams.decode_init(again).cookie) == (INIT, A, cookie)
        assert door.hear(reply, A) == []
        assert door.counters.cookies_received == count
    door.now += 0.375  # longer ago than half a second for the first INIT only
    assert door.hear(crossing(1), A) == []
    assert door.counters.dropped_simultaneous == 1


def test_a_version_is_believed_from_where_we_dial_under_our_index_only() -> None:
    door, init = dialling()
    index = datagrams.peek_index(init)
    door.hear(datagrams.encode_version(index), B)
    door.hear(datagrams.encode_version(index ^ 1), A)
    assert door.endpoint.take_events() == []
    assert door.counters.dropped_unknown_index == 2
    door.hear(datagrams.encode_version(index), A)
    assert len(door.endpoint.take_events()) == 1
    assert datagrams.decode_init(init).cookie == NO_COOKIE
