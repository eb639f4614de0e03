"""The attach machine against an engine that loses, repeats and delays frames, and restarts."""

import random
from collections import deque
from typing import TypeVar

import pytest

from chatnet_client.attach import (
    KEEP_ALIVE_S,
    LOST_AFTER_S,
    AttachMachine,
    AttachState,
)
from chatnet_client.backlog import MAX_BUFFERED_EVENTS
from chatnet_client.client_events import (
    Answered,
    Behind,
    Changed,
    ClientEvent,
    EngineLost,
    Gauged,
    Live,
    Missed,
    Refused,
    Reset,
)
from chatnet_client.mirror import Mirror
from chatnet_client.snapshot import SnapshotFetch
from chatnet_engine.node import publisher
from chatnet_protocol import codec
from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc import view as view_module
from chatnet_protocol.ipc.events import DraftChanged, EngineStopping, LinkGauge, TypingChanged
from local_world import LocalWorld, link_gauge

T = TypeVar("T")


class World:
    """One machine and one LocalWorld, joined by two unreliable pipes."""

    def __init__(
        self, seed: int, since_no: int | None = None, local: LocalWorld | None = None
    ) -> None:
        self.random = random.Random(seed)
        self.local = local or LocalWorld()
        self.machine = AttachMachine("test", since_no=since_no)
        self.mirror = Mirror()
        self.now = 0.0
        self.loss = 0.0
        self.late: deque[tuple[bytes, bytes]] = deque()
        self.events: list[ClientEvent] = []
        self.routing_id = 0
        self.deaf = False
        self.lost_at = 0.0

    def step(self, seconds: float = 0.05) -> None:
        """Let time pass; everything that moves, moves."""
        self.now += seconds
        self.machine.handle_timeout(self.now)
        for request in self.machine.take_requests(self.now):
            if not self.deaf and self.random.random() >= self.loss:
                self.local.request(b"%d" % self.routing_id, codec.pack(request))
        self.local.run(min(seconds, 10.0))
        for _, reply in self.local.take_replies():
            if self.random.random() >= self.loss:
                self.machine.handle_reply(reply, self.now)
        for topic, frame in self.local.take_publications():
            for _ in range(1 + (self.random.random() < self.loss / 2)):
                if self.random.random() >= self.loss:
                    self.late.append((topic, frame))
        if self.deaf:
            self.late.clear()
        while self.late and (self.random.random() >= self.loss):
            topic, frame = self.late.popleft()
            if topic == envelope.TOPIC_EVENTS:
                self.machine.handle_publication(frame, self.now)
            elif topic == envelope.TOPIC_GAUGES:
                self.machine.handle_gauges(frame, self.now)
            else:
                self.machine.handle_head(frame, self.now)
        for event in self.machine.take_events():
            self.mirror.handle(event)
            self.events.append(event)
            if isinstance(event, EngineLost):
                self.lost_at = self.now

    def act(self) -> None:
        """Something random happens at the engine."""
        match self.random.randrange(5):
            case 0 | 1:
                self.local.peer_sends(f"text {self.random.random()}")
            case 2:
                self.local.send("own")
            case 3:
                self.local.peer_reads()
            case _:
                revision = self.local.peer(1).draft_revision + 1
                self.local.announce(DraftChanged(1, revision, "d", 0), TypingChanged(1, True))

    def restart(self) -> None:
        """The engine is killed and started again; the sockets follow."""
        self.local.restart()
        self.routing_id += 1
        self.machine.handle_connected(self.now)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()

    def settle(self) -> None:
        """Heal, and demand to be live within ten seconds."""
        self.loss = 0.0
        for _ in range(200):
            self.step()
        assert self.machine.state == AttachState.LIVE
        assert self.mirror.view is not None
        assert codec.pack(self.mirror.view) == codec.pack(self.local.view)

    def message_numbers(self) -> list[int]:
        numbers: list[int] = []
        for event in self.events:
            if isinstance(event, Missed):
                numbers += [row.no for row in event.rows]
            elif isinstance(event, Changed):
                numbers += [row.no for row in getattr(event.event, "rows", [])]
        return numbers

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]


def live(since_no: int | None = None, local: LocalWorld | None = None) -> World:
    world = World(1, since_no, local)
    world.run(3)
    assert world.machine.state == AttachState.LIVE
    return world


