"""The loss of both directions is known at both ends: each side reports what it loses."""

import pytest

from chatnet_engine.node.link_session import REPORT_EVERY_S, LinkSession
from chatnet_protocol.ipc.events import LinkGauge
from chatnet_protocol.wire import messages as wire
from simworld.engine import SimEngine
from simworld.pair import Pair


def gauge(engine: SimEngine) -> LinkGauge | None:
    assert engine.node
    return engine.node.front_ends.figures.link_gauge(1, 0)


def session(engine: SimEngine) -> LinkSession:
    assert engine.node
    found = engine.node.links.sessions.get(1)
    assert found
    return found


def talking(pair: Pair, seconds: float) -> None:
    for number in range(int(seconds / 0.05)):
        pair.at_a.say(f"text {number}")
        pair.run(0.05)


def test_each_side_shows_what_the_other_one_loses() -> None:
    pair = Pair(3)
    pair.network.line("10.0.0.1", "10.0.0.2").loss = 0.2
    talking(pair, 15)
    a, b = gauge(pair.a), gauge(pair.b)
    assert a
    assert b
    assert a.loss == pytest.approx(0.2, abs=0.1)
    assert b.loss_in == pytest.approx(a.loss, rel=0.3)
    assert (a.loss_in, b.loss) == (0.0, 0.0)
    assert a.burst_ms == 0.0


def test_a_line_without_losses_costs_no_reports_and_a_lossy_one_a_few() -> None:
    pair = Pair(3)
    pair.run(1)
    link = session(pair.a)
    reports: list[bytes] = []
    send = link.connection.set_state

    def counted(key: int, value: bytes) -> None:
        reports.extend([value] if key == wire.STATE_LINE else [])
        send(key, value)

    link.connection.set_state = counted  # type: ignore[method-assign]
    talking(pair, 6)
    assert reports == []
    pair.set_line(loss=0.2)
    talking(pair, 6)
    assert 1 <= len(reports) <= 1 + 6 / REPORT_EVERY_S


def test_a_burst_has_a_length() -> None:
    pair = Pair(5)
    pair.set_line(burst_enter=0.02, burst_leave=0.2)
    talking(pair, 30)
    shown = gauge(pair.a)
    assert shown
    assert shown.bursty
    assert shown.burst_ms > 0


@pytest.mark.parametrize("value", [b"\xc1", b"\x91\xcd\x03\xe9"])
def test_a_loss_that_cannot_be_is_a_violation(value: bytes) -> None:
    pair = Pair(3)
    pair.run(1)
    assert gauge(pair.a)
    session(pair.b).connection.set_state(wire.STATE_LINE, value)
    assert pair.b.node
    pair.b.node.turn.due.touch(1)
    pair.b.turn()
    pair.run(0.5)
    assert gauge(pair.a) is None
