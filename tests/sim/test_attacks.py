"""Somebody on the line: replays, floods, another key, another address. By counters, not by time."""

import os

import pytest

from chatnet_engine.addresses import Addr
from chatnet_engine.node.node import Node
from chatnet_engine.node.people.peers import MAX_PENDING_PEERS
from chatnet_engine.secure.admission import mac1, mac1_key
from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.events import Counters
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import LinkState, Trust
from chatnet_protocol.wire import datagrams
from simworld.clock import Clock
from simworld.engine import SimEngine
from simworld.network import Line, Network
from simworld.pair import A, B, Pair
from simworld.takeover import become_another

FLOOD = int(os.environ.get("CHATNET_FLOOD", "8000"))
"""Forged datagrams; the full measure is 200,000."""
RATE_S = 1e-4
M = ("10.0.0.66", 6666)


def node_of(engine: SimEngine) -> Node:
    return engine.node


def counters(engine: SimEngine) -> Counters:
    return node_of(engine).endpoint.counters


def accepted(engine: SimEngine) -> tuple[int, ...]:
    """Everything that a datagram from outside may have brought about."""
    c = counters(engine)
    peers = len(engine.ledger.load().peers)
    rows = engine.ledger.load().last_no
    return c.packets_opened, c.handshakes_initiated, c.handshakes_responded, peers, rows


def test_a_whole_captured_session_replayed_is_worth_nothing() -> None:
    pair = Pair(1)
    captured: list[tuple[bytes, Addr, Addr]] = []
    pair.network.tap = lambda data, source, target: captured.append((data, source, target))
    pair.a.crash()
    pair.a.up()
    for number in range(20):
        pair.at_a.say(f"a{number}")
        pair.at_b.say(f"b{number}")
        pair.run(0.2)
    pair.settle(10)
    pair.run(1)
    pair.network.tap = None
    assert len(captured) > 40
    replay = list(captured)

    def again(engine: SimEngine) -> None:
        before = accepted(engine)
        for data, source, target in replay:
            if target == engine.addr:
                for addr in (source, M):
                    node_of(engine).handle_datagrams([(data, addr)], engine.now)
        assert accepted(engine) == before

    for engine in (pair.a, pair.b):
        again(engine)
        engine.crash()
        engine.up()
        pair.run(1)
        again(engine)
    pair.run(30)
    pair.at_a.say("still here")
    pair.settle(30)
    pair.check([*(f"a{n}" for n in range(20)), "still here"], [f"b{n}" for n in range(20)])


def forged(random: Clock, number: int, key: bytes) -> tuple[bytes, Addr]:
    """An INIT that would be answered, for the right key, a former one or none; or noise."""
    source = (f"10.{number % 200}.{number // 256 % 256}.{number % 256}", 1024 + number % 60_000)
    rng = random.random
    if number % 4 == 3:
        return rng.randbytes(rng.choice((16, 24, 82, 118, 160, 1200))), source
    claimed = (key, b"\1" * 32, None)[number % 4]
    covered = datagrams.init_covered(rng.getrandbits(32), 0, rng.randbytes(32))
    return datagrams.encode_init(covered, mac1(mac1_key(claimed), covered)), source


def test_a_flood_makes_nothing_while_a_conversation_runs() -> None:
    """Counters: half-open handshakes, peers, sessions, rows; and every message arrives."""
    pair = Pair(2)
    pair.run(2)
    config = SecureConfig()
    key = pair.b.session().key
    said = []
    endpoint = node_of(pair.b).endpoint
    before, status = accepted(pair.b), endpoint.peer_status(1)
    for number in range(0, FLOOD, 50):
        batch = [forged(pair.clock, number + n, key) for n in range(50)]
        node_of(pair.b).handle_datagrams(batch, pair.b.now)
        assert endpoint._responder.half_open <= config.free_half_open, "no cookie ever came back"
        pair.b.turn()
        if number % 2000 == 0:
            said.append(f"a{number}")
            pair.at_a.say(said[-1])
        pair.run(50 * RATE_S)
    pair.settle(10)
    pair.check(said, [])
    after = accepted(pair.b)
    assert after[1:4] == before[1:4]
    assert after[4] == before[4] + len(said)
    now = endpoint.peer_status(1)
    assert status
    assert now
    assert now.addr == status.addr
    assert counters(pair.b).cookies_sent > 0
    assert counters(pair.b).dropped_unknown_index + counters(pair.b).dropped_malformed > 0


