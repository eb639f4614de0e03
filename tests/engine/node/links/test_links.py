"""The link to a peer as people see it: names that are not known, silence, moves, refusals."""

import msgspec
import pytest

from chatnet_engine.arq.packets import Packet
from chatnet_engine.node.effects import HostResolved
from chatnet_engine.node.links.link import REFUSED_WAIT_S
from chatnet_engine.node.links.links import Links
from chatnet_engine.node.messaging.conversation import Conversation
from chatnet_engine.node.node import Node
from chatnet_engine.secure import events as secure
from chatnet_protocol.errors import CloseCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.reasons import LinkReason, Reason, reason
from chatnet_protocol.ipc.rows import LinkState
from chatnet_protocol.limits import HELD_SHARE_BYTES, MAX_HELD_BYTES, MAX_TOTAL_AHEAD
from chatnet_protocol.wire import frames
from chatnet_protocol.wire import messages as wire
from injection.scenario import World
from simworld.clock import Clock
from simworld.engine import SimEngine
from simworld.network import Network
from simworld.pair import B, Pair
from simworld.takeover import become_another

MOVED = ("10.9.9.9", 40000)


def node_of(engine: SimEngine) -> Node:
    return engine.node


def talk_of(engine: SimEngine) -> Conversation:
    return node_of(engine).messaging.conversations[1]


@pytest.fixture
def pair() -> Pair:
    """Two engines whose link is up."""
    pair = Pair(1)
    pair.run(1)
    assert pair.peer(pair.at_a).link.state == LinkState.UP
    return pair


def resolved(
    pair: Pair, *addrs: tuple[str, int], peer: int = 1, error: Reason | None = None
) -> None:
    node = pair.a.node
    assert node
    node.handle_io(HostResolved(peer, list(addrs), error), pair.a.now)
    pair.a.turn()
    pair.run(0.01)


def test_a_name_that_is_not_known_is_told_until_it_is() -> None:
    pair = Pair(2, both_dial=False)
    pair.a.crash()
    pair.a.resolve = lambda ask: None  # type: ignore[method-assign]
    pair.a.up()
    pair.run(0.1)
    assert pair.peer(pair.at_a).link.state == LinkState.RESOLVING
    resolved(pair, peer=9)
    resolved(pair)
    assert pair.peer(pair.at_a).link.reason == reason(LinkReason.HOST_UNKNOWN, "10.0.0.2")
    slow = reason(LinkReason.LOOKUP_SLOW, "10.0.0.2")
    resolved(pair, error=slow)
    assert pair.peer(pair.at_a).link.reason == slow
    resolved(pair, B)
    assert pair.peer(pair.at_a).link.state == LinkState.DIALLING
    resolved(pair, error=slow)
    assert pair.peer(pair.at_a).link.state == LinkState.DIALLING


def test_another_address_leaves_a_link_that_is_up_alone(pair: Pair) -> None:
    pair.at_a.ask(cmd.SetPeer(1, host="10.0.0.77", port=7))
    pair.run(1)
    peer = pair.peer(pair.at_a)
    assert (peer.info.host, peer.info.port) == ("10.0.0.77", 7)
    assert peer.link.state == LinkState.UP


def test_what_a_former_name_stands_for_counts_no_more() -> None:
    pair = Pair(2, both_dial=False)
    pair.a.crash()
    pair.a.resolve = lambda ask: None  # type: ignore[method-assign]
    pair.a.up()
    pair.run(0.1)
    pair.at_a.ask(cmd.SetPeer(1, host="new.example", port=7))
    pair.run(0.1)
    states = []
    for host in ("old.example", "new.example"):
        node_of(pair.a).handle_io(HostResolved(1, [B], asked=(host, 7)), pair.a.now)
        pair.a.turn()
        pair.run(0.01)
        states.append(pair.peer(pair.at_a).link.state)
    assert states == [LinkState.RESOLVING, LinkState.DIALLING]


