"""How a message travelled, asked of an engine."""

import pytest

from chatnet_engine.node.messaging import deliveries as module
from chatnet_protocol import codec
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_protocol.limits import MAX_DELIVERY_PACKETS
from chatnet_protocol.version import IPC_VERSION
from local_world import LocalWorld


def ask(world: LocalWorld, command: cmd.Command) -> cmd.Result:
    """As a client that only reads; raises CommandError."""
    for number, each in enumerate((cmd.Attach("reader", "read-only", IPC_VERSION), command)):
        frame = world.ask(b"reader", codec.pack(envelope.Request(number, each)))
        assert frame
        reply = envelope.decode_reply(frame)
    if reply.failure:
        raise CommandError(ErrorCode(reply.failure.code), reply.failure.text)
    assert reply.result
    return reply.result


def of(world: LocalWorld, row: MessageRow, peer: int = 1) -> cmd.Delivery:
    found = ask(world, cmd.FetchDelivery(peer, seq=row.seq, ack=row.ack))
    assert isinstance(found, cmd.Delivery)
    return found


def delivered(world: LocalWorld, row: MessageRow) -> MessageRow:
    world.until(lambda: world.peer().delivered_seq >= row.seq)
    return next(each for each in world.peer().messages if each.id == row.id)


def test_an_own_message_has_its_packets_and_the_times_of_each_step() -> None:
    world = LocalWorld()
    row = delivered(world, world.send("hello"))
    world.run(1.0)
    found = of(world, row)
    assert found.complete
    assert found.attempts == found.packet_count == len(found.packets) >= 1
    assert found.since_ms <= row.sent_ms <= found.packets[0].at_ms <= found.acked_ms
    assert found.stored_ms >= found.packets[0].at_ms
    assert found.address == world.peer().link.address
    assert (found.shown_ms, found.read_ms, found.lost_count) == (0, 0, 0)
    world.peer_reads(row.ack)
    read = of(world, row)
    assert row.sent_ms + 1_000 <= read.shown_ms <= read.read_ms
    assert read.packets == found.packets


def test_a_message_of_the_peer_has_the_packets_that_brought_it() -> None:
    world = LocalWorld()
    row = world.peer_sends("hello")
    found = of(world, row)
    assert found.packet_count == found.attempts >= 1
    assert found.since_ms <= found.packets[0].at_ms <= row.arrived_ms
    assert found.address == row.source
    assert found.read_ms == 0
    world.run(2.0)
    world.do(cmd.MarkRead(1, row.ack))
    world.run(2.0)
    world.do(cmd.MarkRead(1, row.ack))
    assert 2_000 <= of(world, row).read_ms - row.arrived_ms < 3_000
    assert of(world, row).shown_ms == of(world, row).read_ms


def test_what_waits_has_no_packets_yet() -> None:
    world = LocalWorld()
    world.cut()
    row = world.send("later")
    assert of(world, row).since_ms > 0
    waiting = of(world, row)
    assert waiting.acked_ms == waiting.stored_ms == 0


def test_a_message_that_needs_two_links_has_packets_of_both() -> None:
    world = LocalWorld()
    world.cut()
    row = world.send("through the tunnel")
    world.run(1.0)
    before = of(world, row)
    assert before.packet_count >= 1
    world.peers[1].engine.crash()
    world.peers[1].engine.up()
    world.heal()
    row = delivered(world, row)
    world.run(1.0)
    after = of(world, row)
    assert after.packets[0] == before.packets[0]
    assert after.packets[-1].link > after.packets[0].link
    assert after.acked_ms > 0


def test_what_another_run_of_the_engine_sent_is_not_known() -> None:
    world = LocalWorld()
    row = delivered(world, world.send("hello"))
    came = world.peer_sends("hello too")
    world.restart()
    world.run(5.0)
    for each in (row, came):
        found = of(world, each)
        assert (found.packets, found.attempts, found.acked_ms, found.stored_ms) == ([], 0, 0, 0)
        assert found.since_ms > each.arrived_ms


def test_facts_of_many_packets_are_cut_and_counted() -> None:
    world = LocalWorld()
    row = delivered(world, world.send("x" * 60_000))
    world.run(1.0)
    found = of(world, row)
    assert found.packet_count > MAX_DELIVERY_PACKETS == len(found.packets)
    assert found.attempts == 1
    assert found.acked_ms >= found.packets[-1].at_ms


def test_a_message_is_named_by_its_seq_or_its_ack() -> None:
    world = LocalWorld()
    for command in (cmd.FetchDelivery(1), cmd.FetchDelivery(1, -1, -1)):
        with pytest.raises(CommandError) as refused:
            ask(world, command)
        assert refused.value.code == ErrorCode.INVALID
    with pytest.raises(CommandError) as unknown:
        ask(world, cmd.FetchDelivery(9, seq=1))
    assert unknown.value.code == ErrorCode.UNKNOWN_PEER


def test_a_message_that_never_was_has_no_facts() -> None:
    world = LocalWorld()
    for command in (cmd.FetchDelivery(1, seq=999), cmd.FetchDelivery(1, ack=2**62)):
        found = ask(world, command)
        assert isinstance(found, cmd.Delivery)
        assert (found.packets, found.stored_ms, found.shown_ms) == ([], 0, 0)


def test_the_oldest_links_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINKS_LOGGED", 2)
    world = LocalWorld()
    row = delivered(world, world.send("hello"))
    world.run(1.0)
    assert of(world, row).complete
    for _ in range(2):
        world.peer_leaves()
        world.peer_returns()
        world.run(1.0)
    found = of(world, row)
    assert (found.packets, found.complete) == ([], False)
    assert found.stored_ms > 0
    assert of(world, delivered(world, world.send("news"))).complete


def test_packets_of_forgotten_links_may_have_brought_a_message_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_LINKS_LOGGED", 1)
    world = LocalWorld()
    row = world.peer_sends("hello")
    assert of(world, row).complete
    world.engine.node.links.restart(1, world.engine.now)
    world.until(lambda: world.peer().link.links > 1 and world.peer().link.state == "up")
    found = of(world, row)
    assert (found.packets, found.complete) == ([], False)
    assert of(world, world.peer_sends("news")).complete
