"""Traces for front ends: made while somebody wants them, counted where they are lost."""

from chatnet_engine.clock import Now
from chatnet_engine.io.trace_stream import LOOK_EVERY_S, MAX_ROWS_IN_FRAME, TraceStream
from chatnet_engine.trace import Kind, Trace, Tracer
from chatnet_protocol.ipc.envelope import TOPIC_TRACE, TOPIC_TRACE_DETAIL, TraceFrame, decode_traces

ROAMED = Trace(1, Kind.PATH_ASSIGNED, {"address": ("10.0.0.2", 5002)})
LOST = Trace(1, Kind.PACKET_LOST, {"number": 4})


class Subscribers:
    """Stands in for the local sockets."""

    def __init__(self) -> None:
        self.topics: set[bytes] = set()
        self.frames: list[tuple[bytes, TraceFrame]] = []

    def is_wanted(self, topic: bytes) -> bool:
        return topic in self.topics

    def publish(self, topic: bytes, frame: bytes) -> None:
        self.frames.append((topic, decode_traces(frame)))


class World:
    def __init__(self, *, detail: bool = False) -> None:
        self.ipc = Subscribers()
        self.tracer = Tracer(detail=detail)
        self.stream = TraceStream(self.ipc, self.tracer, b"bootboot", b"salt")  # type: ignore[arg-type]
        self.now_s = 10.0

    def turn(self, *traces: Trace) -> list[tuple[bytes, TraceFrame]]:
        """What is published for these."""
        for trace in traces:
            self.stream.add(trace)
        self.now_s += LOOK_EVERY_S
        self.stream.flush(Now(self.now_s, 1234))
        published, self.ipc.frames = self.ipc.frames, []
        return published


def test_nothing_is_published_while_nobody_follows() -> None:
    world = World()
    assert world.turn(ROAMED, LOST) == []
    assert not world.tracer.detail


def test_a_follower_of_the_story_gets_it_with_hidden_addresses() -> None:
    world = World()
    world.ipc.topics = {TOPIC_TRACE}
    assert world.turn(ROAMED) == [(TOPIC_TRACE, TraceFrame(b"bootboot", 0, 1234, []))]
    [(topic, frame)] = world.turn(ROAMED, LOST)
    assert topic == TOPIC_TRACE
    assert [row.kind for row in frame.traces] == [Kind.PATH_ASSIGNED]
    assert str(frame.traces[0].fields["address"]).startswith("ipv4#")
    assert not world.tracer.detail


def test_details_are_made_while_somebody_follows_them_and_no_longer() -> None:
    world = World()
    world.ipc.topics = {TOPIC_TRACE_DETAIL}
    world.turn()
    assert world.tracer.detail
    [(topic, frame)] = world.turn(ROAMED, LOST)
    assert topic == TOPIC_TRACE_DETAIL
    assert [row.kind for row in frame.traces] == [Kind.PATH_ASSIGNED, Kind.PACKET_LOST]
    assert frame.traces[0].fields["address"] == "10.0.0.2:5002"
    world.ipc.topics = set()
    world.turn()
    assert not world.tracer.detail
    assert world.turn(ROAMED) == []


def test_details_that_the_log_wants_stay_on() -> None:
    world = World(detail=True)
    world.turn()
    assert world.tracer.detail


def test_frames_count_what_came_before_them() -> None:
    world = World()
    world.ipc.topics = {TOPIC_TRACE}
    world.turn()
    frames = world.turn(*[ROAMED] * (MAX_ROWS_IN_FRAME + 1)) + world.turn(ROAMED)
    counts = [(frame.before, len(frame.traces)) for _, frame in frames]
    many = MAX_ROWS_IN_FRAME
    assert counts == [(0, many), (many, 1), (many + 1, 1)]