def test_silence_is_shown_and_then_a_new_handshake_is_tried(pair: Pair) -> None:
    pair.set_line(cut=True)
    pair.at_a.say("anybody?")
    pair.run(8)
    assert pair.peer(pair.at_a).link.state == LinkState.SILENT
    assert pair.peer(pair.at_a).link.reason == reason(LinkReason.UNANSWERED)
    pair.run(30)
    links = pair.peer(pair.at_a).link.links
    pair.set_line(cut=False)
    pair.settle(10)
    assert pair.peer(pair.at_a).link.state == LinkState.UP
    assert pair.peer(pair.at_a).link.links == links


def test_a_peer_that_moves_is_followed_once_its_new_address_has_answered(pair: Pair) -> None:
    pair.network.rebind(B, MOVED)
    pair.at_b.say("from the train")
    pair.settle(5)
    pair.run(3)
    assert pair.peer(pair.at_a).link.address == "10.9.9.9:40000"
    assert pair.peer(pair.at_a).info.address == "10.9.9.9:40000"
    node = node_of(pair.a)
    assert node.links.names.dial_addrs(node.peers.need(1)) == [MOVED, B]


def test_what_is_due_of_a_silent_peer_follows_it_to_its_new_address(pair: Pair) -> None:
    pair.set_line(cut=True)
    pair.at_a.say("into the void")
    pair.run(8)
    node = node_of(pair.a)
    assert pair.peer(pair.at_a).link.state == LinkState.SILENT
    node.traffic._handle_event(secure.Roamed(1, MOVED), set(), pair.a.now)
    pair.a.turn()
    assert node.turn.due.due_of(1) == node.timers.due_of(1)
    assert pair.peer(pair.at_a).link.address == "10.9.9.9:40000"