@pytest.mark.parametrize("seed", range(16))
def test_converges_and_delivers_each_message_once(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "EVENT_RING_EVENTS", 30)
    monkeypatch.setattr(view_module, "SNAPSHOT_PART_BYTES", 300)
    world = World(seed, since_no=0)
    for _ in range(60):
        world.loss = world.random.choice([0.0, 0.2, 0.6])
        for _ in range(world.random.randrange(5)):
            world.act()
        world.step(world.random.choice([0.02, 0.3]))
        if world.random.random() < 0.05:
            world.restart()
    world.settle()
    assert world.message_numbers() == list(range(1, world.local.view.last_no + 1))
    expected = 0
    for event in world.events:
        if isinstance(event, Reset):
            expected = event.seq
        elif isinstance(event, Changed):
            expected += 1
            assert event.seq == expected


def test_joins_with_a_snapshot_and_then_live_events() -> None:
    local = LocalWorld()
    local.peer_sends("before")
    world = live(local=local)
    local.peer_sends("after")
    world.step()
    assert [type(event) for event in world.events] == [Reset, Live, Changed]
    assert world.mirror.view == local.view
    assert world.of(Missed) == []


def test_a_gap_is_noticed_by_the_next_event_and_filled() -> None:
    world = live()
    world.local.peer_sends("lost")
    world.local.take_publications()
    world.local.peer_sends("seen")
    world.run(3)
    assert world.of(Behind) == [Behind(2)]
    assert isinstance(world.events[-1], Live)
    assert world.mirror.view == world.local.view


def test_a_lost_last_event_is_noticed_by_the_head() -> None:
    world = live()
    world.local.peer_sends("lost")
    world.local.take_publications()
    world.run(25)
    assert world.mirror.view == world.local.view
    assert world.of(Behind) == [Behind(1)]


def test_silence_is_told_once_and_attaching_goes_on() -> None:
    world = live()
    world.deaf = True
    world.run(200)
    assert world.of(EngineLost) == [EngineLost("the engine does not answer")]
    assert world.lost_at <= LOST_AFTER_S + 0.2
    assert world.mirror.view is not None
    assert not world.mirror.live
    world.deaf = False
    world.local.peer_sends("meanwhile")
    world.run(60)
    assert world.mirror.live
    assert len(world.of(Reset)) == 1, "within the ring no snapshot is needed"
    assert world.mirror.view == world.local.view


def test_a_planned_end_is_told_at_once_with_its_reason() -> None:
    world = live()
    world.local.announce(EngineStopping("asked to stop"))
    world.step()
    assert world.events[-1] == EngineLost("asked to stop")
    world.restart()
    world.settle()


def test_another_boot_in_a_head_means_a_snapshot() -> None:
    world = live()
    world.local.restart()
    world.run(60)
    assert len(world.of(Reset)) == 2
    assert world.mirror.view == world.local.view


def test_messages_since_a_number_come_before_everything_newer() -> None:
    local = LocalWorld()
    local.peer_sends_all([str(number) for number in range(600)])
    world = World(1, since_no=10, local=local)
    world.run(2)
    local.peer_sends("newest")
    world.run(10)
    assert world.message_numbers() == list(range(11, 602))
    assert [type(event) for event in world.events[:2]] == [Reset, Missed]
    assert len(world.of(Missed)) == 3, "pages of at most 256"


def test_keeping_up_counts_from_the_first_snapshot() -> None:
    local = LocalWorld()
    local.peer_sends("before")
    world = World(1, local=local)
    world.machine = AttachMachine("test", keep_up=True)
    world.run(3)
    assert world.message_numbers() == []
    local.peer_sends("seen")
    world.step()
    local.peer_sends("missed")
    world.restart()
    world.settle()
    assert world.message_numbers() == [2, 3]


def test_a_number_beyond_the_last_waits_for_nothing() -> None:
    world = live(since_no=50)
    world.local.peer_sends("x")
    world.step()
    assert world.message_numbers() == [1]


