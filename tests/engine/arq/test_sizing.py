"""Black holes: found after a run of large losses, tried again ever more rarely."""

from chatnet_engine.arq.sizing import (
    BLACK_HOLE_LOSSES,
    FIRST_HOLD_S,
    LONGEST_HOLD_S,
    SAFE_PAYLOAD_BYTES,
    PayloadSize,
)


def swallow(size: PayloadSize) -> None:
    for number in range(BLACK_HOLE_LOSSES):
        assert not size.black_hole
        size.on_lost((), number)


def test_a_run_of_large_losses_shrinks_and_single_packets_test_the_line() -> None:
    size = PayloadSize(1168)
    assert size.limit_bytes(0.0) == 1168
    swallow(size)
    now, hold_s = 10.0, FIRST_HOLD_S
    for test in range(100, 103):
        assert size.limit_bytes(now) == SAFE_PAYLOAD_BYTES
        now += hold_s
        assert size.limit_bytes(now - 0.01) == SAFE_PAYLOAD_BYTES
        assert size.limit_bytes(now) == 1168
        assert size.limit_bytes(now) == 1168, "what left was too small to be a test"
        size.on_sent(test)
        assert size.limit_bytes(now + 100) == SAFE_PAYLOAD_BYTES, "one at a time"
        size.on_lost((), 4)
        assert size.limit_bytes(now + 100) == SAFE_PAYLOAD_BYTES, "that was an old one"
        size.on_lost((), test)
        hold_s *= 2
    size.on_acked(())
    assert size.limit_bytes(now) == 1168
    swallow(size)
    assert size.limit_bytes(now) == SAFE_PAYLOAD_BYTES
    assert size.limit_bytes(now + FIRST_HOLD_S) == 1168


def test_large_packets_sent_before_the_hole_was_known_are_no_test() -> None:
    size = PayloadSize(1168)
    size.on_sent(7)
    swallow(size)
    size.limit_bytes(0.0)
    assert size.limit_bytes(FIRST_HOLD_S) == 1168


def test_the_hold_has_a_longest() -> None:
    size = PayloadSize(1168)
    now = 0.0
    swallow(size)
    for test in range(100, 120):
        size.limit_bytes(now)
        now += LONGEST_HOLD_S
        assert size.limit_bytes(now) == 1168
        size.on_sent(test)
        size.on_lost((), test)


def test_one_large_packet_that_arrives_ends_it() -> None:
    size = PayloadSize(1168)
    swallow(size)
    size.limit_bytes(0.0)
    size.on_probe(())
    size.on_acked(())
    assert size.limit_bytes(0.0) == 1168
    for number in range(BLACK_HOLE_LOSSES - 1):
        size.on_lost((), number)
    size.on_acked(())
    size.on_lost((), 9)
    assert not size.black_hole


def test_a_smaller_configured_size_stays() -> None:
    size = PayloadSize(400)
    swallow(size)
    assert size.limit_bytes(0.0) == 400
