from random import Random

import pytest

from chatnet_engine.secure.admission import Admission, TokenBucket, Verdict, mac1, mac1_key
from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.events import Authenticated, LinkUp
from chatnet_protocol.wire import datagrams
from simworld.secure_world import A, B, Line, Node, Peer, World, agreed, two

PUBLIC = bytes([9]) * 32
CONFIG = SecureConfig()
ADDR = ("198.51.100.1", 99)


def init(
    index: int = 5, cookie: bytes = datagrams.NO_COOKIE, key: bytes | None = None
) -> datagrams.Init:
    covered = datagrams.init_covered(index, 0, bytes([index % 256]) * 32, cookie)
    return datagrams.decode_init(datagrams.encode_init(covered, mac1(mac1_key(key), covered)))


class Gate:
    """An Admission with a clock."""

    def __init__(self) -> None:
        self.admission = Admission(PUBLIC, Random(1).randbytes, 0.0, CONFIG)

    def judge(
        self, what: datagrams.Init, now: float = 0.0, addr: tuple[str, int] = ADDR, **load: object
    ) -> Verdict:
        state = {"known": False, "half_open": 0, "full": False, "evictable": False} | load
        return self.admission.judge(what, addr, now, **state)  # type: ignore[arg-type]

    def with_cookie(
        self, now: float = 0.0, addr: tuple[str, int] = ADDR, index: int = 5
    ) -> datagrams.Init:
        return init(index, self.admission.cookie(index, addr, now))


def test_mac1_tells_who_knows_our_key() -> None:
    gate = Gate()
    assert gate.admission.knows_us(init(key=PUBLIC))
    assert not gate.admission.knows_us(init(key=None))
    assert not gate.admission.knows_us(init(key=bytes(32)))


def test_strangers_get_a_small_burst_then_cookies_never_silence() -> None:
    gate = Gate()
    verdicts = [gate.judge(init(n)) for n in range(8)]
    assert verdicts == [Verdict.ADMIT] * 5 + [Verdict.COOKIE] * 3
    assert gate.judge(init(9), now=0.1) is Verdict.ADMIT
    assert gate.judge(init(10), known=True) is Verdict.ADMIT


def test_known_ones_have_a_larger_burst() -> None:
    gate = Gate()
    admitted = [gate.judge(init(n), known=True) for n in range(30)].count(Verdict.ADMIT)
    assert admitted == 20


def test_beyond_four_half_open_only_a_cookie_opens() -> None:
    gate = Gate()
    assert gate.judge(init(), half_open=3) is Verdict.ADMIT
    for known in (False, True):
        assert gate.judge(init(), half_open=4, known=known) is Verdict.COOKIE
    assert gate.judge(gate.with_cookie(), half_open=4) is Verdict.ADMIT


def test_when_all_places_are_taken_an_old_one_gives_way_to_a_cookie() -> None:
    gate = Gate()
    assert gate.judge(init(), half_open=8, full=True) is Verdict.COOKIE
    assert gate.judge(gate.with_cookie(), half_open=8, full=True) is Verdict.DROP_FULL
    taken = gate.judge(gate.with_cookie(), half_open=8, full=True, evictable=True)
    assert taken is Verdict.ADMIT_EVICTING


def test_a_cookie_is_for_one_address_and_index() -> None:
    gate = Gate()
    cookie = gate.with_cookie()
    assert gate.judge(cookie, half_open=5) is Verdict.ADMIT
    assert gate.judge(cookie, addr=(ADDR[0], 98), half_open=5) is Verdict.COOKIE
    assert gate.judge(cookie, addr=("198.51.100.2", 99), half_open=5) is Verdict.COOKIE
    stolen = init(6, cookie.cookie)
    assert gate.judge(stolen, half_open=5) is Verdict.COOKIE


def test_a_cookie_outlives_one_change_of_the_secret_not_two() -> None:
    gate = Gate()
    cookie = gate.with_cookie()
    assert gate.judge(cookie, now=59.0, half_open=5) is Verdict.ADMIT
    assert gate.judge(cookie, now=61.0, half_open=5) is Verdict.ADMIT
    assert gate.judge(cookie, now=130.0, half_open=5) is Verdict.COOKIE
    late = gate.with_cookie(now=130.0)
    assert gate.judge(late, now=400.0, half_open=5) is Verdict.COOKIE


@pytest.mark.parametrize("first_asked", [60.0, 119.0])
def test_a_cookie_is_taken_for_two_minutes_at_most(first_asked: float) -> None:
    """However late the secret was changed after its time."""
    gate = Gate()
    cookie = gate.with_cookie()
    for now in (first_asked, first_asked + 0.5):
        assert gate.judge(cookie, now=now, half_open=5) is Verdict.ADMIT
    assert gate.judge(cookie, now=120.0, half_open=5) is Verdict.COOKIE


def test_a_cookie_that_was_never_asked_for_in_two_minutes_is_over() -> None:
    gate = Gate()
    cookie = gate.with_cookie()
    assert gate.judge(cookie, now=120.0, half_open=5) is Verdict.COOKIE


