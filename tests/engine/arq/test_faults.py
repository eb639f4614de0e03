"""Two Connections through a link with faults: what they promise holds, then the link heals."""

from random import Random

import pytest

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.events import (
    HelloArrived,
    PathChallenged,
    PathResponded,
    StateArrived,
)
from simworld.arq_pair import Pair


def texts(count: int, seed: int, most: int = 200) -> list[bytes]:
    random = Random(seed)
    return [b"%d:" % i + random.randbytes(random.randint(1, most)) for i in range(count)]


def test_messages_arrive_in_order_with_one_receipt_each() -> None:
    pair = Pair()
    sent = texts(50, 1)
    pair.a.send(0, sent)
    pair.settle()
    assert pair.b.got[0] == sent
    assert pair.a.sent_upto == {0: 50}
    assert sum(run.count for run in pair.a.receipts) == 50
    assert (pair.a.receipts[-1].number, pair.a.receipts[-1].ack) == (50, 50)
    assert pair.a.connection.stats.packets_lost == 0
    assert pair.a.connection.stats.resent_bytes <= 2 * sum(map(len, sent)), "an unknown line"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("loss", "duplication"), [(0.2, 0.2), (0.5, 0.2)])
def test_exactly_once_in_order_through_loss_duplication_and_reordering(
    seed: int, loss: float, duplication: float
) -> None:
    pair = Pair(seed)
    pair.impair(loss=loss, duplication=duplication, jitter_s=0.08)
    sent = {
        end: {channel: texts(40, 10 * seed + channel, 3000) for channel in (0, 1, 5)}
        for end in (pair.a, pair.b)
    }
    for end, channels in sent.items():
        for channel, messages in channels.items():
            end.send(channel, messages)
    pair.settle(600)
    assert pair.b.got == sent[pair.a]
    assert pair.a.got == sent[pair.b]


@pytest.mark.parametrize("first", [2**30 - 3, 2**32 - 3, 2**62 - 4000])
def test_packet_numbers_may_start_near_a_wrap(first: int) -> None:
    pair = Pair(3, config=ArqConfig(first_packet_number=first))
    pair.impair(loss=0.2)
    sent = texts(100, 3)
    pair.a.send(0, sent)
    pair.settle()
    assert pair.b.got[0] == sent


def test_five_minutes_without_acks_resend_little_and_double_nothing() -> None:
    pair = Pair(8)
    pair.settle()
    pair.ba.cut = True
    sent = texts(3, 8)
    pair.a.send(0, sent)
    before = pair.ab.packets
    pair.run(300)
    size = sum(map(len, sent))
    assert pair.b.got[0] == sent
    assert pair.a.connection.stats.resent_bytes <= 20 * size
    assert pair.ab.packets - before <= 160
    assert pair.a.connection.first_unanswered is not None
    pair.ba.cut = False
    pair.settle(5)
    assert pair.b.got[0] == sent
    assert sum(run.count for run in pair.a.receipts) == 3


def test_probes_are_at_most_two_seconds_apart_while_anything_waits() -> None:
    pair = Pair(9)
    pair.settle()
    pair.ab.cut = True
    pair.a.send(0, [b"lost"])
    pair.run(60)
    before = pair.ab.packets
    pair.run(10)
    assert pair.ab.packets - before >= 5
    pair.ab.cut = False
    at = pair.now
    pair.run(10, lambda: bool(pair.b.got))
    assert pair.now - at <= 2.2


def test_weeks_of_silence_do_not_fill_the_memory() -> None:
    pair = Pair(10, greet=False)
    pair.a.connection.set_hello(b"anyone?")
    pair.ab.cut = True
    pair.run(4 * 3600)
    assert pair.ab.packets >= 7200
    assert pair.a.connection.stats.in_flight_bytes < 40 * 100
    pair.ab.cut = False
    pair.run(3)
    assert pair.a.connection.stats.in_flight_bytes == 0
    assert HelloArrived(b"anyone?") in pair.b.events


def test_an_acknowledged_message_that_is_not_committed_shows() -> None:
    pair = Pair(24, commit_s=1000.0)
    pair.a.send(0, [b"one", b"two"])
    pair.run(5)
    assert not pair.a.connection.unacked
    assert pair.a.connection.stats.unreceipted_messages == 2


def test_a_round_trip_spike_makes_few_spurious_resends() -> None:
    pair = Pair(11)
    pair.settle()
    for _ in range(40):
        pair.a.send(0, [b"x" * 50])
        pair.run(0.2)
    before = pair.a.connection.stats.resent_bytes
    assert before <= 20 * 50, "copies on an unknown line"
    pair.ab.delay_s = pair.ba.delay_s = 2.5
    pair.a.send(0, [b"y" * 50])
    pair.run(6)
    assert pair.a.connection.stats.resent_bytes - before < 10 * 50
    pair.ab.delay_s = pair.ba.delay_s = 0.025
    for _ in range(40):
        pair.a.send(0, [b"z" * 50])
        pair.run(0.2)
    pair.settle()
    assert pair.b.got[0] == [b"x" * 50] * 40 + [b"y" * 50] + [b"z" * 50] * 40
    assert pair.a.connection.stats.smoothed_rtt_s < 0.2


