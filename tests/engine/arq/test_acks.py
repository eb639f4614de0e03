"""What is acknowledged, when, and when it is forgotten."""

import pytest

from chatnet_engine.arq.acks import (
    ACK_DELAY_S,
    MAX_DELAY_US,
    RECEIPT_ACK_DELAY_S,
    Acks,
    Elicits,
)
from chatnet_protocol.limits import MAX_ACK_RANGES
from chatnet_protocol.wire import frames

NEVER = float("inf")


def quiet() -> Acks:
    """On a line that is known to lose nothing."""
    acks = Acks()
    acks.insistent = False
    return acks


def told(acks: Acks, now: float) -> frames.Ack | None:
    pulled = acks.pull(now)
    if pulled is None:
        return None
    (frame,) = frames.decode(pulled[0])
    assert isinstance(frame, frames.Ack)
    assert pulled[1] == (frame.ranges[0][1],)
    return frame


def test_nothing_heard_nothing_said() -> None:
    assert told(Acks(), 0.0) is None


def test_an_eliciting_packet_makes_an_ack_due_with_its_delay() -> None:
    acks = quiet()
    acks.on_packet(5, Elicits.NOTHING, 1.0)
    assert acks.due_at == NEVER
    acks.on_packet(6, Elicits.SOON, 2.0)
    assert acks.due_at == 2.0 + ACK_DELAY_S
    assert told(acks, 2.0015) == frames.Ack(11 * 128, [(5, 6)])
    assert acks.due_at == NEVER


def test_an_ack_goes_out_once_and_is_forgotten_when_it_is_acknowledged() -> None:
    acks = Acks()
    acks.on_packet(1, Elicits.SOON, 0.0)
    assert told(acks, 0.0) == frames.Ack(0, [(1, 1)])
    assert told(acks, 0.0) is None
    acks.on_packet(3, Elicits.SOON, 0.0)
    assert told(acks, 0.0) == frames.Ack(0, [(3, 3), (1, 1)])
    acks.on_acked((1,))
    acks.on_packet(4, Elicits.SOON, 0.0)
    assert told(acks, 0.0) == frames.Ack(0, [(3, 4)])
    acks.on_acked((1,))
    acks.on_packet(5, Elicits.SOON, 0.0)
    assert told(acks, 0.0) == frames.Ack(0, [(3, 5)])


def test_on_a_line_that_loses_an_ack_does_not_wait_and_is_repeated_with_receipts() -> None:
    acks = Acks()
    acks.on_packet(0, Elicits.SOON, 1.0)
    assert acks.due_at == 1.0
    assert told(acks, 1.0) == frames.Ack(0, [(0, 0)])
    assert acks.pull(1.0) is None
    assert acks.pull(1.5, again=True) == (frames.encode_ack(500_000, [(0, 0)]), (0,))
    acks.on_acked((0,))
    assert acks.pull(1.0, again=True) is None
    acks.insistent = False
    acks.on_packet(1, Elicits.SOON, 1.0)
    assert told(acks, 1.0) is not None
    assert acks.pull(1.0, again=True) is None


def test_an_ack_of_receipts_waits_for_a_packet_to_ride_in() -> None:
    acks = quiet()
    acks.on_packet(0, Elicits.PATIENT, 1.0)
    acks.on_packet(2, Elicits.PATIENT, 1.1)
    assert acks.due_at == 1.0 + RECEIPT_ACK_DELAY_S
    acks.on_packet(3, Elicits.SOON, 1.1)
    assert acks.due_at == 1.1 + ACK_DELAY_S
    assert told(acks, 1.1) == frames.Ack(0, [(2, 3), (0, 0)])


@pytest.mark.parametrize(
    "packets",
    [
        [(0, Elicits.AT_ONCE)],
        [(1, Elicits.SOON)],
        [(0, Elicits.SOON), (1, Elicits.SOON)],
        [(1, Elicits.NOTHING), (0, Elicits.SOON)],
    ],
    ids=["a probe", "a gap", "two packets", "out of order"],
)
def test_loss_detection_is_never_held_up(packets: list[tuple[int, Elicits]]) -> None:
    acks = quiet()
    for number, elicits in packets:
        acks.on_packet(number, elicits, 3.0)
    assert acks.due_at == 3.0


def test_a_late_packet_below_what_was_forgotten_is_reported_once() -> None:
    acks = Acks()
    acks.on_packet(9, Elicits.SOON, 0.0)
    told(acks, 0.0)
    acks.on_acked((9,))
    acks.on_packet(4, Elicits.SOON, 5.0)
    assert told(acks, 5.0) == frames.Ack(0, [(4, 4)])
    assert told(acks, 5.0) is None


def test_ranges_and_delay_are_bounded() -> None:
    acks = Acks()
    for number in range(0, 200, 2):
        acks.on_packet(number, Elicits.SOON, 0.0)
    ack = told(acks, 1e9)
    assert ack is not None
    assert len(ack.ranges) == MAX_ACK_RANGES
    assert ack.ranges[0] == (198, 198)
    assert ack.delay_us == MAX_DELAY_US
    assert acks.seen(198)
    assert not acks.seen(2)


def test_loss_and_probe_ask_for_nothing() -> None:
    acks = Acks()
    acks.on_packet(1, Elicits.SOON, 0.0)
    told(acks, 0.0)
    acks.on_lost((1,), 7)
    acks.on_probe((1,))
    assert acks.due_at == NEVER


def test_what_arrived_after_an_ack_left_is_still_known_when_that_ack_arrived() -> None:
    acks = Acks()
    acks.on_packet(5, Elicits.SOON, 0.0)
    told(acks, 0.0)
    acks.on_packet(6, Elicits.SOON, 0.1)
    acks.on_acked((5,))
    assert acks.seen(6)
    assert told(acks, 0.1) == frames.Ack(0, [(6, 6)])


def test_the_very_first_packet_has_a_delay_too() -> None:
    acks = Acks()
    acks.on_packet(0, Elicits.SOON, 1.0)
    assert told(acks, 1.002) == frames.Ack(15 * 128, [(0, 0)])


def test_a_late_packet_that_was_forgotten_with_a_confirmed_ack_is_not_due() -> None:
    acks = Acks()
    acks.on_packet(5, Elicits.SOON, 0.0)
    told(acks, 0.0)
    acks.on_packet(3, Elicits.SOON, 0.1)
    acks.on_acked((5,))
    assert (acks.due_at, told(acks, 0.1)) == (NEVER, None)
