"""The picture a front end draws from."""

from chatnet_client.client_events import Behind, Changed, EngineLost, Gauged, Live, Reset
from chatnet_client.mirror import Mirror
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import LinkGauge, PeerRemoved, TransferChanged, TransferGauge
from chatnet_protocol.ipc.rows import TransferState
from local_world import LocalWorld, link_gauge


def test_nothing_is_known_at_first() -> None:
    mirror = Mirror()
    assert mirror.view is None
    assert mirror.peer(1) is None
    assert not mirror.live


def test_view_and_liveness_follow_the_events() -> None:
    mirror = Mirror()
    mirror.handle(Changed(1, PeerRemoved(1, 0)))
    mirror.handle(Reset(LocalWorld().view, b"b", 1, 7))
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
    world, mirror = LocalWorld(), Mirror()
    transfer = world.peer_offers("a.bin", 1000)
    mirror.handle(Reset(world.view, b"b", 1, 1))
    mirror.handle(Gauged(link_gauge(rtt_ms=12.0)))
    mirror.handle(Gauged(TransferGauge(transfer, 1, 1, 400, 50.0)))
    link = mirror.link_gauge(1)
    assert isinstance(link, LinkGauge)
    assert link.rtt_ms == 12.0
    assert mirror.progress(world.transfer(transfer)) == (400, 50.0, False)
    world.do(cmd.AcceptTransfer(transfer))
    world.until(lambda: world.transfer(transfer).state == TransferState.DONE)
    done = world.transfer(transfer)
    mirror.handle(Changed(5, TransferChanged(done)))
    assert mirror.progress(done) == (1000, 0.0, False)
    assert mirror._transfers == {}
    mirror.handle(Changed(6, PeerRemoved(1, 0)))
    assert mirror.link_gauge(1) is None
    assert mirror.peer(1) is None
