"""What nobody has proved is not shown as fact, and never touches a live link."""

from chatnet_engine.addresses import Addr
from chatnet_protocol.ipc.envelope import pack_event
from chatnet_protocol.ipc.events import MessagesDelivered, Notice
from chatnet_protocol.ipc.reasons import LinkReason, Reason, reason
from chatnet_protocol.ipc.rows import AckRange, LinkState
from chatnet_protocol.limits import MAX_EVENT_BYTES
from chatnet_protocol.version import WIRE_VERSION
from chatnet_protocol.wire import datagrams
from simworld.pair import A, B, Pair


def answer_version(pair: Pair, data: bytes, source: Addr) -> None:
    """B's place answers every INIT as an engine of the next version does."""
    if data[0] == datagrams.INIT:
        answer = bytearray(datagrams.encode_version(datagrams.peek_index(data)))
        answer[1] = WIRE_VERSION + 1
        pair.network.send(B, source, bytes(answer))


def link_of(pair: Pair) -> tuple[str, Reason | None]:
    link = pair.peer(pair.at_a).link
    return link.state, link.reason


def test_another_version_is_shown_as_an_unconfirmed_answer_until_a_real_one_comes() -> None:
    pair = Pair(1)
    pair.b.crash()
    pair.network.listen(B, lambda data, source: answer_version(pair, data, source))
    pair.run(40)
    seen = reason(LinkReason.OTHER_VERSION, WIRE_VERSION + 1, WIRE_VERSION)
    assert link_of(pair) == (LinkState.DIALLING, seen)
    pair.b.up()
    pair.at_a.say("it was not so")
    pair.run(30)
    assert link_of(pair) == (LinkState.UP, None)


def test_a_reflected_init_of_a_rekey_changes_nothing_on_a_live_link() -> None:
    pair = Pair(2)
    pair.run(2)
    shown = link_of(pair)
    reflected = 0

    def reflect(data: bytes, source: Addr, target: Addr) -> None:
        nonlocal reflected
        if data[0] == datagrams.INIT and source == A:
            reflected += 1
            pair.network.tap = None
            pair.network.send(target, source, data)
            pair.network.tap = reflect

    pair.network.tap = reflect
    changes = len(pair.at_a.events)
    pair.run(300)
    assert reflected
    assert link_of(pair) == shown == (LinkState.UP, None)
    assert not [event for event in pair.at_a.events[changes:] if isinstance(event, Notice)]


def test_very_many_receipts_are_several_events_of_the_size_that_events_have() -> None:
    pair = Pair(3)
    publisher = pair.a.node.turn.publisher
    before = publisher.seq
    runs = [AckRange(2**60 + 2 * n, 2**60 + 2 * n, 1) for n in range(8192)]
    publisher.publish(MessagesDelivered(1, 0, runs))
    assert publisher.seq - before == 3
    pair.a.turn()
    parts = [event for event in pair.at_a.events if isinstance(event, MessagesDelivered)]
    assert [run for part in parts for run in part.runs] == runs
    assert max(len(pack_event(part)) for part in parts) < MAX_EVENT_BYTES
