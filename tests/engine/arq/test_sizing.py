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


def test_a_run_of_large_losses_shrinks_and_time_tries_again() -> None:
    size = PayloadSize(1168)
    assert size.limit_bytes(0.0) == 1168
    swallow(size)
    assert size.limit_bytes(10.0) == SAFE_PAYLOAD_BYTES
    assert size.limit_bytes(10.0 + FIRST_HOLD_S - 1) == SAFE_PAYLOAD_BYTES
    assert size.limit_bytes(10.0 + FIRST_HOLD_S) == 1168
    swallow(size)
    assert size.limit_bytes(100.0) == SAFE_PAYLOAD_BYTES
    assert size.limit_bytes(100.0 + FIRST_HOLD_S) == SAFE_PAYLOAD_BYTES
    assert size.limit_bytes(100.0 + 2 * FIRST_HOLD_S) == 1168


def test_the_hold_has_a_longest() -> None:
    size = PayloadSize(1168)
    now = 0.0
    for _ in range(20):
        swallow(size)
        size.limit_bytes(now)
        now += LONGEST_HOLD_S
        assert size.limit_bytes(now) == 1168


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
