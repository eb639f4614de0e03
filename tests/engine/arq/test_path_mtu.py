"""Path MTU discovery: sizes are found upwards, and left again when they vanish."""

import pytest

from chatnet_engine.arq.path_mtu import FIRST_PAUSE_S, MAX_PROBES, RAISE_S, PathMtu
from chatnet_engine.arq.sizing import BLACK_HOLE_LOSSES, SAFE_PAYLOAD_BYTES
from chatnet_protocol.limits import MAX_DATAGRAM_BYTES, MAX_PAYLOAD_BYTES, MOST_PAYLOAD_BYTES
from simworld.clock import Clock
from simworld.flows import Link
from simworld.shared_line import UDP_IPV4_BYTES, SharedLine

OVERHEAD = 32
FAST = 1e9


def new() -> PathMtu:
    return PathMtu(MAX_PAYLOAD_BYTES, MOST_PAYLOAD_BYTES, OVERHEAD)


def search(mtu: PathMtu, largest: int, now: float = 0.0, rate: float = FAST) -> list[int]:
    """Probe until nothing is due on a path that carries datagrams up to `largest`."""
    sizes: list[int] = []
    while size := mtu.probe_bytes(now, rate):
        number = len(sizes)
        mtu.on_probe_sent(number, size)
        assert mtu.probe_bytes(now, rate) == 0, "one at a time"
        sizes.append(size + OVERHEAD)
        if size + OVERHEAD <= largest:
            mtu.on_acked(size)
        else:
            mtu.on_lost(size, number)
    return sizes


def test_an_ethernet_is_found_and_the_next_size_is_tried_three_times() -> None:
    mtu = new()
    assert search(mtu, 1472) == [1280, 1392, 1452, 1472, *[4312] * MAX_PROBES]
    assert mtu.limit_bytes(0.0) == 1472 - OVERHEAD
    assert search(mtu, 1472, RAISE_S - 1) == []
    assert search(mtu, 1472, RAISE_S + 1) == [4312] * MAX_PROBES


def test_the_loopback_device_carries_the_largest_datagram() -> None:
    mtu = new()
    assert search(mtu, 1 << 16)[-1] == MAX_DATAGRAM_BYTES
    assert mtu.limit_bytes(0.0) == MOST_PAYLOAD_BYTES


def test_on_a_slow_path_packets_stay_as_small_as_ethernets() -> None:
    mtu = new()
    search(mtu, 1 << 16, rate=100_000)
    assert mtu.limit_bytes(0.0) == 1472 - OVERHEAD


def test_a_lost_probe_or_two_are_chance() -> None:
    mtu = new()
    for number in range(MAX_PROBES - 1):
        size = mtu.probe_bytes(0.0, FAST)
        mtu.on_probe_sent(number, size)
        mtu.on_lost(size, number)
    search(mtu, 1472)
    assert mtu.limit_bytes(0.0) == 1472 - OVERHEAD


def test_a_path_that_becomes_narrow_falls_back_to_the_base_and_is_searched_again() -> None:
    mtu = new()
    search(mtu, 9000)
    now, pause_s = 10.0, FIRST_PAUSE_S
    for _ in range(2):
        size = mtu.limit_bytes(now)
        mtu.on_sent(100, size)
        for number in range(BLACK_HOLE_LOSSES):
            assert mtu.limit_bytes(now) > MAX_PAYLOAD_BYTES
            mtu.on_lost(size, 100 + number)
        assert mtu.limit_bytes(now) == MAX_PAYLOAD_BYTES
        mtu.on_lost(size, 200)
        assert not mtu.black_hole, "the base size was not lost"
        assert search(mtu, 1400, now) == []
        assert search(mtu, 1400, now + pause_s * 0.9) == []
        now += pause_s
        assert search(mtu, 1400, now)[:2] == [1280, 1392]
        pause_s *= 2
        now += RAISE_S


def test_one_that_arrives_ends_the_run_of_losses() -> None:
    mtu = new()
    search(mtu, 9000)
    mtu.on_sent(100, 5000)
    for number in range(3 * BLACK_HOLE_LOSSES):
        for lost in range(BLACK_HOLE_LOSSES - 1):
            mtu.on_lost(5000, BLACK_HOLE_LOSSES * number + lost)
        mtu.on_acked(5000)
    assert mtu.limit_bytes(0.0) == 8952 - OVERHEAD


def test_when_the_base_size_vanishes_too_the_safe_one_holds() -> None:
    mtu = new()
    mtu.on_sent(1, MAX_PAYLOAD_BYTES)
    for number in range(BLACK_HOLE_LOSSES):
        mtu.on_lost(SAFE_PAYLOAD_BYTES, number)
        assert not mtu.black_hole, "these say nothing of large ones"
    for number in range(BLACK_HOLE_LOSSES):
        mtu.on_lost(MAX_PAYLOAD_BYTES, number)
    mtu.on_acked(SAFE_PAYLOAD_BYTES)
    assert mtu.black_hole
    assert mtu.limit_bytes(0.0) == SAFE_PAYLOAD_BYTES
    assert mtu.probe_bytes(0.0, FAST) == 0
    mtu.on_acked(MAX_PAYLOAD_BYTES)
    assert mtu.limit_bytes(0.0) == MAX_PAYLOAD_BYTES


@pytest.mark.parametrize("largest", [1500, 9000])
def test_bulk_finds_what_its_path_carries_and_a_thin_stream_does_not_look(largest: int) -> None:
    clock = Clock(1)
    line = SharedLine(clock, mbit=50, largest_bytes=largest)
    link = Link(line, SharedLine(clock))
    link.write()
    clock.run(1001.0)
    assert link.a.connection.stats.mtu_bytes == MAX_PAYLOAD_BYTES + OVERHEAD
    link.start()
    clock.run(1002.0)
    stats = link.a.connection.stats
    assert largest - UDP_IPV4_BYTES - 100 <= stats.mtu_bytes <= largest - UDP_IPV4_BYTES
    assert stats.packets_lost == 0, "probes are no losses of the line"
    line.largest_bytes = 1400
    clock.run(1004.0)
    assert 1200 <= link.a.connection.stats.mtu_bytes <= 1400 - UDP_IPV4_BYTES
    before = link.got_bytes
    clock.run(1004.5)
    assert link.got_bytes - before > 1e6
