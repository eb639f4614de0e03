"""One peer over its life: what goes out when, what its owner is told, what its status says."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.events import (
    Authenticated,
    LinkUp,
    PeerStatus,
    SessionExpired,
)
from chatnet_protocol.wire import datagrams as d
from simworld.secure_world import PING, A, B, Node, World, agreed, is_data

PSK = bytes([7]) * 32
NO_REKEY = SecureConfig(rekey_after_s=1000.0, rekey_responder_after_s=1000.0)


class Tap:
    """All that two nodes send, with its time; `lost` says what does not arrive."""

    def __init__(self, config: SecureConfig | None = None) -> None:
        self.world = World(1)
        self.sent: list[tuple[float, bytes, Addr, Addr]] = []
        self.lost: Callable[[bytes, Addr], bool] = lambda data, source: False
        self.world.filter = self._note
        self.a = self.world.add("a", A, config=config)
        self.b = self.world.add("b", B, config=config)
        self.b.decide = lambda event: 1
        self.a.talkative = self.b.talkative = False

    def _note(self, data: bytes, source: Addr, to: Addr) -> bool:
        self.sent.append((self.world.now, data, source, to))
        return not self.lost(data, source)

    def connect(self) -> None:
        self.a.dial(1, B)
        assert self.world.run(1, lambda: agreed(self.a, self.b))
        self.world.run(1)

    def of(self, kind: int, source: Addr) -> list[tuple[float, bytes, Addr]]:
        return [(at, x, to) for at, x, where, to in self.sent if x[0] == kind and where == source]

    def pauses(self, since: float) -> list[float]:
        """Between the INITs of a."""
        times = [at for at, _, _ in self.of(d.INIT, A) if at >= since]
        return [later - earlier for earlier, later in pairwise(times)]


def status_of(node: Node) -> PeerStatus:
    node.endpoint.handle_timeout(node.world.now)
    status = node.endpoint.peer_status(1)
    assert status is not None
    return status


def link_ups(node: Node) -> list[bool]:
    return [event.rekey for event in node.events if isinstance(event, LinkUp)]


def lose_all(data: bytes, source: Addr) -> bool:
    return True


def lose_nothing(data: bytes, source: Addr) -> bool:
    return False


def lose_fins(data: bytes, source: Addr) -> bool:
    return data[0] == d.FIN


# --- what people see ------------------------------------------------------------------------------


def test_the_status_follows_a_dial_until_it_is_confirmed() -> None:
    tap = Tap()
    world, a, b = tap.world, tap.a, tap.b
    began = world.now
    a.dial(1, B)
    assert status_of(a) == PeerStatus(
        dialling=True,
        initiating=True,
        usable=False,
        confirmed=False,
        addr=None,
        validated=False,
        slots=(None, None, None),
        current_age_s=None,
        last_received_s=None,
        remote_incarnation=None,
    )
    world.run(0.11)
    first = status_of(a)
    assert (first.usable, first.confirmed, first.initiating) == (True, False, False)
    assert (first.addr, first.validated) == (B, True)
    assert first.slots[0] is not None
    assert first.slots[1:] == (None, None)
    assert first.remote_incarnation == b.endpoint.incarnation()
    world.run(10)
    status = status_of(a)
    assert (status.usable, status.confirmed, status.initiating) == (True, True, False)
    assert status.slots == (None, first.slots[0], None)
    assert status.current_age_s == pytest.approx(world.now - began - 0.1)
    theirs = status_of(b)
    assert (theirs.dialling, theirs.initiating) == (False, False)
    assert theirs.remote_incarnation == a.endpoint.incarnation()
    assert [e.key for e in a.events if isinstance(e, LinkUp)] == [b.identity.public]
    assert [e.key for e in b.events if isinstance(e, LinkUp)] == [a.identity.public]


def test_a_peer_was_last_heard_by_its_fin_its_confirmation_or_its_packets() -> None:
    tap = Tap()
    world, a, b = tap.world, tap.a, tap.b
    began = world.now
    tap.lost = lambda data, source: is_data(data)
    a.dial(1, B)
    world.run(1)
    assert status_of(b).last_received_s == pytest.approx(began + 0.15)
    assert status_of(a).last_received_s == pytest.approx(began + 0.2)
    tap.lost = lose_nothing
    for node, other in ((a, b), (b, a)):
        said = world.now
        node.send(1, b"\x09")
        world.run(1)
        assert status_of(other).last_received_s == pytest.approx(said + 0.05)


# --- the end of a handshake -----------------------------------------------------------------------


def test_a_fin_is_confirmed_at_once_by_an_empty_data_to_where_it_came_from() -> None:
    tap = Tap()
    began = tap.world.now
    tap.lost = lambda data, source: is_data(data)
    tap.a.dial(1, B)
    tap.world.run(5)
    confirms = [(at, len(data), to) for at, data, to in tap.of(d.DATA, B) if not is_data(data)]
    [(at, size, to)] = confirms
    assert at == pytest.approx(began + 0.15)
    assert (size, to) == (d.DATA_HEADER.size + 16, A)
    assert len(tap.of(d.FIN, A)) == 1
    assert tap.a.current() is not None


def test_data_on_an_unconfirmed_session_brings_the_fin_along_ten_times_a_second_at_most() -> None:
    tap = Tap()
    tap.lost = lose_fins
    tap.a.dial(1, B)
    tap.world.run(0.24)
    ((sent_at, fin, _),) = tap.of(d.FIN, A)
    assert sent_at < tap.world.now - 0.1
    endpoint = tap.a.endpoint
    endpoint.handle_timeout(tap.world.now)
    assert endpoint.seal(1, 100, PING) is not None
    assert endpoint.take_datagrams() == [(fin, B)]
    assert endpoint.seal(1, 101, PING) is not None
    assert endpoint.take_datagrams() == []


def test_a_fin_that_never_arrives_leads_to_a_new_handshake_of_the_same_link() -> None:
    """Its owner is told of the link once, and again when a session is confirmed."""
    tap = Tap()
    world, a, b = tap.world, tap.a, tap.b
    tap.lost = lose_fins
    a.dial(1, B)
    world.run(12)
    assert len(tap.of(d.INIT, A)) == 1
    world.run(6)
    assert len(tap.of(d.INIT, A)) == 2
    assert len({data for _, data, _ in tap.of(d.FIN, A)}) == 2
    assert (link_ups(a), link_ups(b)) == ([False], [])
    tap.lost = lose_nothing
    assert world.run(5, lambda: agreed(a, b))
    assert (link_ups(a), link_ups(b)) == ([False, True], [False])


def test_a_link_that_fell_silent_is_announced_again_before_it_is_confirmed() -> None:
    tap = Tap()
    world, a = tap.world, tap.a
    tap.connect()
    tap.lost = lose_all
    world.run(181)
    assert [e for e in a.events if isinstance(e, SessionExpired)] == [SessionExpired(1)]
    tap.lost = lose_fins
    world.run(3)
    assert not status_of(a).confirmed
    assert link_ups(a) == [False, True]


def test_the_fin_of_a_late_renewal_is_repeated_after_the_old_session_has_expired() -> None:
    tap = Tap(NO_REKEY)
    world, a, b = tap.world, tap.a, tap.b
    tap.connect()
    tap.lost = lose_fins
    world.run(178.4)
    began = world.now
    a.endpoint.rehandshake(1, began)
    a.flush()
    world.run(1)
    assert a.count(SessionExpired) == 0
    assert a.endpoint.counters.expired_sessions == 1
    fins = [fin for at, fin, _ in tap.of(d.FIN, A) if at > began]
    assert fins == [fins[0]] * 3
    tap.lost = lose_nothing
    assert world.run(5, lambda: agreed(a, b))


@pytest.mark.parametrize("ends", ["silence", "CLOSE"])
def test_an_unproved_session_after_a_link_has_ended_is_not_said_to_have_expired(ends: str) -> None:
    """Said once, of the link that was announced; the session under the invite never was."""
    tap = Tap()
    world, a, b = tap.world, tap.a, tap.b
    tap.connect()
    tap.lost = lose_all
    if ends == "silence":
        world.run(181)
    else:
        a.endpoint.end_link(1, world.now, by_peer=True)
        a.peers[1].link = None
        a.flush()
    said, expired = a.count(SessionExpired), a.endpoint.counters.expired_sessions
    assert said == (ends == "silence")
    b.endpoint.set_invites({1: PSK})
    answers = len(tap.of(d.RESP, B))
    tap.lost = lambda data, source: (
        source == B and (data[0] != d.RESP or len(tap.of(d.RESP, B)) > answers + 1)
    )
    a.dial(1, B, psk=PSK)
    world.run(200)
    assert a.endpoint.counters.expired_sessions == expired + 1
    assert a.count(SessionExpired) == said


# --- renewals and dials ---------------------------------------------------------------------------


def test_the_side_that_was_dialled_renews_the_session_too() -> None:
    tap = Tap()
    tap.connect()
    before = tap.b.current()
    tap.b.endpoint.rehandshake(1, tap.world.now)
    tap.b.flush()
    assert tap.world.run(0.5, lambda: agreed(tap.a, tap.b) and tap.b.current() != before)
    assert link_ups(tap.a) == link_ups(tap.b) == [False, True]


@pytest.mark.parametrize("ends", ["silence", "CLOSE"])
def test_a_renewal_is_tried_every_two_seconds_and_a_dial_slows_down(ends: str) -> None:
    tap = Tap(NO_REKEY)
    world, a = tap.world, tap.a
    tap.connect()
    a.endpoint.set_urgent(1, False)
    tap.lost = lose_all
    a.endpoint.rehandshake(1, world.now)
    began = world.now
    world.run(60)
    assert len(tap.pauses(began)) > 25
    assert max(tap.pauses(began)) <= 2.0
    if ends == "silence":
        world.run(122)
    else:
        a.endpoint.end_link(1, world.now, by_peer=True)
    began = world.now
    world.run(250)
    assert tap.pauses(began)[-1] > 40


def test_what_becomes_urgent_during_a_pause_is_urgent_after_it() -> None:
    tap = Tap()
    world, a = tap.world, tap.a
    tap.connect()
    tap.lost = lose_all
    a.endpoint.set_urgent(1, False)
    a.endpoint.end_link(1, world.now, pause_s=5.0, by_peer=True)
    a.endpoint.set_urgent(1, True)
    began = world.now
    world.run(60)
    assert tap.of(d.INIT, A)[1][0] == began + 5.0
    assert max(tap.pauses(began)) <= 2.0


def test_an_invite_is_proved_once_and_later_sessions_do_without_it() -> None:
    """The other side forgets an invite as soon as it was used."""
    tap = Tap()
    world, a, b = tap.world, tap.a, tap.b
    b.endpoint.set_invites({1: PSK})
    a.dial(1, B, psk=PSK)
    assert world.run(1, lambda: agreed(a, b))
    b.endpoint.set_invites({})

    def renew() -> int:
        """The mode of the INIT that made another session."""
        before = a.current()
        a.endpoint.rehandshake(1, world.now)
        a.flush()
        assert world.run(1, lambda: agreed(a, b) and a.current() != before)
        return tap.of(d.INIT, A)[-1][1][2]

    assert [renew() for _ in range(3)] == [d.Mode.XX] * 3
    a.dial(1, B, ("10.0.0.9", 9), psk=PSK)
    assert renew() == d.Mode.XX
    b.endpoint.set_invites({2: bytes(32)})
    a.dial(1, B, psk=bytes(32))
    assert renew() == d.Mode.XXPSK3


def test_a_cookie_for_an_attempt_that_nobody_wants_any_more_does_no_harm() -> None:
    """b renewed without a dial; then its session expired and the renewed one was refused."""
    tap = Tap(NO_REKEY)
    world, a, b = tap.world, tap.a, tap.b
    tap.connect()
    world.run(168)
    tap.lost = lambda data, source: (
        (data[0] != d.RESP and source == A)
        or data[0] in (d.FIN, d.DATA)
        or len(tap.of(d.RESP, A)) > 1
    )
    b.endpoint.rehandshake(1, world.now)
    b.flush()
    world.run(17)
    tap.lost = lambda data, source: data[0] == d.INIT
    a.decide = lambda event: None
    world.inject(tap.of(d.FIN, B)[-1][1], B, A)
    world.run(0.2)
    assert not status_of(b).usable
    assert status_of(b).initiating
    init = tap.of(d.INIT, B)[-1][1]
    world.inject(d.encode_cookie(d.peek_index(init), b"cookie of 16 byt"), A, B)
    world.run(0.2)
    assert b.endpoint.counters.cookies_received == 1


def test_both_of_two_crossing_handshakes_of_one_link_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RESP waits for its owner's word while the other side's FIN arrives and is accepted first."""
    tap = Tap()
    world, a, b = tap.world, tap.a, tap.b
    a.dial(1, B)
    world.nodes.remove(a)
    claims: list[Authenticated] = []

    def only_listen() -> None:
        claims.extend(e for e in a.endpoint.take_events() if isinstance(e, Authenticated))
        for data, to in a.endpoint.take_datagrams():
            world.transmit(a, data, to)

    monkeypatch.setattr(a, "flush", only_listen)
    world.run(3)
    b.dial(1, A)
    world.run(1)
    assert [claim.initiator for claim in claims] == [True, False]
    for claim in reversed(claims):
        a.endpoint.accept(claim.attempt, 1, world.now)
    counters = a.endpoint.counters
    assert (counters.handshakes_initiated, counters.handshakes_responded) == (1, 1)
    assert counters.dropped_stale == 0