@pytest.mark.parametrize("quiet_s", [0.0, 500.0])
def test_a_cookie_is_taken_for_a_minute_at_least(quiet_s: float) -> None:
    gate = Gate()
    gate.judge(gate.with_cookie(), now=1.0)
    made = 59.5 + quiet_s
    cookie = gate.with_cookie(now=made)
    for age_s in (1.0, 59.0):
        assert gate.judge(cookie, now=made + age_s, half_open=5) is Verdict.ADMIT


@pytest.mark.parametrize(
    ("hosts", "admitted"),
    [
        (["198.51.100.1"] * 9, 5),
        ([f"2001:db8::{n}" for n in range(9)], 5),
        ([f"2001:db8::{n}00:0:0:1" for n in range(9)], 5),
        ([f"2001:db8:0:{n}::1" for n in range(9)], 9),
        ([f"198.51.100.{n}" for n in range(9)], 9),
        (["fe80::1%eth0"] * 9, 5),
        (["not an address"] * 9, 5),
    ],
)
def test_one_source_gets_so_many_handshakes_with_cookies(hosts: list[str], admitted: int) -> None:
    gate = Gate()
    verdicts = [
        gate.judge(gate.with_cookie(addr=(host, n), index=n), addr=(host, n), half_open=5)
        for n, host in enumerate(hosts)
    ]
    assert verdicts.count(Verdict.ADMIT) == admitted
    assert verdicts.count(Verdict.DROP_RATE) == len(hosts) - admitted


def test_the_table_of_sources_is_bounded() -> None:
    gate = Gate()
    for n in range(CONFIG.max_sources + 50):
        addr = (f"10.1.{n // 256}.{n % 256}", 1)
        gate.judge(gate.with_cookie(addr=addr), addr=addr, half_open=5)
    assert len(gate.admission._sources) == CONFIG.max_sources


def test_a_source_that_keeps_coming_is_not_forgotten_for_newer_ones() -> None:
    gate = Gate()

    def come(addr: tuple[str, int]) -> Verdict:
        return gate.judge(gate.with_cookie(addr=addr), addr=addr, half_open=5)

    eager = ("10.9.0.1", 1)
    assert [come(eager) for _ in range(6)][-1] is Verdict.DROP_RATE
    for n in range(2 * CONFIG.max_sources):
        come((f"10.1.{n // 256}.{n % 256}", 1))
        if n % 100 == 99:
            assert come(eager) is Verdict.DROP_RATE


def test_a_bucket_does_not_fill_when_time_stands_or_goes_back() -> None:
    bucket = TokenBucket(1.0, 2.0, 10.0)
    assert [bucket.take(10.0) for _ in range(3)] == [True, True, False]
    assert not bucket.take(5.0)
    assert [bucket.take(11.0) for _ in range(2)] == [True, False]
    assert [bucket.take(1000.0) for _ in range(3)] == [True, True, False]


def forged(number: int) -> bytes:
    """An INIT of nobody, with a cookie asked for."""
    covered = datagrams.init_covered(number, 0, number.to_bytes(32, "big"))
    return datagrams.encode_init(covered, bytes(16))


def flood(
    world: World, node: Node, count: int, seed: int = 1, *, dial: bytes | None = None
) -> None:
    """INITs that would be answered, from made-up addresses, at 10,000 a second."""
    rng = Random(seed)
    for n in range(count):
        world.now += 1e-4
        covered = datagrams.init_covered(rng.getrandbits(32), 0, rng.randbytes(32))
        data = datagrams.encode_init(covered, mac1(mac1_key(dial), covered))
        node.endpoint.handle_datagram(data, (f"10.7.{n % 256}.{n // 256 % 256}", 7), world.now)
        assert node.endpoint._responder.half_open <= CONFIG.max_half_open
        if n % 10 == 0:
            node.endpoint.take_datagrams()
    assert not any(isinstance(e, Authenticated) for e in node.endpoint.take_events())


def test_a_flood_of_spoofed_inits_holds_four_half_open_and_no_session_suffers() -> None:
    world, a, b = two(1)
    assert world.run(5, lambda: agreed(a, b))
    world.run(1)
    before, strangers = b.endpoint.peer_status(1), b.endpoint.counters.stranger_inits
    flood(world, b, 5000)
    after = b.endpoint.peer_status(1)
    examined = b.endpoint.counters.stranger_inits - strangers
    assert examined == CONFIG.free_half_open, "the rest gets its cookie before any mac1 is computed"
    assert before is not None
    assert after is not None
    assert (after.slots, after.addr) == (before.slots, before.addr)
    assert b.endpoint._responder.half_open == CONFIG.free_half_open
    assert b.endpoint.counters.cookies_sent == 4996
    arrived = len(b.peers[1].arrived)
    a.send(1, b"\x09")
    world.run(1)
    assert len(b.peers[1].arrived) > arrived


