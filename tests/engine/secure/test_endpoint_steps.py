"""One handshake and what follows, a datagram at a time: addresses, counts and the next timer."""

import pytest

from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.secure.events import (
    Authenticated,
    LinkUp,
    PacketArrived,
    PathChallengeNeeded,
    Refused,
)
from chatnet_protocol.errors import LocalProtocolError
from chatnet_protocol.wire import datagrams
from simworld.secure_world import PING, A, B, World

CONFIG = SecureConfig()
START = 1000.0
ELSEWHERE = ("203.0.113.7", 7)


def claim_of(endpoint: Endpoint) -> Authenticated:
    (claim,) = endpoint.take_events()
    assert isinstance(claim, Authenticated)
    return claim


class Steps:
    """a, which dials b as its peer 1, and b, for which a is peer 1."""

    def __init__(self, config: SecureConfig = CONFIG) -> None:
        self.world = World(1)
        self.a = self.world.add("a", A, config=config).endpoint
        self.b = self.world.add("b", B).endpoint
        self.a.dial(1, [B], START, remote_key=None)

    def to_a(self, now: float = START) -> list[bytes]:
        return self._pass(self.b, self.a, B, now)

    def to_b(self, now: float = START) -> list[bytes]:
        return self._pass(self.a, self.b, A, now)

    def _pass(
        self, giver: Endpoint, taker: Endpoint, addr: tuple[str, int], now: float
    ) -> list[bytes]:
        passed = [data for data, _ in giver.take_datagrams()]
        for data in passed:
            taker.handle_datagram(data, addr, now)
        return passed

    def until_fin(self) -> bytes:
        """Both have proved themselves, a has accepted; b's owner is asked."""
        self.to_b()
        self.to_a()
        self.a.accept(claim_of(self.a).attempt, 1, START)
        assert [type(event) for event in self.a.take_events()] == [LinkUp]
        (fin,) = self.to_b()
        return fin

    def until_up(self) -> bytes:
        """Both hold a confirmed session. Returns the FIN."""
        fin = self.until_fin()
        self.b.accept(claim_of(self.b).attempt, 1, START)
        self.to_a()
        self.a.take_events()
        self.b.take_events()
        return fin


def test_a_claim_names_the_peer_we_dialled_and_is_dropped_in_time() -> None:
    steps = Steps()
    steps.to_b()
    steps.to_a()
    claim = claim_of(steps.a)
    assert (claim.peer_hint, claim.initiator) == (1, True)
    steps.a.handle_timeout(START + CONFIG.pending_s - 0.01)
    assert steps.a.counters.dropped_unanswered == 0
    steps.a.handle_timeout(START + CONFIG.pending_s)
    assert steps.a.counters.dropped_unanswered == 1


def test_a_fin_that_comes_again_is_confirmed_again_where_it_came_from() -> None:
    steps = Steps()
    fin = steps.until_fin()
    steps.b.accept(claim_of(steps.b).attempt, 1, START)
    ((confirm, to),) = steps.b.take_datagrams()
    assert to == A
    steps.b.handle_datagram(fin, ELSEWHERE, START)
    assert steps.b.take_datagrams() == [(confirm, ELSEWHERE)]
    steps.b.handle_datagram(fin[:-1] + bytes([fin[-1] ^ 1]), A, START)
    assert steps.b.take_datagrams() == []
    assert steps.b.counters.confirms_sent == 2


def test_a_confirmed_session_wants_nothing_before_its_rekey() -> None:
    steps = Steps()
    steps.until_fin()
    assert steps.a.next_timeout() == START + CONFIG.first_repeat_s
    steps.b.accept(claim_of(steps.b).attempt, 1, START)
    steps.to_a()
    mine, theirs = steps.a.next_timeout(), steps.b.next_timeout()
    assert mine is not None
    assert theirs is not None
    least_s = CONFIG.rekey_after_s - CONFIG.rekey_spread_s
    assert least_s <= mine - START - CONFIG.rest_s <= CONFIG.rekey_after_s
    assert theirs - mine == CONFIG.rekey_responder_after_s - CONFIG.rekey_after_s


def test_a_refused_dialler_is_told_from_where_and_wants_nothing_before_its_pause_is_over() -> None:
    steps = Steps()
    steps.until_fin()
    assert steps.a.next_timeout() == START + CONFIG.first_repeat_s
    steps.b.refuse(claim_of(steps.b).attempt, b"no", START)
    steps.to_a()
    (refused,) = steps.a.take_events()
    assert isinstance(refused, Refused)
    assert refused.addr == B
    assert steps.a.next_timeout() == START + CONFIG.refused_wait_s