def test_a_flood_while_joining_stays_within_the_buffer() -> None:
    local = LocalWorld()
    world = World(1, local=local)
    world.machine.handle_timeout(0.0)
    for _ in range(MAX_BUFFERED_EVENTS // 100 + 1):
        local.announce(*[TypingChanged(1, True)] * 100)
    for topic, frame in local.take_publications():
        if topic == envelope.TOPIC_EVENTS:
            world.machine.handle_publication(frame, 0.0)
    world.run(5)
    world.settle()


def test_commands_wait_for_the_attachment_and_outlive_a_restart() -> None:
    local = LocalWorld()
    world = World(1, local=local)
    token = world.machine.ask(cmd.SendMessage(b"i" * 16, 1, "hello"), 0.0)
    world.run(3)
    first = world.of(Answered)
    assert [event.token for event in first if isinstance(event, Answered)] == [token]
    world.loss = 1.0
    world.machine.ask(cmd.SendMessage(b"j" * 16, 1, "again"), world.now)
    world.step()
    world.loss = 0.0
    world.restart()
    world.run(40)
    assert len(world.of(Answered)) == 2
    assert [row.text for _, row in local.history] == ["hello", "again"]


def test_a_forgotten_client_attaches_again_and_its_command_is_done() -> None:
    world = live()
    world.local.forget_client(b"0")
    world.machine.ask(cmd.SendMessage(b"i" * 16, 1, "hello"), world.now)
    world.run(5)
    answer = world.of(Answered)[0]
    assert isinstance(answer, Answered)
    assert answer.result == cmd.Queued(1, 1)


def test_a_command_without_answer_ends_with_its_deadline() -> None:
    world = live()
    world.loss = 1.0
    world.machine.ask(cmd.SendMessage(b"i" * 16, 1, "hello"), world.now, timeout_s=2.0)
    world.run(50)
    answer = world.of(Answered)[0]
    assert isinstance(answer, Answered)
    assert answer.timed_out
    assert answer.result is None


def test_a_refusal_for_good_ends_the_machine() -> None:
    local = LocalWorld()
    local.instead[cmd.Attach] = CommandError(ErrorCode.VERSION, "Upgrade ChatNet on this side.")
    world = World(1, local=local)
    world.run(50)
    assert world.events == [Refused(ErrorCode.VERSION, "Upgrade ChatNet on this side.", True)]
    assert world.machine.state == AttachState.REFUSED
    assert sum(isinstance(c, cmd.Attach) for c in local.seen) == 1


def test_a_refusal_that_may_pass_is_tried_again() -> None:
    local = LocalWorld()
    local.instead[cmd.Attach] = CommandError(ErrorCode.BUSY, "full")
    world = World(1, local=local)
    world.run(3)
    local.instead.clear()
    world.run(30)
    assert world.machine.state == AttachState.LIVE
    assert world.events[0] == Refused(ErrorCode.BUSY, "full", False)


def test_a_failing_history_page_starts_the_join_again() -> None:
    local = LocalWorld()
    local.peer_sends("x")
    local.instead[cmd.FetchHistory] = CommandError(ErrorCode.STORE, "disk")
    world = World(1, since_no=0, local=local)
    world.run(5)
    local.instead.clear()
    world.run(40)
    assert world.message_numbers() == [1]
    assert world.machine.state == AttachState.LIVE


def test_a_damaged_snapshot_and_one_too_large_are_given_up() -> None:
    for parts in (1, 5000):
        local = LocalWorld()
        world = World(1, local=local)
        boot = local.head.boot
        local.instead[cmd.Attach] = cmd.Attached(boot, 1, 0, parts, 0, 0, 1, [])
        local.instead[cmd.FetchSnapshot] = cmd.SnapshotPart(0, b"\xc1")
        world.run(3)
        lost = [event for event in world.events if isinstance(event, EngineLost)]
        assert "snapshot" in lost[0].reason


def test_events_that_do_not_parse_end_in_a_new_join_not_in_a_loop() -> None:
    world = live()
    world.local.peer_sends("lost")
    world.local.take_publications()
    pages: list[cmd.Command] = []

    def damaged(command: cmd.Command) -> cmd.Result:
        pages.append(command)
        return cmd.EventsPage(b"\xc1")

    world.local.instead[cmd.FetchEvents] = damaged
    world.run(30)
    assert "events" in world.of(EngineLost)[0].reason
    assert len(pages) <= 3
    world.local.instead.clear()
    world.settle()


def test_a_keep_alive_that_fails_or_is_never_answered_changes_nothing() -> None:
    world = live()
    world.local.instead[cmd.KeepAlive] = CommandError(ErrorCode.BUSY, "busy")
    world.run(round(KEEP_ALIVE_S / 0.05) + 2)
    assert world.machine.state == AttachState.LIVE
    world.loss = 1.0
    world.step(KEEP_ALIVE_S)
    world.step(4000.0)
    world.local.instead.clear()
    world.settle()
    assert world.of(Answered) == []


def test_events_that_turn_out_not_to_exist_end_the_search() -> None:
    world = live()
    head = world.local.head
    ahead = envelope.Heartbeat(head.boot, head.seq + 5, 0)
    world.machine.handle_head(codec.pack(ahead), world.now)
    world.run(3)
    assert world.of(Behind) == [Behind(5)]
    assert world.machine.state == AttachState.LIVE


def test_missed_messages_that_are_gone_are_not_waited_for() -> None:
    local = LocalWorld()
    local.peer_sends("x")
    local.instead[cmd.FetchHistory] = cmd.HistoryPage([], [], False)
    world = World(1, since_no=0, local=local)
    world.run(3)
    assert world.of(Missed) == []
    world.settle()


def test_strangers_frames_and_frames_after_the_end_are_nothing() -> None:
    world = live()
    gauges = codec.pack(envelope.GaugeFrame(b"other", []))
    world.machine.handle_gauges(gauges, world.now)
    world.machine.state = AttachState.REFUSED
    world.machine.handle_connected(world.now)
    world.machine.handle_head(codec.pack(world.local.head), world.now)
    assert world.machine.state == AttachState.REFUSED
    assert world.machine.take_events() == []


def test_a_snapshot_part_nobody_asked_for_is_dropped() -> None:
    fetch = SnapshotFetch(cmd.Attached(b"b", 1, 0, 1, 0, 0, 1, []))
    fetch.handle_part(7, b"x")
    assert not fetch.is_complete


def test_leaving_is_told_only_by_who_was_there() -> None:
    machine = AttachMachine("test")
    machine.detach(0.0)
    assert machine.take_requests(0.0) == []
    world = live()
    world.machine.detach(world.now)
    world.step()
    assert world.local.view.clients == []


def test_keep_alive_tells_how_far_this_client_is() -> None:
    world = live()
    world.run(round(KEEP_ALIVE_S / 0.05) + 2)
    sent = [command.seq for command in world.local.seen if isinstance(command, cmd.KeepAlive)]
    assert sent == [world.local.head.seq]


def test_gauges_come_in_order_of_their_revision() -> None:
    world = live()
    for revision, rtt_ms in ((1, 10.0), (2, 20.0), (1, 10.0)):
        gauge = link_gauge(revision=revision, rtt_ms=rtt_ms)
        frame = codec.pack(envelope.GaugeFrame(world.local.head.boot, [gauge]))
        world.machine.handle_gauges(frame, world.now)
    world.step()
    gauges = [event.gauge for event in world.of(Gauged)]
    assert [g.rtt_ms for g in gauges if isinstance(g, LinkGauge)] == [10.0, 20.0]


def test_frames_that_do_not_parse_change_nothing() -> None:
    world = live()
    before = codec.pack(world.mirror.view)
    machine = world.machine
    for handle in (
        machine.handle_publication,
        machine.handle_head,
        machine.handle_gauges,
        machine.handle_reply,
    ):
        for garbage in (b"", b"\xc1", b"\x93\x01\x02\x03"):
            with pytest.raises(DecodeError):
                handle(garbage, world.now)
    world.step()
    assert machine.state == AttachState.LIVE
    assert codec.pack(world.mirror.view) == before


def test_next_timeout_names_every_deadline() -> None:
    machine = AttachMachine("test")
    assert machine.next_timeout() == 0.0
    machine.handle_timeout(0.0)
    machine.take_requests(0.0)
    assert machine.next_timeout() == 1.0
    world = live()
    due = world.machine.next_timeout()
    assert due is not None
    assert world.now < due <= world.now + LOST_AFTER_S