def test_a_burst_of_forged_inits_is_answered_in_part_but_whom_we_dial_always() -> None:
    node = World(3, Line()).add("b", B)
    for n in range(1, 101):
        node.endpoint.handle_datagram(forged(n), (f"10.7.0.{n}", 7), 1000.0)
    assert len(node.endpoint.take_datagrams()) == CONFIG.max_answers
    assert node.endpoint.counters.dropped_burst == 100 - CONFIG.max_answers
    node.endpoint.dial(1, [A], 1000.0, remote_key=None)
    for n in range(101, 201):
        node.endpoint.handle_datagram(forged(n), (f"10.7.0.{n}", 7), 1000.0)
    node.endpoint.handle_datagram(forged(201), A, 1000.0 + CONFIG.urgent_s)
    assert [addr for _, addr in node.endpoint.take_datagrams()].count(A) == 2  # INIT and COOKIE
    assert node.endpoint.counters.dropped_burst == 200 - 2 * CONFIG.max_answers + 1


def test_a_peer_connects_during_a_flood_by_its_cookie() -> None:
    """All free places are taken by strangers again and again; the dialler returns its cookie."""
    world = World(2, Line())
    a, b = world.add("a", A), world.add("b", B)
    b.decide = lambda event: 1
    flood(world, b, 500)
    a.dial(1, B)
    for turn in range(20):
        flood(world, b, 100, seed=turn + 5)
        world.run(0.05)
    assert a.endpoint.counters.cookies_received >= 1
    assert agreed(a, b)
    assert b.count(LinkUp) == 1


def test_a_captured_cookie_does_not_fill_all_places_for_the_others() -> None:
    """One real address with many cookies: at most six strangers, and old ones give way."""
    world = World(3)
    b = world.add("b", B)
    rng = Random(3)
    for n in range(300):
        world.now += 0.5
        addr = ("198.51.100.7", n)
        index = rng.getrandbits(32)
        first = rng.randbytes(32)
        for cookie in (datagrams.NO_COOKIE, None):
            if cookie is None:
                replies = [d for d, _ in b.endpoint.take_datagrams() if d[0] == datagrams.COOKIE]
                if not replies:
                    continue
                cookie = datagrams.decode_cookie(replies[0]).cookie
            covered = datagrams.init_covered(index, 0, first, cookie)
            data = datagrams.encode_init(covered, mac1(mac1_key(None), covered))
            b.endpoint.handle_datagram(data, addr, world.now)
        assert b.endpoint._responder.half_open <= CONFIG.max_half_open_strangers
    assert b.endpoint._responder.half_open == CONFIG.max_half_open_strangers
    strangers = b.endpoint.counters.stranger_inits
    known = world.add("a", A)
    known.peers[1] = Peer(key=b.identity.public)
    b.decide = lambda event: 1
    known.dial(1, B)
    assert world.run(5, lambda: known.current() is not None)
    assert b.endpoint.counters.stranger_inits == strangers


def test_half_open_handshakes_are_forgotten_in_time() -> None:
    world = World(4)
    b = world.add("b", B)
    flood(world, b, 10)
    assert b.endpoint._responder.half_open == 4
    when = b.endpoint.next_timeout()
    assert when is not None
    b.endpoint.handle_timeout(world.now + CONFIG.half_open_s)
    assert b.endpoint._responder.half_open == 0
    assert b.endpoint.next_timeout() is None


def knock(node: Node, index: int, addr: tuple[str, int], now: float) -> None:
    """An INIT from a real address, which returns the cookie if it gets one."""
    cookie = datagrams.NO_COOKIE
    for _ in range(2):
        covered = datagrams.init_covered(index, 0, index.to_bytes(32, "big"), cookie)
        data = datagrams.encode_init(covered, mac1(mac1_key(None), covered))
        node.endpoint.handle_datagram(data, addr, now)
        replies = [d for d, _ in node.endpoint.take_datagrams() if d[0] == datagrams.COOKIE]
        if not replies:
            return
        cookie = datagrams.decode_cookie(replies[0]).cookie


def test_fresh_handshakes_keep_their_places_against_cookies() -> None:
    world = World(5)
    b = world.add("b", B)
    for n in range(1, 12):
        knock(b, n, (f"198.51.100.{n}", 1), world.now)
    assert b.endpoint._responder.half_open == CONFIG.max_half_open_strangers
    assert b.endpoint.counters.dropped_half_open_full == 5


def test_one_source_is_slowed_down_however_many_ports_it_has() -> None:
    world = World(6)
    b = world.add("b", B)
    for n in range(1, 15):
        knock(b, n, ("198.51.100.1", n), world.now)
        b.endpoint.handle_timeout(world.now)
        world.now += 0.01
    assert b.endpoint.counters.dropped_rate + b.endpoint.counters.dropped_half_open_full > 0
    world.now += 1.1
    for n in range(20, 40):
        knock(b, n, ("198.51.100.1", n), world.now)
    assert b.endpoint.counters.dropped_rate > 10
