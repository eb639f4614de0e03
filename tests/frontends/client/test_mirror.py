"""The picture a front end draws from."""

from chatnet_client.client_events import Behind, Changed, EngineLost, Gauged, Live, Reset
from chatnet_client.mirror import Mirror
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc.events import LinkGauge, PeerRemoved, TransferChanged
from chatnet_protocol.ipc.rows import TransferState
from fake_engine import FakeCore, make_view


def test_nothing_is_known_at_first() -> None:
    mirror = Mirror()
    assert mirror.view is None
    assert mirror.peer(1) is None
    assert not mirror.live


def test_view_and_liveness_follow_the_events() -> None:
    mirror = Mirror()
    mirror.handle(Changed(1, PeerRemoved(1, 0)))
    mirror.handle(Reset(make_view(), b"b", 1, 7))
    mirror.handle(Live(7))
    assert mirror.live
    assert mirror.client == 7
    mirror.handle(EngineLost("gone"))
    mirror.handle(Behind(1))
    assert (mirror.live, mirror.lost_reason) == (False, "gone")
    assert mirror.peer(1) is not None, "what was known stays readable"
    mirror.handle(Live(7))
    assert mirror.lost_reason == ""


def test_statistics_are_the_newest_and_end_with_what_they_are_of() -> None:
    core, mirror = FakeCore(), Mirror()
    transfer = core.offer(1, "a.bin", 1000)
    mirror.handle(Reset(core.view, b"b", 1, 1))
    core.publications.clear()
    core.link_gauge(1, rtt_ms=12.0)
    core.transfer_gauge(transfer, 400, 50.0)
    for _, frame in core.publications:
        for gauge in envelope.decode_gauges(frame).gauges:
            mirror.handle(Gauged(gauge))
    link = mirror.link_gauge(1)
    assert isinstance(link, LinkGauge)
    assert link.rtt_ms == 12.0
    assert mirror.progress(core.transfer(transfer)) == (400, 50.0, False)
    core.move_transfer(transfer, TransferState.DONE, done_bytes=1000)
    done = core.transfer(transfer)
    mirror.handle(Changed(5, TransferChanged(done)))
    assert mirror.progress(done) == (1000, 0.0, False)
    assert mirror._transfers == {}
    mirror.handle(Changed(6, PeerRemoved(1, 0)))
    assert mirror.link_gauge(1) is None
    assert mirror.peer(1) is None