def test_r12_resends_do_not_spoil_the_round_trip_estimate() -> None:
    pair = Pair(12)
    pair.settle()
    pair.impair(loss=0.3)
    for _ in range(100):
        pair.a.send(0, [b"x" * 50])
        pair.run(0.1)
    pair.settle()
    stats = pair.a.connection.stats
    assert stats.packets_lost > 20
    assert stats.smoothed_rtt_s == pytest.approx(0.05, abs=0.001)
    assert stats.min_rtt_s == pytest.approx(0.05, abs=0.001)


def test_reordering_teaches_patience() -> None:
    pair = Pair(13)
    pair.settle()
    pair.impair(jitter_s=0.03)
    for _ in range(60):
        pair.a.send(1, [bytes(1000)] * 8)
        pair.run(0.1)
    early = pair.a.connection.stats.packets_spurious
    for _ in range(60):
        pair.a.send(1, [bytes(1000)] * 8)
        pair.run(0.1)
    late = pair.a.connection.stats.packets_spurious - early
    assert early > 0
    assert late < early / 2


def test_a_shut_window_opens_though_receipts_are_lost() -> None:
    pair = Pair(14, config=ArqConfig(window_bytes=2000))
    pair.settle()
    sent = texts(60, 14)
    pair.ba.cut = True
    pair.a.send(0, sent)
    pair.run(20)
    assert len(pair.b.got[0]) < 30
    pair.ba.cut = False
    pair.impair(loss=0.3)
    pair.settle()
    assert pair.b.got[0] == sent


def test_many_tiny_messages_respect_the_message_count() -> None:
    pair = Pair(15, config=ArqConfig(window_messages=10))
    sent = [bytes([n]) for n in range(200)]
    pair.a.send(0, sent)
    pair.a.send(2, sent)
    pair.settle()
    assert pair.b.got == {0: sent, 2: sent}


