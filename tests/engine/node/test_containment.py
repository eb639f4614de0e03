"""What the engine does when handling one peer, command or transfer raises: that ends, no more."""

import random
from typing import Any

import pytest

from chatnet_engine.files import offering
from chatnet_engine.ledger import ledger, people
from chatnet_engine.node.messaging.conversation import Conversation
from chatnet_engine.node.people import people as subject
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.reasons import LinkReason, reason
from chatnet_protocol.ipc.rows import LinkState
from injection import files, scenario
from injection.scenario import World, inject, link_count, points

SAMPLE = 14
"""Statements of some 800; `scripts/inject` does all."""
FILES_SAMPLE = 4
"""Of some 650 of the transfers."""


def fail_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, times: int = 1) -> None:
    original = getattr(owner, name)
    left = [times]

    def failing(*args: Any, **kwargs: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise ZeroDivisionError("injected")
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, failing)


def test_an_exception_at_any_statement_is_contained() -> None:
    every = points(World, scenario.HANDLERS)
    for point in random.Random(29).sample(every, SAMPLE):
        assert inject(point, World) == [], point


def test_an_exception_at_any_statement_of_the_transfers_is_contained() -> None:
    """Every offer ends alike on both sides, and arrives once."""
    every = points(files.FilesWorld, files.HANDLERS)
    for point in random.Random(29).sample(every, FILES_SAMPLE):
        assert inject(point, files.FilesWorld) == [], point


def test_an_offer_whose_transfer_was_never_stored_becomes_one_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = files.FilesWorld()
    fail_once(monkeypatch, world.a.node._parts.transfers, "take_stores")
    world.offer(world.at_b, "auto")
    world.run(5.0)
    assert world.transfers(world.a) == world.transfers(world.b) == {"auto": "done"}


def test_an_offer_that_could_not_be_made_is_none_until_it_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = files.FilesWorld()
    fail_once(monkeypatch, offering, "new_detail")
    world.offer(world.at_a, "sent")
    world.run(0.5)
    world.offer(world.at_a, "sent")
    world.run(1.0)
    assert world.transfers(world.a) == world.transfers(world.b) == {}
    world.run(65.0)
    world.offer(world.at_a, "sent")
    world.run(5.0)
    assert world.transfers(world.a) == world.transfers(world.b) == {"sent": "done"}


def test_a_peer_whose_input_raises_is_told_apart_and_linked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    before = link_count(world.at_a, 2)
    fail_once(monkeypatch, Conversation, "_arrived")
    world.at_b.say("it is said again")
    world.run(0.5)
    assert world.at_a.view
    shown = world.at_a.view.peers[0].link
    assert shown.state == LinkState.REFUSED
    assert shown.reason == reason(LinkReason.ENGINE_FAILED)
    [notice] = world.notices()
    assert (notice.level, notice.peer) == ("error", 1)
    assert notice.params == ["1"]
    assert world.a.problems[0].startswith("contained: peer 1: ZeroDivisionError at ")
    assert "injected" not in world.a.problems[0]  # messages may hold what people wrote
    assert world.problems() == []
    assert link_count(world.at_a, 2) == before


def test_the_pause_doubles_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    fail_once(monkeypatch, Conversation, "_arrived", times=4)
    world.at_b.say("again and again")
    world.run(90)
    pauses = [notice.params[0] for notice in world.notices()]
    assert pauses == ["1", "2", "4", "8"]
    assert world.problems() == []


def test_a_command_that_raises_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    fail_once(monkeypatch, subject, "_name")
    request = world.at_a.ask(cmd.SetPeer(1, name="Bob"))
    other = world.at_a.ask(cmd.SetPeer(2, name="Carol"))
    world.run(0.5)
    failure = world.at_a.replies[request].failure
    assert failure
    assert failure.code == ErrorCode.INTERNAL
    assert world.at_a.replies[other].failure is None
    assert world.problems() == []


def test_an_operation_that_raises_in_the_store_costs_its_peer_the_link_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    before = link_count(world.at_a, 2)
    fail_once(monkeypatch, ledger.incoming, "accept")
    world.at_b.say("committed at the second try")
    world.at_c.say("committed beside it")
    world.run(0.5)
    assert len(world.a.problems) == 1
    assert world.problems() == []
    assert link_count(world.at_a, 2) == before


def test_a_removal_that_raises_in_the_store_leaves_the_peer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    fail_once(monkeypatch, people, "forget")
    request = world.at_a.ask(cmd.RemovePeer(1))
    world.run(0.5)
    failure = world.at_a.replies[request].failure
    assert failure
    assert failure.code == ErrorCode.INTERNAL
    world.at_b.say("still here")
    assert world.problems() == []


def test_a_peer_that_cannot_be_read_is_read_again_with_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    before = link_count(world.at_a, 2)
    fail_once(monkeypatch, Conversation, "_arrived")
    fail_once(monkeypatch, ledger.reload, "load_peer", times=3)
    world.at_b.say("taken in when the store gives the peer again")
    world.run(1.5)
    assert world.at_a.view.peers[0].link.reason == reason(LinkReason.UNREADABLE)
    world.run(5.0)  # the first pause is for the link, the next ones for reading
    pauses = [notice.params[0] for notice in world.notices()]
    assert pauses == ["1", "2", "4", "8"]
    assert world.texts(world.a, 1, mine=False) == []
    assert world.problems() == []
    assert world.texts(world.a, 1, mine=False) == ["taken in when the store gives the peer again"]
    assert link_count(world.at_a, 2) == before


def test_without_containment_an_exception_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.a.crash()
    world.a.contain = False
    world.a.up()
    world.run(3)
    fail_once(monkeypatch, Conversation, "_arrived")
    world.at_b.say("as in every other test")
    with pytest.raises(ZeroDivisionError):
        world.run(1)
