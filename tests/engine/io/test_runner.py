import errno
import itertools
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import cast
from unittest.mock import Mock

import pytest
import zmq

from chatnet_engine.clock import Now
from chatnet_engine.io import runner as runner_module
from chatnet_engine.io.address_watch import AddressWatch
from chatnet_engine.io.clock import read_now
from chatnet_engine.io.impair import Impairment, ImpairSpec
from chatnet_engine.io.machine import Machine
from chatnet_engine.io.runner import (
    DATAGRAMS_PER_READ,
    FIRST_SLICE,
    MAX_DATAGRAMS_PER_TURN,
    SELECT_FDS,
    STOP_TIMEOUT_S,
    STORE_SHARE_MS,
    Runner,
)
from chatnet_engine.io.udp import UdpSocket
from chatnet_engine.node.effects import (
    AddressesChanged,
    ClientGone,
    CommitOps,
    FileProcessReport,
    FilesRestarted,
    HistoryRead,
    HostResolved,
    Publish,
    ReadHistory,
    ResolveHost,
    SendDatagrams,
    SendReply,
    SendToFileProcess,
    StopRunner,
)
from chatnet_engine.store_ops.commit import Commit, Committed
from chatnet_protocol.ipc.commands import FetchHistory
from io_parts import JUNK, FakeNode


@pytest.fixture
def client(machine: Machine) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as client:
        client.linger = 0
        client.connect(machine.ipc.commands_endpoint)
        yield client


def wait_readable(fd: int) -> list[int]:
    return select.select([fd], [], [], 5.0)[0]


def join(runner: Runner, node: FakeNode, client: zmq.Socket[bytes]) -> None:
    """Complete the handshake, so that the next request is taken in the turn in which it comes."""
    client.send(b"hello")
    turn_until(runner, lambda: node.requests)
    node.requests.clear()


def turn_until(runner: Runner, condition: Callable[[], object], turns: int = 400) -> None:
    for _ in range(turns):
        if condition():
            return
        runner.turn()
    raise AssertionError("it never came")