def test_a_link_is_asked_for_packets_only_when_it_may_have_some(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = talk_of(pair.a).link
    assert link
    take, asked = link.connection.take_packets, list[float]()

    def count(now: float, most: int) -> list[Packet]:
        asked.append(now)
        return take(now, most)

    pair.a.turn()
    monkeypatch.setattr(link.connection, "take_packets", count)
    pair.at_a.ask(cmd.SetDraft(1, "half a sen", 0))
    pair.run(0.02)
    assert pair.peer(pair.at_a).draft == "half a sen"
    assert asked == []
    pair.at_a.say("hello")
    pair.settle(5)
    assert asked


def test_an_address_challenge_for_nobody_does_nothing(pair: Pair) -> None:
    node, now = node_of(pair.a), pair.a.now
    links, traffic = node.links, node.traffic
    touched: set[int] = set()
    links._end(1)
    before = links.get(1)
    for peer in (1, 9):
        traffic._handle_event(secure.PathChallengeNeeded(peer, MOVED, b"t" * 8), touched, now)
        traffic._handle_event(secure.Roamed(peer, MOVED), touched, now)
    traffic._handle_event(secure.Reflected(9, MOVED), touched, now)
    assert (links.get(1), touched) == (before, set())


TOO_FAST = reason(LinkReason.PEER_REFUSED, "too fast")


def closes_b(pair: Pair, code: CloseCode, reason: str = "") -> None:
    """B ends the link as a peer that means it."""
    node_of(pair.b).links.sessions.close(1, code, reason, pair.b.now)
    node_of(pair.b).turn.due.touch(1)
    pair.b.turn()
    pair.run(0.1)


@pytest.mark.parametrize(
    ("code", "state", "why"),
    [
        (CloseCode.PENDING, LinkState.PENDING, reason(LinkReason.NOT_ACCEPTED)),
        (CloseCode.REFUSED, LinkState.REFUSED, reason(LinkReason.NOT_TRUSTED)),
        (CloseCode.PROTOCOL_VIOLATION, LinkState.REFUSED, TOO_FAST),
        (CloseCode.SHUTDOWN, LinkState.DIALLING, reason(LinkReason.PEER_STOPPED)),
        (CloseCode.NONE, LinkState.DIALLING, reason(LinkReason.PEER_CLOSED)),
    ],
)
def test_why_a_peer_ended_the_link_is_shown(
    pair: Pair, code: CloseCode, state: LinkState, why: Reason
) -> None:
    node = pair.b.node
    pair.b.crash()  # so that nothing but this goodbye leaves it
    node.links.sessions.close(1, code, "too fast", pair.b.now)
    for data, target in node.links.sessions.take_farewells():
        pair.network.send(B, target, data)
    pair.run(0.1)
    link = pair.peer(pair.at_a).link
    assert (link.state, link.reason) == (state, why)


def test_a_link_that_is_down_is_not_closed_again(pair: Pair) -> None:
    links = node_of(pair.a).links
    links._end(1)
    links.sessions.close(1, CloseCode.SHUTDOWN, "", pair.a.now)
    assert links.sessions.take_farewells() == []


def tells(engine: SimEngine, key: int, value: bytes) -> None:
    """The engine says something to its peer that no honest one says."""
    link = talk_of(engine).link
    assert link
    connection = link.connection
    connection.set_state(key, value)
    node_of(engine).turn.due.touch(link.peer)
    engine.turn()


LIES = {
    "garbage in place of marks": (wire.STATE_MARKS, b"\xc1"),
    "read marks from the future": (
        wire.STATE_MARKS,
        wire.encode_state(wire.Marks(1, MAX_TOTAL_AHEAD * 2)),
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_peer_that_breaks_the_specification_is_left_alone_for_a_minute(
    pair: Pair, lie: str
) -> None:
    tells(pair.b, *LIES[lie])
    pair.run(0.5)
    assert pair.peer(pair.at_a).link.state == LinkState.REFUSED
    why = pair.peer(pair.at_a).link.reason
    assert why
    assert why.code == LinkReason.VIOLATION
    pair.at_b.say("sorry")
    pair.run(30)
    assert pair.peer(pair.at_a).messages == []
    pair.settle(120)
    pair.check([], ["sorry"])


def test_a_peer_that_broke_the_specification_is_refused_for_a_minute_if_it_calls(
    pair: Pair,
) -> None:
    tells(pair.b, *LIES["garbage in place of marks"])
    pair.run(0.5)
    pair.b.crash()
    pair.b.up()  # which remembers no goodbye, and calls at once
    pair.run(REFUSED_WAIT_S - 2.0)
    assert pair.peer(pair.at_a).link.state == LinkState.REFUSED
    assert pair.peer(pair.at_b).link.state != LinkState.UP
    pair.at_b.say("sorry")
    pair.settle(2 * REFUSED_WAIT_S)
    assert pair.peer(pair.at_a).link.state == LinkState.UP


def test_a_lamport_counter_from_the_future_closes_the_link(pair: Pair) -> None:
    state = talk_of(pair.a).state
    pair.b.connection.execute("UPDATE counters SET lamport = ?", (2 * MAX_TOTAL_AHEAD,))
    pair.at_b.say("from far ahead")
    pair.run(0.5)
    assert pair.peer(pair.at_a).link.state == LinkState.REFUSED
    why = pair.peer(pair.at_a).link.reason
    assert why
    assert "Lamport" in why.param(0)
    assert talk_of(pair.a).state.received_total == state.received_total


def test_a_packet_that_cannot_be_read_closes_the_link(pair: Pair) -> None:
    sealed = node_of(pair.b).endpoint.seal(1, 1 << 20, b"\xff\xff\xff")
    assert sealed
    pair.network.send(B, sealed[1], sealed[0])
    pair.run(0.5)
    assert pair.peer(pair.at_a).link.state == LinkState.REFUSED


def test_unknown_states_of_a_newer_peer_are_left_alone(pair: Pair) -> None:
    tells(pair.b, 63, b"x")
    pair.at_b.say("still talking")
    pair.settle(5)
    assert pair.peer(pair.at_a).link.state == LinkState.UP


def test_a_late_refusal_or_one_without_words_ends_nothing(pair: Pair) -> None:
    links, now = node_of(pair.a).links, pair.a.now
    row = links.get(1)
    node_of(pair.a).traffic._handle_refused(secure.Refused(1, b"", b"", B), now)
    node_of(pair.a).traffic._handle_refused(secure.Refused(9, b"", b"", B), now)
    assert links.get(1) == row
    closes_b(pair, CloseCode.SHUTDOWN)
    links._links[1].row = msgspec.structs.replace(links._links[1].row, state=LinkState.DIALLING)
    row = links.get(1)
    for payload in (b"\xff\xff", b""):
        node_of(pair.a).traffic._handle_refused(secure.Refused(1, b"", payload, B), now)
    assert links.get(1) == row


@pytest.mark.parametrize("code", [CloseCode.PENDING, CloseCode.PROTOCOL_VIOLATION])
def test_after_a_refused_attempt_no_packet_number_comes_again(code: CloseCode) -> None:
    """The peer may have taken another attempt of the same link: that is still alive there, and
    its ACK of packet 0 would be taken for one of the next packet 0."""
    pair = Pair(1)
    pair.a.commit_s = pair.b.commit_s = (5.0, 5.0)
    a = node_of(pair.a)
    while a.links.sessions.get(1) is None:
        pair.run(0.01)
    key = a.peers.need(1).key
    before = a.endpoint.incarnation(key)
    refused = secure.Refused(1, key, frames.encode_close(code, ""), B)
    a.traffic._handle_refused(refused, pair.a.now)
    assert a.links.sessions.get(1) is None
    assert a.endpoint.incarnation(key) != before


def test_another_key_is_shown_unless_the_right_one_is_talking(pair: Pair) -> None:
    key = pair.peer(pair.at_a).info.key
    become_another(pair.b)
    pair.run(1)
    assert pair.peer(pair.at_a).link.state != LinkState.KEY_CHANGED
    pair.at_a.say("who is it?")
    pair.run(60)
    assert pair.peer(pair.at_a).link.state == LinkState.KEY_CHANGED
    assert pair.peer(pair.at_a).info.key == key
    assert pair.peer(pair.at_a).info.offered_key


def test_an_engine_with_our_own_key_is_left_alone_as_ourselves() -> None:
    clock = Clock(1)
    network = Network(clock)
    ours, copy = (SimEngine(clock, network, "a", at) for at in (("10.0.0.1", 5001), B))
    copy.private_key = ours.private_key
    for engine in (ours, copy):
        engine.up()
    ours.dial(B)
    client = ours.attach()
    clock.run(clock.now_s + 5)
    assert client.view
    (peer,) = client.view.peers
    assert peer.link.state == LinkState.REFUSED
    assert peer.link.reason == reason(LinkReason.OWN_ADDRESS)
    assert peer.info.key == b""


def test_what_is_kept_out_of_order_counts_for_all_links_together() -> None:
    world = World()
    links = world.a.node.links.sessions
    one, other = links.get(1), links.get(2)
    assert one
    assert other
    one.connection.held.add(MAX_HELD_BYTES)
    assert other.connection.held.has_space(HELD_SHARE_BYTES)
    assert not other.connection.held.has_space(HELD_SHARE_BYTES + 1)
    one.connection.held.release()
    assert other.connection.held.has_space(HELD_SHARE_BYTES + 1)


def test_a_peer_that_was_forgotten_is_not_linked_any_more(pair: Pair) -> None:
    links, now = node_of(pair.a).links, pair.a.now
    pair.at_a.ask(cmd.RemovePeer(1))
    pair.run(1)
    assert links.get(1) is None
    links.handle_due(1, now)
    assert links.take_changed() == []
    assert node_of(pair.a).peers.name(1) == "The peer"


def test_nothing_is_looked_up_or_dialled_for_a_peer_without_a_row(pair: Pair) -> None:
    node = node_of(pair.a)
    assert isinstance(node.links, Links)
    node.peers.remove(1)
    node.links.names.forget(1)
    node.links.dial(1, pair.a.now)
    node.links.handle_due(1, pair.a.now)
    assert node.links.names.take_resolves() == []
