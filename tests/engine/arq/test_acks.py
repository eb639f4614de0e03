"""What is acknowledged, when, and when it is forgotten."""

from chatnet_engine.arq.acks import MAX_DELAY_US, Acks
from chatnet_protocol.limits import MAX_ACK_RANGES
from chatnet_protocol.wire import frames


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
    acks = Acks()
    acks.on_packet(5, False, 1.0)
    assert not acks.due
    acks.on_packet(6, True, 2.0)
    assert acks.due
    assert told(acks, 2.0015) == frames.Ack(1500, [(5, 6)])
    assert told(acks, 3.0) == frames.Ack(1_000_000, [(5, 6)])
    assert not acks.due


def test_the_ack_is_repeated_until_it_is_acknowledged_itself() -> None:
    acks = Acks()
    acks.on_packet(1, True, 0.0)
    assert told(acks, 0.0) == told(acks, 0.0)
    acks.on_acked((1,))
    assert told(acks, 0.0) is None
    acks.on_packet(3, True, 0.0)
    assert told(acks, 0.0) == frames.Ack(0, [(3, 3)])
    acks.on_acked((1,))
    assert told(acks, 0.0) == frames.Ack(0, [(3, 3)])


def test_a_late_packet_below_what_was_forgotten_is_told_once() -> None:
    acks = Acks()
    acks.on_packet(9, True, 0.0)
    told(acks, 0.0)
    acks.on_acked((9,))
    acks.on_packet(4, False, 5.0)
    assert told(acks, 5.0) == frames.Ack(0, [(4, 4)])
    assert told(acks, 5.0) is None


def test_ranges_and_delay_are_bounded() -> None:
    acks = Acks()
    for number in range(0, 200, 2):
        acks.on_packet(number, True, 0.0)
    ack = told(acks, 1e9)
    assert ack is not None
    assert len(ack.ranges) == MAX_ACK_RANGES
    assert ack.ranges[0] == (198, 198)
    assert ack.delay_us == MAX_DELAY_US
    assert acks.seen(198)
    assert not acks.seen(2)


def test_loss_and_probe_ask_for_nothing() -> None:
    acks = Acks()
    acks.on_packet(1, True, 0.0)
    told(acks, 0.0)
    acks.on_lost((1,), 7)
    acks.on_probe((1,))
    assert not acks.due


def test_what_arrived_after_an_ack_left_is_still_known_when_that_ack_arrived() -> None:
    acks = Acks()
    acks.on_packet(5, True, 0.0)
    told(acks, 0.0)
    acks.on_packet(6, True, 0.1)
    acks.on_acked((5,))
    assert acks.seen(6)
    assert told(acks, 0.1) == frames.Ack(0, [(6, 6)])


def test_the_very_first_packet_has_a_delay_too() -> None:
    acks = Acks()
    acks.on_packet(0, True, 1.0)
    assert told(acks, 1.002) == frames.Ack(2000, [(0, 0)])


def test_a_late_packet_that_was_forgotten_with_a_confirmed_ack_is_not_due() -> None:
    acks = Acks()
    acks.on_packet(5, True, 0.0)
    told(acks, 0.0)
    acks.on_packet(3, True, 0.1)
    acks.on_acked((5,))
    assert (acks.due, told(acks, 0.1)) == (False, None)