def make_slow(node: FakeNode, each_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every datagram takes so long from now on, by the clock that the turn looks at."""
    clock = [0.0]

    def handle(batch: list[tuple[bytes, tuple[str, int]]], now: Now) -> bool:
        node.datagrams += batch
        clock[0] += len(batch) * each_s
        return True

    monkeypatch.setattr(node, "handle_datagrams", handle)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])


def test_datagrams_come_in_and_go_out(
    runner: Runner, node: FakeNode, machine: Machine, peer: UdpSocket
) -> None:
    peer.send([(b"ping", machine.udp.local)])
    turn_until(runner, lambda: node.datagrams)
    assert node.datagrams == [(b"ping", peer.local)]
    node.effects.append(SendDatagrams([(b"pong", peer.local)]))
    machine.wakeup.ring()
    runner.turn()
    assert peer.receive(1) == [(b"pong", machine.udp.local)]


def test_requests_are_answered_and_events_published(
    runner: Runner, node: FakeNode, machine: Machine, client: zmq.Socket[bytes]
) -> None:
    client.send(b"ask")
    turn_until(runner, lambda: node.requests)
    [(routing_id, frames)] = node.requests
    assert frames == [b"ask"]
    node.effects += [Publish(b"E", b"event"), SendReply(routing_id, b"answer")]
    machine.wakeup.ring()
    runner.turn()
    assert client.poll(5000)
    assert client.recv_multipart() == [b"answer"]
    assert machine.ipc.counters.published == 1


def test_the_end_of_a_front_end_s_connection_reaches_the_node_after_its_requests(
    runner: Runner, node: FakeNode, machine: Machine
) -> None:
    with zmq.Context() as context:
        staying = context.socket(zmq.DEALER)
        going = context.socket(zmq.DEALER)
        staying.linger, going.linger = 0, -1
        for client in (staying, going):
            client.connect(machine.ipc.commands_endpoint)
            client.send(b"ask")
        going.send(b"the last")
        going.close()
        turn_until(runner, lambda: node.results)
        staying.close()
    routing_ids = [routing_id for routing_id, _ in node.requests]
    (gone,) = {routing_id for routing_id in routing_ids if routing_ids.count(routing_id) == 2}
    assert node.results == [ClientGone(gone)]
    assert machine.next_timeout() > machine.now.mono_s


def test_every_worker_answers_through_handle_io(
    runner: Runner, node: FakeNode, machine: Machine
) -> None:
    machine.files.start(read_now().mono_s)
    node.effects += [
        CommitOps(Commit(1, [])),
        ReadHistory(4, FetchHistory()),
        ResolveHost(2, "127.0.0.1", 9),
        SendToFileProcess(b"hello"),
    ]
    machine.wakeup.ring()
    turn_until(runner, lambda: len(node.results) == 4)
    kinds = {type(result): result for result in node.results}
    assert kinds[Committed] == Committed(1, [])
    read = kinds[HistoryRead]
    assert isinstance(read, HistoryRead)
    assert read.context == 4
    assert kinds[HostResolved] == HostResolved(2, [("127.0.0.1", 9)], asked=("127.0.0.1", 9))
    assert kinds[FileProcessReport] == FileProcessReport(b"hello")


class LostMessages:
    """A netlink socket whose buffer overflowed, once for each byte in a pipe."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def fileno(self) -> int:
        return self.fd

    def recvfrom(self, size: int) -> None:
        os.read(self.fd, 1)  # BlockingIOError when there is none
        raise OSError(errno.ENOBUFS, "No buffer space available")


def test_changes_of_addresses_reach_the_node_at_most_once_a_second(
    node: FakeNode, machine: Machine
) -> None:
    read_fd, write_fd = os.pipe2(os.O_NONBLOCK)
    machine.addresses = AddressWatch(cast(socket.socket, LostMessages(read_fd)))
    clock = itertools.count(100)
    runner = Runner(node, machine, lambda: Now(next(clock) / 10, 0))
    reported: list[float] = []
    for _ in range(30):
        if len(reported) < 10:
            os.write(write_fd, b"\0")
        machine.wakeup.ring()
        runner.turn()
        reported.append(len(node.results))
    assert set(node.results) == {AddressesChanged()}
    assert 2 <= len(node.results) <= 6
    os.close(write_fd)
    os.close(read_fd)


def test_a_dead_file_process_comes_back(runner: Runner, node: FakeNode, machine: Machine) -> None:
    machine.files.start(read_now().mono_s)
    node.effects.append(SendToFileProcess(b"die"))
    machine.wakeup.ring()
    turn_until(runner, lambda: FilesRestarted() in node.results)
    node.effects.append(SendToFileProcess(b"hello"))
    machine.wakeup.ring()
    turn_until(runner, lambda: FileProcessReport(b"hello") in node.results)


def test_the_nodes_deadline_ends_the_wait(runner: Runner, node: FakeNode) -> None:
    node.due_s = read_now().mono_s + 0.01
    due_s = node.due_s
    turn_until(runner, lambda: node.timeouts)
    assert len(node.timeouts) == 1
    assert due_s <= node.timeouts[0] < due_s + 0.5


def test_a_turn_handles_its_cap_and_leaves_the_rest(
    runner: Runner,
    node: FakeNode,
    machine: Machine,
    peer: UdpSocket,
    client: zmq.Socket[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner_module, "MAX_DATAGRAMS_S", 10.0)
    monkeypatch.setattr(runner_module, "MAX_READ_S", 10.0)
    join(runner, node, client)
    sent = MAX_DATAGRAMS_PER_TURN + 100
    for _ in range(sent):
        peer.send([(b"x", machine.udp.local)])
    client.send(b"ask")
    assert wait_readable(machine.ipc.commands_fd)
    runner.turn()
    assert len(node.datagrams) == MAX_DATAGRAMS_PER_TURN
    assert len(node.requests) == 1
    turn_until(runner, lambda: len(node.datagrams) == sent)


def test_the_time_is_looked_at_after_each_slice(
    runner: Runner,
    node: FakeNode,
    machine: Machine,
    peer: UdpSocket,
    client: zmq.Socket[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner_module, "MAX_DATAGRAMS_S", 0.0)
    join(runner, node, client)
    for _ in range(2 * DATAGRAMS_PER_READ):
        peer.send([(b"x", machine.udp.local)])
    client.send(b"ask")
    assert wait_readable(machine.ipc.commands_fd)
    runner.turn()
    assert len(node.datagrams) == FIRST_SLICE
    assert len(node.requests) == 1
    turn_until(runner, lambda: len(node.datagrams) == 2 * DATAGRAMS_PER_READ)


@pytest.mark.parametrize(("peers", "most"), [(b"x", "DATAGRAMS"), (b"xyz", "DATAGRAMS_OF_SEVERAL")])
def test_no_more_are_handled_than_fit_into_the_time(
    peers: bytes,
    most: str,
    runner: Runner,
    node: FakeNode,
    machine: Machine,
    peer: UdpSocket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "_budget", Mock(protects=True, busy=lambda *_: []))
    for _ in range(20):
        peer.send([(bytes([each]), machine.udp.local) for each in peers])
    assert wait_readable(machine.udp.fileno())
    make_slow(node, 0.15 * getattr(runner_module, f"MAX_{most}_S"), monkeypatch)
    runner.turn()
    assert len(node.datagrams) == 6


def test_what_is_committed_is_acted_on_before_datagrams_take_their_time(
    runner: Runner,
    node: FakeNode,
    machine: Machine,
    peer: UdpSocket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[str] = []

    def note(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def noting(*args: object) -> object:
            order.append(name)
            return call(*args)

        return noting

    for name in ("handle_io", "handle_datagrams", "take_effects"):
        monkeypatch.setattr(node, name, note(name, getattr(node, name)))
    node.effects.append(CommitOps(Commit(1, [])))
    runner.flush()
    order.clear()
    peer.send([(b"x", machine.udp.local)])
    assert wait_readable(machine.udp.fileno())
    assert wait_readable(machine.wakeup.fileno())
    runner.turn()
    assert order == ["handle_io", "take_effects", "handle_datagrams", "take_effects"]


def test_what_waits_for_its_turn_is_not_waited_for(
    runner: Runner,
    node: FakeNode,
    machine: Machine,
    peer: UdpSocket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner_module, "MAX_DATAGRAMS_S", 0.0)
    for _ in range(10):
        peer.send([(b"x", machine.udp.local)])
    runner.turn()
    assert len(node.datagrams) == FIRST_SLICE
    assert runner._wait_s() == 0


@pytest.mark.parametrize("descriptors", [SELECT_FDS, 0], ids=["as usual", "too many descriptors"])
def test_a_deadline_is_met_to_a_fraction_of_a_millisecond(
    runner: Runner,
    node: FakeNode,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    descriptors: int,
) -> None:
    monkeypatch.setattr(runner_module, "SELECT_FDS", descriptors)
    late = []
    for _ in range(50):
        runner._read_clock()
        machine.handle_timeout()
        node.due_s = read_now().mono_s + 0.0023
        assert not runner._wait()
        late.append(read_now().mono_s - node.due_s)
    assert min(late) > -0.0005
    if descriptors == SELECT_FDS:
        assert min(late) < 0.0006, "no waiting for whole milliseconds"


def test_what_arrives_in_the_last_fraction_of_a_wait_is_seen(
    runner: Runner, node: FakeNode, machine: Machine, peer: UdpSocket
) -> None:
    node.due_s = read_now().mono_s + 0.0009
    peer.send([(b"x", machine.udp.local)])
    assert list(runner._wait()) == [machine.udp.fileno()]


def test_a_peer_that_floods_delays_another_by_one_datagram(
    runner: Runner,
    node: FakeNode,
    machine: Machine,
    peer: UdpSocket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner_module, "MAX_DATAGRAMS_OF_SEVERAL_S", 0.0)
    monkeypatch.setattr(runner_module, "MAX_UNDISTURBED_S", 0.0)
    monkeypatch.setattr(runner_module, "MAX_DATAGRAMS_S", 0.0)
    monkeypatch.setattr(runner_module, "MAX_READ_S", 10.0)
    for _ in range(200):
        peer.send([(b"flood", machine.udp.local)])
    peer.send([(b"honest", machine.udp.local)])
    turn_until(runner, lambda: len(runner.intake) + len(node.datagrams) == 201)
    handled = [data for data, _ in node.datagrams]
    turn_until(runner, lambda: (b"honest", peer.local) in node.datagrams)
    assert len(node.datagrams) <= len(handled) + FIRST_SLICE


@pytest.mark.parametrize(("peers", "shares"), [(b"a", 1), (b"ab", 3)])
def test_beside_a_flood_a_transaction_has_time_of_its_own(
    peers: bytes,
    shares: int,
    runner: Runner,
    node: FakeNode,
    machine: Machine,
    peer: UdpSocket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[int] = []
    monkeypatch.setattr(runner_module, "MAX_DATAGRAMS_OF_SEVERAL_S", 0.0)
    monkeypatch.setattr(runner_module, "MAX_UNDISTURBED_S", 0.0)
    monkeypatch.setattr(runner_module, "MAX_DATAGRAMS_S", 0.0)
    monkeypatch.setattr(runner, "_answers", Mock(poll=waits.append))
    for _ in range(20):
        peer.send([(bytes([each]), machine.udp.local) for each in peers])
    assert wait_readable(machine.udp.fileno())
    turn_until(runner, lambda: len(runner.intake) + len(node.datagrams) == 20 * len(peers))
    assert waits == []
    node.effects.append(CommitOps(Commit(1, [])))
    monkeypatch.setattr(machine.store, "take_answers", list)
    for _ in range(4):
        runner.turn()
    assert waits == shares * [STORE_SHARE_MS]


def test_a_busy_peer_s_datagrams_gather_and_others_do_not_wait(
    runner: Runner,
    node: FakeNode,
    machine: Machine,
    peer: UdpSocket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [read_now().mono_s]
    monkeypatch.setattr(runner, "_clock", lambda: Now(clock[0], 0))
    budget = Mock(hold_s=0.5, protects=True, is_spent=True)
    budget.busy.side_effect = lambda counts, sizes, now_s: [c for c in counts if c == 102]
    monkeypatch.setattr(runner, "_budget", budget)

    def arrive(*datagrams: bytes) -> None:
        peer.send([(data, machine.udp.local) for data in datagrams])
        turn_until(runner, lambda: len(runner.intake) + len(node.datagrams) >= expected)

    expected = 1
    arrive(b"f1")
    assert [data for data, _ in node.datagrams] == [b"f1"]
    assert node.held == (frozenset({102}), clock[0] + 0.5)
    asked, expected = len(node.nows), 2
    arrive(b"f2")
    assert len(node.nows) == asked, "a turn that only gathers ends there"
    expected, node.due_s = 4, clock[0]
    arrive(b"f3", b"honest")
    assert node.timeouts == [clock[0]], "unless something is due"
    turn_until(runner, lambda: (b"honest", peer.local) in node.datagrams)
    assert [data for data, _ in node.datagrams] == [b"f1", b"honest"]
    clock[0] += 0.5
    turn_until(runner, lambda: [data for data, _ in node.datagrams[2:]] == [b"f2", b"f3"])


def test_a_turn_ends_after_datagrams_that_changed_nothing(
    runner: Runner, node: FakeNode, machine: Machine, peer: UdpSocket
) -> None:
    peer.send([(JUNK, machine.udp.local), (b"x", machine.udp.local)])
    turn_until(runner, lambda: len(node.datagrams) == 2)
    for due_s, asked in ((None, len(node.nows)), (0.0, len(node.nows) + 1)):
        node.datagrams, node.due_s = [], due_s
        peer.send([(JUNK, machine.udp.local)])
        turn_until(runner, lambda: node.datagrams)
        assert len(node.nows) == asked, "what is due is done all the same"


def test_a_turn_goes_on_while_nothing_else_has_arrived(
    runner: Runner,
    node: FakeNode,
    machine: Machine,
    peer: UdpSocket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "_budget", Mock(protects=False, busy=lambda *_: []))
    for _ in range(20):
        peer.send([(bytes([each]), machine.udp.local) for each in b"xy"])
    assert wait_readable(machine.udp.fileno())
    make_slow(node, 0.3 * runner_module.MAX_DATAGRAMS_OF_SEVERAL_S, monkeypatch)
    runner.turn()
    undisturbed_s = runner_module.MAX_UNDISTURBED_S / runner_module.MAX_DATAGRAMS_OF_SEVERAL_S
    assert len(node.datagrams) == int(undisturbed_s / 0.3)


def test_a_flood_of_requests_is_served_in_slices(
    runner: Runner,
    node: FakeNode,
    machine: Machine,
    client: zmq.Socket[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner_module, "MAX_REQUESTS_PER_TURN", 3)
    for number in range(10):
        client.send(bytes([number]))
    turn_until(runner, lambda: node.requests)
    counts = [len(node.requests)]
    while counts[-1] < 10:
        runner.turn()
        counts.append(len(node.requests))
    assert all(after - before <= 3 for before, after in itertools.pairwise([0, *counts]))
    assert [frames[0][0] for _, frames in node.requests] == list(range(10))
    monkeypatch.setattr(runner_module, "MAX_REQUESTS_S", 0.0)
    client.send(b"a")
    client.send(b"b")
    assert wait_readable(machine.ipc.commands_fd)
    runner.turn()
    assert len(node.requests) == 11


def test_one_clock_reading_a_turn_reaches_the_node(node: FakeNode, machine: Machine) -> None:
    readings = itertools.count(1)
    runner = Runner(node, machine, lambda: Now(next(readings) * 10.0, 5))
    machine.wakeup.ring()
    runner.turn()
    assert node.nows == [machine.now]


def test_a_jump_of_the_clock_shows_as_time(node: FakeNode, machine: Machine) -> None:
    times = [100.0]
    runner = Runner(node, machine, lambda: Now(times[0], 5))
    node.due_s = 110.0
    machine.wakeup.ring()
    runner.turn()
    assert node.timeouts == []
    times[0] += 8 * 3600
    runner.turn()
    assert node.timeouts == [100.0 + 8 * 3600]


def test_the_impaired_line_delays_and_keeps_time(
    runner: Runner, node: FakeNode, machine: Machine, peer: UdpSocket
) -> None:
    machine.impairment = impairment = Impairment(ImpairSpec(delay_s=0.02, seed=1))
    node.effects.append(SendDatagrams([(b"late", peer.local)]))
    runner.flush()
    assert peer.receive(1) == []
    due_s = impairment.next_timeout()
    assert due_s is not None
    turn_until(runner, lambda: impairment.next_timeout() is None)
    assert read_now().mono_s >= due_s
    assert peer.receive(1) == [(b"late", machine.udp.local)]


def test_run_ends_when_the_node_stops_and_nothing_is_in_flight(
    runner: Runner, node: FakeNode, machine: Machine
) -> None:
    node.effects += [CommitOps(Commit(1, [])), StopRunner("asked to stop")]
    assert runner.run() == "asked to stop"
    assert node.results == [Committed(1, [])]


def test_the_last_words_leave_through_the_impaired_line(
    runner: Runner, node: FakeNode, machine: Machine, peer: UdpSocket
) -> None:
    machine.impairment = Impairment(ImpairSpec(delay_s=0.02, seed=1))
    node.effects += [SendDatagrams([(b"goodbye", peer.local)]), StopRunner("enough")]
    runner.run()
    assert peer.receive(1) == [(b"goodbye", machine.udp.local)]


def test_a_signal_stops_the_node_properly(runner: Runner, node: FakeNode, machine: Machine) -> None:
    old = signal.signal(signal.SIGUSR1, lambda *_: runner.ask_stop("signal"))
    old_fd = signal.set_wakeup_fd(machine.wakeup.ring_fd)
    try:
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert runner.run() == "signal"
    finally:
        signal.set_wakeup_fd(old_fd)
        signal.signal(signal.SIGUSR1, old)
    assert node.stopped == "signal"


def test_a_node_that_does_not_stop_is_left(node: FakeNode, machine: Machine) -> None:
    times = iter([*[100.0] * 6, *[100.1 + STOP_TIMEOUT_S] * 20])

    def clock() -> Now:
        machine.wakeup.ring()
        return Now(next(times), 5)

    runner = Runner(node, machine, clock)
    node.stops_at_once = False
    runner.ask_stop("signal")
    assert runner.run() == "signal"


def test_asking_twice_leaves_at_once(runner: Runner, node: FakeNode, machine: Machine) -> None:
    node.stops_at_once = False
    runner.ask_stop("first")
    runner.ask_stop("second")
    assert runner.run() == "first"
    assert node.stopped is None


def test_a_broken_invariant_ends_the_run_loudly(
    runner: Runner, node: FakeNode, machine: Machine
) -> None:
    node.effects += [CommitOps(Commit(1, [])), CommitOps(Commit(2, []))]
    with pytest.raises(Exception, match="in flight already"):
        runner.run()


def test_datagrams_are_handled_at_a_time_after_they_were_read(
    node: FakeNode, machine: Machine, peer: UdpSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = itertools.count(1)
    runner = Runner(node, machine, lambda: Now(next(readings) * 10.0, 5))
    read_at: list[Now] = []

    def receive(limit: int) -> list[tuple[bytes, tuple[str, int]]]:
        read_at.append(machine.now)
        return [(b"ping", peer.local)]

    monkeypatch.setattr(machine.udp, "receive", receive)
    peer.send([(b"ping", machine.udp.local)])
    wait_readable(machine.udp.fileno())
    runner.turn()
    assert node.nows == [machine.now]
    assert machine.now.mono_s > read_at[0].mono_s
