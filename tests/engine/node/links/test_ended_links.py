"""A link that has ended is over in the same turn, and answers of the store know which link."""

from chatnet_engine.trace import Kind, Trace
from chatnet_protocol.errors import CloseCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import LinkState
from chatnet_protocol.limits import RECEIVE_WINDOW_BYTES
from chatnet_protocol.wire import frames
from chatnet_protocol.wire import messages as wire
from simworld.clock import Clock
from simworld.engine import SimEngine
from simworld.network import Network
from simworld.scripted import ScriptedPeer

US, PEER = ("10.0.0.1", 5001), ("10.0.0.2", 5002)


class World:
    """An engine with a front end, and a scripted peer that it has dialled."""

    def __init__(self) -> None:
        self.clock = Clock(1)
        self.network = Network(self.clock)
        self.engine = SimEngine(self.clock, self.network, "us", US)
        self.engine.up()
        self.engine.dial(PEER)
        self.client = self.engine.attach()
        self.peer = ScriptedPeer(self.clock, self.network, PEER, US)

    def run(self, seconds: float) -> None:
        self.clock.run(self.clock.now_s + seconds)

    def state(self) -> str:
        assert self.client.view
        return self.client.view.peers[0].link.state

    def streaming(self) -> bool:
        return self.engine.node.messaging.conversations[1].streaming

    def turn_with(self, *datagrams: bytes) -> None:
        """All of them arrive in one turn of the engine."""
        self.engine.node.handle_datagrams([(data, PEER) for data in datagrams], self.engine.now)
        self.engine.turn()


def with_a_full_window() -> World:
    world = World()
    world.run(1)
    assert world.state() == LinkState.UP
    for number in range(2 * RECEIVE_WINDOW_BYTES // 60_000):
        world.client.say(f"{number} " + "x" * 60_000)
    world.run(3)
    world.peer.leave()
    return world


def test_the_end_of_a_link_is_traced_with_who_ended_it_and_what_it_had_carried() -> None:
    world = World()
    traces: list[Trace] = []
    world.engine.on_trace = traces.append
    world.run(1)
    session = world.engine.node.links.sessions.get(1)
    assert session
    world.peer.leave()
    world.client.say("into the void")
    world.run(3)
    world.turn_with(world.peer.raw(frames.encode_close(CloseCode.SHUTDOWN, "")))
    [ended] = [trace for trace in traces if trace.kind is Kind.CONNECTION_CLOSED]
    stats = session.connection.stats
    assert ended.peer == 1
    assert ended.fields == {
        "by": "peer",
        "code": "shutdown",
        "was_up": True,
        "sent": stats.packets_sent,
        "received": stats.packets_received,
        "lost": stats.packets_lost,
        "rtt_ms": stats.smoothed_rtt_s * 1000,
    }


def test_a_receipt_that_opens_the_window_and_a_close_arrive_in_one_packet() -> None:
    world = with_a_full_window()
    receipt = frames.encode_receipt(2, 2, 2)
    world.turn_with(world.peer.raw(receipt + frames.encode_close(1, "")))
    world.run(0.2)
    assert world.state() == LinkState.DIALLING
    assert world.client.view
    assert world.client.view.peers[0].delivered_seq == 2, "what it committed before stays true"


def test_a_receipt_and_then_a_close_arrive_in_one_turn() -> None:
    world = with_a_full_window()
    receipt = frames.encode_receipt(2, 2, 2)
    world.turn_with(world.peer.raw(receipt), world.peer.raw(frames.encode_close(1, "")))
    world.run(0.2)
    assert world.state() == LinkState.DIALLING


def test_a_command_after_a_close_in_the_same_turn_finds_no_link() -> None:
    world = World()
    world.run(1)
    world.peer.leave()
    node = world.engine.node
    assert node
    node.handle_datagrams([(world.peer.raw(frames.encode_close(1, "")), PEER)], world.engine.now)
    for command in (cmd.SetTyping(1, True), cmd.MarkRead(1, 1), cmd.AskRestore(1, True)):
        world.client.ask(command)
    world.client.say("waits")
    world.run(0.2)
    assert world.state() == LinkState.DIALLING
    assert world.client.view
    assert world.client.view.peers[0].waiting == 1


def test_a_violation_after_a_close_in_one_packet_is_no_second_end() -> None:
    world = World()
    world.run(1)
    world.peer.leave()
    far = frames.encode_state(1, 1, wire.encode_state(wire.Marks(1, 2**60)))
    world.turn_with(world.peer.raw(far + frames.encode_close(1, "")))
    world.run(0.2)
    assert world.state() == LinkState.REFUSED


def test_an_answer_to_the_hello_of_an_ended_link_does_not_start_the_next() -> None:
    """Both links are between the same incarnations, and the store takes its time."""
    world = World()
    world.run(1)
    world.engine.commit_s = (1.0, 1.0)
    peer = world.peer
    peer.quiet = True
    for hello_after_s in (0.0, 2.0):
        peer.send(peer.raw(frames.encode_close(1, "")))
        peer.connection = None
        peer.endpoint.end_link(1, world.clock.now_s, by_peer=True)
        world.run(0.6)
        assert peer.connection, "a new link"
        world.run(hello_after_s)
        assert not world.streaming(), "this link has had no HELLO"
        peer.send(peer.raw(frames.encode_hello(peer.hello())))
        world.run(0.1)
    world.run(2)
    assert world.streaming()


def test_an_ack_number_further_ahead_than_any_history_ends_the_link() -> None:
    world = with_a_full_window()
    world.turn_with(world.peer.raw(frames.encode_receipt(2, 2**40, 2)))
    world.run(0.2)
    assert world.state() == LinkState.REFUSED
    assert world.client.view
    why = world.client.view.peers[0].link.reason
    assert why
    assert "ACK number" in why.param(0)