def test_a_batch_on_an_unconfirmed_session_has_fin_in_front() -> None:
    steps = Steps()
    fin = steps.until_fin()
    later = START + 2 * CONFIG.fin_in_front_s
    steps.a.handle_timeout(later)
    sealed = steps.a.seal_many(1, [(0, PING), (1, PING)], later)
    assert sealed is not None
    assert (len(sealed[0]), sealed[1]) == (2, B)
    assert steps.a.take_datagrams() == [(fin, B)]


def test_forged_and_replayed_packets_are_counted_one_by_one() -> None:
    steps = Steps()
    steps.until_up()
    sealed = steps.a.seal(1, 5, PING)
    assert sealed is not None
    packet = sealed[0]
    for at in (16, 20, len(packet) - 1):
        forged = packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1 :]
        steps.b.handle_datagram(forged, A, START)
    for _ in range(3):
        steps.b.handle_datagram(packet, A, START)
    counters = steps.b.counters
    assert (counters.dropped_forged, counters.dropped_replayed) == (3, 2)
    assert [type(event) for event in steps.b.take_events()] == [PacketArrived]


def test_a_session_receives_until_its_last_instant() -> None:
    steps = Steps()
    steps.until_up()
    packets = []
    for number in range(3):
        sealed = steps.a.seal(1, number, PING)
        assert sealed is not None
        packets.append(sealed[0])
    end = START + CONFIG.rest_s + CONFIG.reject_after_s
    for packet, now in zip(packets, (end - 0.01, end, end + 1), strict=True):
        steps.b.handle_datagram(packet, A, now)
    arrived = [e.number for e in steps.b.take_events() if isinstance(e, PacketArrived)]
    assert arrived == [0]
    assert steps.b.counters.dropped_expired == 2


def test_a_fin_that_is_turned_away_in_silence_is_not_answered_and_not_remembered() -> None:
    steps = Steps()
    fin = steps.until_fin()
    steps.b.refuse(claim_of(steps.b).attempt, b"", START)
    assert steps.b.take_datagrams() == []
    steps.b.handle_datagram(fin, A, START)
    assert steps.b.take_datagrams() == []
    assert steps.b.take_events() == []


def test_so_many_refused_keys_are_known_and_each_of_their_answers_is_counted() -> None:
    """A dialled address may answer with ever new keys; what we keep of them is bounded."""
    steps = Steps(SecureConfig(max_pending=2))
    ((init, _),) = steps.a.take_datagrams()
    answers = []
    for number in range(3):
        other = steps.world.add(f"n{number}", (f"10.2.0.{number}", 1)).endpoint
        other.handle_datagram(init, A, START)
        ((resp, _),) = other.take_datagrams()
        answers.append(resp)
        steps.a.handle_datagram(resp, B, START)
        steps.a.refuse(claim_of(steps.a).attempt, b"no", START)
    for resp in answers:
        steps.a.handle_datagram(resp, B, START)
    assert steps.a.counters.dropped_refused_key == 2
    assert claim_of(steps.a).initiator


def test_an_ended_link_is_dialled_again_at_once_without_a_pause() -> None:
    steps = Steps()
    steps.until_up()
    steps.a.end_link(1, START + 5)
    assert [(data[0], to) for data, to in steps.a.take_datagrams()] == [(datagrams.INIT, B)]


def test_a_validated_path_wants_no_challenge_any_more() -> None:
    steps = Steps()
    steps.until_up()
    before = steps.b.next_timeout()
    sealed = steps.a.seal(1, 0, PING)
    assert sealed is not None
    steps.b.handle_datagram(sealed[0], ELSEWHERE, START + 1)
    (needed,) = (e for e in steps.b.take_events() if isinstance(e, PathChallengeNeeded))
    assert steps.b.next_timeout() == START + 1 + CONFIG.challenge_repeat_s
    steps.b.path_validated(1, needed.token, START + 1)
    assert steps.b.next_timeout() == before


def test_a_dial_may_have_as_many_addresses_and_an_owner_as_many_invites_as_is_said() -> None:
    steps = Steps()
    steps.a.take_datagrams()
    addrs = [("10.0.1.1", port) for port in range(1, CONFIG.max_dial_addrs + 1)]
    steps.a.dial(2, addrs, START, remote_key=None)
    assert [to for _, to in steps.a.take_datagrams()] == addrs
    steps.a.set_invites(dict.fromkeys(range(CONFIG.max_invites), bytes(32)))
    with pytest.raises(LocalProtocolError, match=f"more than {CONFIG.max_invites} open invites"):
        steps.a.set_invites(dict.fromkeys(range(CONFIG.max_invites + 1), bytes(32)))