def test_strangers_in_any_number_make_a_few_pending_peers() -> None:
    pair = Pair(3)
    for number in range(MAX_PENDING_PEERS + 6):
        stranger = SimEngine(pair.clock, pair.network, f"s{number}", (f"10.1.0.{number}", 7))
        stranger.up()
        stranger.dial(B)
        pair.run(8)
        stranger.crash()
    assert pair.at_b.view
    pending = [p for p in pair.at_b.view.peers if p.info.trust == Trust.PENDING]
    assert len(pending) == MAX_PENDING_PEERS
    pair.at_a.say("not disturbed")
    pair.settle(10)


def test_a_man_in_the_middle_of_a_first_contact_shows_in_the_safety_numbers() -> None:
    clock = Clock(4)
    network = Network(clock)
    a, b = SimEngine(clock, network, "a", A), SimEngine(clock, network, "b", B)
    m = SimEngine(clock, network, "m", M)
    for victim, peer in ((A, B), (B, A)):
        network.intercept(victim, peer, M)
    for engine in (a, b, m):
        engine.up()
    at_a, at_b = a.attach(), b.attach()
    a.dial(B)
    b.dial(A)
    m.dial(A)
    m.dial(B)
    clock.run(clock.now_s + 10)
    assert at_a.view
    assert at_b.view
    (at_a_row,), (at_b_row,) = (at.view.peers for at in (at_a, at_b) if at.view)
    key = m.session().key
    assert (at_a_row.info.key, at_b_row.info.key) == (key, key), "trust on first use"
    assert (at_a_row.info.trust, at_b_row.info.trust) == (Trust.PINNED, Trust.PINNED)
    assert at_a_row.info.safety_number != at_b_row.info.safety_number


@pytest.mark.parametrize("waiting", [0, 3000])
def test_r21_another_key_in_mid_session_touches_nothing(waiting: int) -> None:
    """An impostor at the peer's address, while a link is up or an outbox is full."""
    pair = Pair(5)
    pair.at_a.say("to the right one")
    pair.settle(10)
    key = pair.peer(pair.at_a).info.key
    genuine = pair.b
    genuine.crash()
    impostor = SimEngine(pair.clock, pair.network, "impostor", B)
    impostor.up()
    at_impostor = impostor.attach()
    pair.run(0.1)
    impostor.dial(A)
    texts = [f"secret {number}" for number in range(waiting)] or ["secret"]
    for text in texts:
        pair.at_a.say(text)
    pair.run(60)
    shown = pair.peer(pair.at_a)
    assert (shown.info.key, shown.info.offered_key) == (key, impostor.session().key)
    assert shown.waiting == len(texts)
    assert at_impostor.texts == []
    assert counters(impostor).packets_opened == 0
    impostor.crash()
    genuine.up()
    pair.settle(120)
    pair.check(["to the right one", *texts], [])


def test_r21_an_impostor_beside_a_live_link_is_refused_and_reported() -> None:
    pair = Pair(6)
    pair.run(2)
    incarnation = pair.peer(pair.at_a).link.incarnation
    impostor = SimEngine(pair.clock, pair.network, "impostor", (B[0], 7000))
    impostor.up()
    node_of(impostor).endpoint._local.port = B[1]
    impostor.dial(A)
    pair.run(30)
    shown = pair.peer(pair.at_a)
    assert (shown.link.state, shown.link.incarnation) == (LinkState.UP, incarnation)
    assert shown.info.offered_key == impostor.session().key
    pair.at_a.say("undisturbed")
    pair.settle(5)


def test_a_reinstalled_peer_is_refused_until_a_person_decides() -> None:
    pair = Pair(7)
    pair.at_a.say("before")
    pair.settle(5)
    become_another(pair.b)
    pair.at_a.say("waits")
    pair.run(70)
    shown = pair.peer(pair.at_a)
    assert shown.link.state == LinkState.KEY_CHANGED
    assert shown.waiting == 1
    wrong = pair.at_a.ask(cmd.TrustPeer(1, "replace", b"w" * 32))
    pair.run(1)
    failure = pair.at_a.replies[wrong].failure
    assert failure
    assert failure.code == "not-allowed"
    pair.at_a.ask(cmd.TrustPeer(1, "replace", pair.b.session().key))
    pair.settle(90)
    assert pair.texts(pair.b, mine=False) == ["waits"]
    assert pair.peer(pair.at_a).info.trust == Trust.PINNED


