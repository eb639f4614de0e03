"""A turn goes on with the store's answer, unless something else arrives or is due."""

import math
import select
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.io import runner as runner_module
from chatnet_engine.io.clock import read_now
from chatnet_engine.io.machine import Machine
from chatnet_engine.io.runner import Runner
from chatnet_engine.io.store import Store
from chatnet_engine.io.udp import UdpSocket
from chatnet_engine.node.effects import CommitOps, Effect
from chatnet_engine.store_ops.commit import Commit, Committed
from io_parts import FakeNode


class PromptStore:
    """Answers while the transaction is asked for, as far as the event loop can see."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._answers: list[Committed] = []

    @property
    def idle(self) -> bool:
        return not self._answers

    def commit(self, commit: Commit) -> None:
        self._answers.append(Committed(commit.number, []))
        self._ring()

    def take_answers(self) -> list[Committed]:
        answers, self._answers = self._answers, []
        return answers

    def stop(self) -> bool:
        return True


@pytest.fixture
def prompt_store(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(runner_module, "STORE_WAIT_MS", 0)
    monkeypatch.setattr(Machine, "next_timeout", lambda machine: math.inf)
    real, machine.store = machine.store, cast(Store, PromptStore(machine.wakeup.ring))
    yield
    machine.store = real


@pytest.mark.usefixtures("prompt_store")
def test_a_turn_goes_on_with_the_answer_of_the_store(
    runner: Runner, node: FakeNode, machine: Machine
) -> None:
    node.effects.append(CommitOps(Commit(1, [])))
    machine.wakeup.ring()
    runner.turn()
    assert node.results == [Committed(1, [])]


@pytest.mark.usefixtures("prompt_store")
def test_a_turn_ends_when_something_is_due(runner: Runner, node: FakeNode) -> None:
    node.effects.append(CommitOps(Commit(1, [])))
    node.due_s = read_now().mono_s
    runner.turn()
    assert node.results == []
    runner.turn()
    assert node.results == [Committed(1, [])]


@pytest.mark.usefixtures("prompt_store")
def test_a_turn_ends_when_something_else_arrives(
    runner: Runner,
    node: FakeNode,
    machine: Machine,
    peer: UdpSocket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def arrive(now: Now) -> list[Effect]:
        monkeypatch.undo()
        peer.send([(b"x", machine.udp.local)])
        assert select.select([machine.udp.fileno()], [], [], 60.0)[0]
        return [CommitOps(Commit(1, []))]

    monkeypatch.setattr(node, "take_effects", arrive)
    machine.wakeup.ring()
    runner.turn()
    assert node.results == []
    runner.turn()
    assert (node.results, len(node.datagrams)) == ([Committed(1, [])], 1)
