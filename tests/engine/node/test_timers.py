"""When a node has something to do, and what asking for it costs."""

from collections.abc import Callable
from typing import cast

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.node.containment import Containment
from chatnet_engine.node.due_peers import DuePeers
from chatnet_engine.node.subject import Subject
from chatnet_engine.node.timers import SharedTimer, Timers
from chatnet_protocol.limits import CLIENT_TIMEOUT_S, MAX_CLIENTS
from hostile.cost import Steps
from simworld.pair import Pair

NOW = Now(10.0, 1)


class Uncontained:
    """Calls at once."""

    def peer(self, peer: int, now: Now, act: Callable[[], None]) -> bool:
        act()
        return True


class Timed(Subject):
    """A subject of whose peers something is due."""

    def __init__(self) -> None:
        super().__init__()
        self.dues: dict[int, float] = {}
        self.handled: list[int] = []

    def handle_due(self, peer: int, now: Now) -> None:
        self.handled.append(peer)
        self.dues.pop(peer, None)

    def due_of(self, peer: int) -> float | None:
        return self.dues.get(peer)


class Table:
    """A table with two shared timers and two subjects."""

    def __init__(self) -> None:
        self.dues: list[float | None] = [None, None]
        self.called: list[str] = []
        self.first, self.second = Timed(), Timed()
        self.peers = DuePeers()
        shared = (
            SharedTimer(lambda: self.dues[0], lambda now: self.called.append("shared")),
            SharedTimer(lambda: self.dues[1]),
        )
        contained = cast(Containment, Uncontained())
        subjects = (self.first, Subject(), self.second)
        self.timers = Timers(shared, subjects, self.peers, contained)


def test_everything_shared_is_due_before_the_first_turn() -> None:
    table = Table()
    assert table.timers.next_timeout() == float("-inf")
    table.timers.handle_timeout(NOW)
    assert table.called == ["shared"]


def test_the_first_deadline_of_all_is_next_and_only_what_is_due_is_handled() -> None:
    table = Table()
    table.dues = [12.0, 11.5]
    table.first.dues, table.second.dues = {1: 11.0, 2: 13.0}, {2: 12.5}
    table.timers.put([1, 2], NOW)
    assert table.timers.next_timeout() == 11.0
    table.timers.handle_timeout(Now(11.0, 1))
    assert (table.called, table.first.handled, table.second.handled) == ([], [1], [1])
    table.peers.served(1)
    table.timers.put([1], Now(11.0, 1))
    assert table.timers.next_timeout() == 11.5
    table.timers.handle_timeout(Now(12.0, 1))
    assert (table.called, table.first.handled) == (["shared"], [1])
    assert table.peers.due_of(2) == table.timers.due_of(2) == 12.5


def test_deadlines_are_looked_up_once_when_a_turn_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table()
    asked: list[int] = []
    monkeypatch.setattr(table.first, "due_of", asked.append)
    table.peers.touch(1)
    table.timers.put([], NOW)  # peer 1 was not served yet
    table.peers.served(1)
    table.timers.put([1], NOW)
    assert asked == []
    assert table.timers.next_timeout() is None
    table.timers.handle_timeout(NOW)
    assert asked == [1]


def test_what_is_due_is_handled_whether_or_not_it_was_asked_for() -> None:
    table = Table()
    table.first.dues = {1: 11.0}
    table.timers.put([1], NOW)
    table.timers.handle_timeout(Now(11.0, 1))
    assert table.first.handled == [1]


def test_nothing_is_due_when_nobody_has_a_deadline() -> None:
    table = Table()
    table.timers.put([7], NOW)
    assert table.timers.next_timeout() is None
    assert table.timers.due_of(7) is None


def test_a_peer_touched_while_others_were_served_is_due_at_once() -> None:
    table = Table()
    table.peers.touch(3)
    table.timers.put([], NOW)
    assert table.timers.next_timeout() == NOW.mono_s


def test_every_subject_with_deadlines_of_peers_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Pair(1).a.node
    timed = [one for one in node.subjects if "due_of" in vars(type(one))]
    assert len(timed) == 4
    for number, subject in enumerate(timed):
        monkeypatch.setattr(subject, "due_of", lambda peer, number=number: -1.0 - number)
        assert node.timers.due_of(1) == -1.0 - number


def test_in_a_stop_only_what_is_shared_is_due() -> None:
    table = Table()
    table.first.dues = {1: 11.0}
    table.dues = [None, 12.0]
    table.timers.stop_peers()
    table.timers.put([1], NOW)
    assert table.timers.next_timeout() == 12.0


@pytest.mark.parametrize("in_a_turn", [False, True])
def test_the_next_deadline_costs_the_same_beside_as_many_clients_as_there_can_be(
    in_a_turn: bool,
) -> None:
    counts = []
    for clients in (1, MAX_CLIENTS):
        pair = Pair(1)
        pair.run(5)
        for number in range(1, clients):
            pair.a.attach(f"front end {number}")
        pair.run(0.5)
        node, now = pair.a.node, pair.a.now
        assert len(node.front_ends.clients) == clients
        with Steps() as steps:
            node.next_timeout()
            if in_a_turn:
                list(node.take_effects(now))
                node.next_timeout()
        counts.append(steps.count)
    few, many = counts
    assert few > 0
    assert many <= few + 2


def test_clients_that_keep_asking_are_looked_at_once_a_timeout() -> None:
    pair = Pair(1)
    pair.run(1)
    clients, dues = pair.a.node.front_ends.clients, set()
    for _ in range(30):
        pair.run(1)
        dues.add(clients.next_timeout())
    assert len(dues) <= 30 / (CLIENT_TIMEOUT_S - 5) + 1
    assert len(clients) == 1