def test_states_converge_to_the_newest_value() -> None:
    pair = Pair(16)
    pair.impair(loss=0.4, duplication=0.3, jitter_s=0.2)
    for n in range(50):
        pair.a.connection.set_state(1, b"typing %d" % n)
        pair.a.connection.set_state(2, b"other %d" % (n // 2))
        pair.run(0.05)
    pair.settle()
    assert pair.b.states == {1: b"typing 49", 2: b"other 24"}
    seen = [e.value for e in pair.b.events if isinstance(e, StateArrived) and e.key == 1]
    assert seen == sorted(seen, key=lambda value: int(value.split()[1]))


def test_paths_are_challenged_and_answered() -> None:
    pair = Pair(17)
    pair.settle()
    pair.a.connection.challenge(b"8 bytes!")
    pair.run(1)
    assert PathChallenged(b"8 bytes!") in pair.b.events
    assert PathResponded(b"8 bytes!") in pair.a.events


def test_an_idle_link_is_kept_alive_and_quiet() -> None:
    pair = Pair(18)
    pair.settle()
    before = pair.ab.packets + pair.ba.packets
    pair.run(100)
    assert 18 <= pair.ab.packets + pair.ba.packets - before <= 22
    assert pair.a.connection.first_unanswered is None


@pytest.mark.parametrize("cut_s", [0.2, 1.0, 60.0])
def test_packets_are_large_again_soon_after_a_line_was_cut(cut_s: float) -> None:
    """A cut begins as a line that swallows large packets does: with a run of them lost."""
    pair = Pair(19)
    pair.settle()
    pair.ab.cut = pair.ba.cut = True
    pair.a.send(0, [bytes(1000)] * 400)
    pair.run(cut_s)
    pair.ab.cut = pair.ba.cut = False
    assert pair.a.connection.stats.packets_lost == 0
    pair.settle()
    assert pair.a.connection.stats.packets_lost > 5
    pair.a.send(0, [bytes(1000)])
    pair.run(1)
    before = pair.ab.packets
    pair.a.send(0, [bytes(1000)] * 400)
    pair.settle()
    assert not pair.a.connection.stats.black_hole
    assert pair.ab.packets - before < 450


def test_a_cut_link_heals_by_itself() -> None:
    pair = Pair(19)
    pair.settle()
    pair.ab.cut = pair.ba.cut = True
    to_b, to_a = texts(100, 1), texts(100, 2)
    pair.a.send(0, to_b)
    pair.b.send(0, to_a)
    pair.run(120)
    assert pair.b.got == {}
    pair.ab.cut = pair.ba.cut = False
    healed = pair.now
    pair.settle()
    assert pair.b.got[0] == to_b
    assert pair.a.got[0] == to_a
    assert pair.now - healed < 3


@pytest.mark.parametrize("largest", [1100, 900, 512])
@pytest.mark.parametrize("both", [True, False])
def test_a_path_that_swallows_large_packets_delivers_within_ten_seconds(
    largest: int, both: bool
) -> None:
    pair = Pair(28)
    pair.ab.drop = lambda packet: len(packet.payload) > largest
    pair.ba.drop = pair.ab.drop if both else None
    sent = [*texts(3, 28), bytes(60_000)]
    pair.a.send(0, sent)
    pair.b.send(0, sent)
    pair.settle(10)
    assert pair.b.got[0] == sent
    assert pair.a.got[0] == sent
    assert pair.a.connection.stats.black_hole
    assert pair.b.connection.stats.black_hole == both


def test_a_black_hole_that_ends_is_noticed() -> None:
    pair = Pair(29)
    pair.settle()
    pair.ab.drop = lambda packet: len(packet.payload) > 600
    pair.a.send(0, [bytes(5000)])
    pair.settle(10)
    pair.ab.drop = None
    pair.run(70)
    pair.a.send(0, [bytes(5000)])
    pair.settle(10)
    assert not pair.a.connection.stats.black_hole


def test_ping_after_an_outage_recovers_at_once() -> None:
    pair = Pair(20)
    pair.settle()
    pair.ab.cut = True
    pair.a.send(0, [b"lost"])
    pair.run(30)
    pair.ab.cut = False
    pair.a.connection.ping()
    at = pair.now
    pair.run(5, lambda: bool(pair.b.got))
    assert pair.now - at < 0.03


def test_the_clock_may_jump_over_a_suspend() -> None:
    pair = Pair(21)
    pair.settle()
    pair.a.send(0, [b"before"])
    pair.pump(pair.a)
    pair.now += 8 * 3600
    pair.a.send(0, [b"after"])
    pair.settle(10)
    assert pair.b.got[0] == [b"before", b"after"]
    pair.a.send(0, [b"x"] * 5)
    for _ in range(30):
        pair.a.send(0, [b"x"])
        pair.run(0.3)
    assert pair.a.connection.stats.smoothed_rtt_s < 1


def test_text_passes_bulk() -> None:
    pair = Pair(23)
    pair.settle()
    pair.ab.rate_bytes_per_s = 250_000
    pair.ab.queue_bytes = 15_000
    pair.a.send(1, [bytes(16_384)] * 100)
    pair.run(2)
    sent_at = []
    for _ in range(20):
        sent_at.append(pair.now)
        pair.a.send(0, [b"quick"])
        pair.run(0.1)
    pair.settle()
    delays = sorted(got - sent for got, sent in zip(pair.b.got_at, sent_at, strict=True))
    assert delays[10] < 0.1


@pytest.mark.parametrize(("loss", "p99_s", "packets"), [(0.05, 0.035, 3.2), (0.2, 0.04, 5.0)])
def test_a_thin_stream_hardly_notices_loss(loss: float, p99_s: float, packets: float) -> None:
    pair = Pair(25)
    pair.settle()
    pair.impair(loss=loss)
    before = pair.ab.packets
    sent_at = []
    for n in range(500):
        sent_at.append(pair.now)
        pair.a.send(0, [b"%d" % n + bytes(90)])
        pair.run(0.05)
    assert pair.ab.packets - before < packets * 500
    pair.settle()
    delays = [got - sent for got, sent in zip(pair.b.got_at, sent_at, strict=True)]
    learned = sorted(delays[100:])
    assert learned[200] < 0.026
    assert learned[395] < p99_s


def test_random_loss_leaves_bulk_usable() -> None:
    pair = Pair(26)
    pair.settle()
    pair.ab.rate_bytes_per_s = 2_500_000
    pair.ab.queue_bytes = 125_000
    pair.impair(loss=0.01)
    start = pair.now
    pair.a.send(1, [bytes(16_384)] * 120)
    pair.settle()
    assert pair.now - start < 120 * 16_384 / 800_000


def test_bulk_on_a_slow_line_wastes_little() -> None:
    pair = Pair(27)
    pair.settle()
    pair.ab.rate_bytes_per_s = 32_000
    pair.ab.queue_bytes = 10_000
    before = pair.ab.bytes
    pair.a.send(1, [bytes(16_384)] * 20)
    while pair.b.connection.stats.packets_received < 250:
        pair.a.send(0, [bytes(100)])
        pair.run(0.1)
    pair.settle()
    assert len(pair.b.got[1]) == 20
    useful = 20 * 16_384 + 100 * len(pair.b.got[0])
    assert pair.ab.bytes - before < 1.5 * useful