@pytest.mark.parametrize("who_moves", ["a", "b"])
def test_r25_a_peer_that_moved_while_the_other_was_off_is_found(who_moves: str) -> None:
    pair = Pair(8)
    pair.at_a.say("before")
    pair.settle(5)
    mover, other = (pair.a, pair.b) if who_moves == "a" else (pair.b, pair.a)
    other.crash()
    pair.run(5)
    pair.network.rebind(mover.addr, ("10.44.0.9", 4444))
    pair.run(200)
    other.up()
    pair.at_a.say("after")
    pair.at_b.say("there you are")
    pair.settle(60)
    pair.check(["before", "after"], ["there you are"])


def test_r25_one_that_moves_away_for_good_is_found_by_its_kept_address() -> None:
    """The typed address is dead; what was validated last is dialled besides."""
    pair = Pair(9)
    pair.run(2)
    moved = ("10.44.0.9", 4444)
    pair.network.rebind(B, moved)
    pair.at_b.say("from elsewhere")
    pair.settle(10)
    pair.a.crash()
    pair.b.crash()
    pair.run(200)
    pair.network.line(B[0], A[0]).cut = True
    pair.a.up()
    pair.b.up()
    pair.run(1)
    pair.network.line(B[0], A[0]).cut = False
    pair.at_a.say("found")
    pair.settle(60)
    pair.check(["found"], ["from elsewhere"])


def test_r9_a_line_that_moves_again_and_again_stays_one_link() -> None:
    pair = Pair(10, Line(loss=0.1))
    pair.run(20)
    links = pair.peer(pair.at_a).link.links
    said = []
    for number in range(10):
        pair.network.rebind(B, (f"10.50.0.{number}", 4000 + number))
        said.append(f"from place {number}")
        pair.at_b.say(said[-1])
        pair.run(30)
    pair.settle(30)
    pair.check([], said)
    assert pair.peer(pair.at_a).link.links == links


def test_r13_what_was_acknowledged_and_never_committed_is_sent_again() -> None:
    """ACK ends retransmission, RECEIPT alone empties the outbox: a peer that takes an ACK back,
    because it died before its commit, loses nothing."""
    pair = Pair(11)
    pair.run(2)
    pair.b.store_fails = "The disk is full."
    texts = [f"a{number}" for number in range(50)]
    for text in texts:
        pair.at_a.say(text)
    pair.run(5)
    session = node_of(pair.a).links.sessions.get(1)
    assert session
    connection = session.connection
    assert connection.first_unanswered is None, "every packet was acknowledged"
    assert pair.peer(pair.at_a).waiting == len(texts)
    pair.b.crash()
    pair.b.store_fails = ""
    pair.b.up()
    pair.settle(60)
    pair.check(texts, [])


@pytest.mark.parametrize("seed", range(5))
def test_r7_packets_of_former_links_that_come_late_double_nothing(seed: int) -> None:
    """Everything of the last two lives of both engines, delivered once more into the third."""
    pair = Pair(seed, Line(loss=0.1, jitter_s=0.02))
    late: list[tuple[bytes, Addr, Addr]] = []
    pair.network.tap = lambda data, source, target: late.append((data, source, target))
    said: list[str] = []
    for life in range(3):
        for number in range(10):
            said.append(f"{life}/{number}")
            pair.at_a.say(said[-1])
        pair.settle(60)
        if life < 2:
            for engine in (pair.a, pair.b):
                engine.crash()
                engine.up()
            pair.run(0.5)
    pair.network.tap = None
    before = accepted(pair.b)[3:]
    for data, source, target in late:
        pair.clock.after(
            pair.clock.random.uniform(0, 5),
            lambda d=data, s=source, t=target: pair.network.send(s, t, d),  # type: ignore[misc]
        )
    pair.run(40)
    assert accepted(pair.b)[3:] == before
    pair.at_b.say("in order")
    pair.settle(60)
    pair.check(said, ["in order"])
