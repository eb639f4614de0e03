"""Two entries that turn out to be one peer, and rows that the store refuses."""

from typing import Any

import pytest

from chatnet_engine.ledger import people
from chatnet_engine.node.people.gate import Gate
from chatnet_engine.node.people.peers import Verdict
from chatnet_engine.node.recovery.restoring import Restoring
from chatnet_engine.secure.events import Authenticated
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import LinkState
from injection.scenario import B, World, link_count
from simworld.engine import SimEngine
from simworld.pair import A as PAIR_A
from simworld.pair import Pair

MOVED = ("10.0.0.77", 5077)


@pytest.fixture
def world() -> World:
    return World()


def move_b(world: World) -> None:
    """B is at another address now, under which A types it as a new peer."""
    world.b.crash()
    world.b.addr = MOVED
    world.at_a.ask(cmd.AddPeer(*MOVED, "typed anew"))
    world.run(0.5)
    assert listed(world) == [1, 2, 3]
    world.at_a.say("to the new entry", 3)
    world.run(0.5)
    world.b.up()


def listed(world: World) -> list[int]:
    assert world.at_a.view
    return [peer.info.peer for peer in world.at_a.view.peers]


def merged(world: World) -> bool:
    assert world.at_a.view
    first = world.at_a.view.peers[0]
    return listed(world) == [1, 2] and first.link.state == LinkState.UP and not first.waiting


def assert_merged(world: World) -> None:
    assert world.clock.run(world.clock.now_s + 120, lambda: merged(world)), listed(world)
    world.at_b.say("to the old entry")
    assert world.problems() == []
    assert world.texts(world.b, 1, mine=False) == ["to the new entry"]


def test_an_address_typed_anew_is_merged_into_the_peer_that_has_its_key(world: World) -> None:
    move_b(world)
    assert_merged(world)


def test_a_peer_that_called_takes_over_the_address_and_choice_of_the_entry_merged_into_it() -> None:
    pair = Pair(1, both_dial=False)
    pair.run(5)
    pair.at_b.ask(cmd.TrustPeer(1, "accept"))
    pair.run(1)
    assert pair.peer(pair.at_b).info.host == ""
    pair.a.crash()
    pair.at_b.ask(cmd.AddPeer(*PAIR_A, "typed"))
    pair.run(1)
    pair.at_b.ask(cmd.SetPeer(2, auto_accept_bytes=7))
    pair.run(1)
    pair.a.up()
    pair.run(30)
    assert pair.at_b.view
    (only,) = pair.at_b.view.peers
    assert (only.info.peer, only.info.host, only.info.port) == (1, *PAIR_A)
    assert (only.info.auto_accept_bytes, only.info.auto_accept_set) == (7, True)


def test_a_typed_peer_keeps_its_address_when_another_entry_is_merged_into_it(world: World) -> None:
    move_b(world)
    assert_merged(world)
    assert world.at_a.view
    info = world.at_a.view.peers[0].info
    assert (info.host, info.port) == B
    assert info.address == "10.0.0.77:5077"


@pytest.mark.parametrize(("owner", "name"), [(Restoring, "peer_removed"), (people, "forget")])
def test_a_merge_that_fails_half_way_is_done_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    before = link_count(world.at_a, 2)
    original = getattr(owner, name)

    def failing(*args: object, **kwargs: object) -> object:
        monkeypatch.setattr(owner, name, original)
        raise ZeroDivisionError("injected")

    monkeypatch.setattr(owner, name, failing)
    move_b(world)
    assert_merged(world)
    assert world.a.problems
    assert link_count(world.at_a, 2) == before


def test_a_stranger_whose_call_fails_costs_nobody_a_link(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = link_count(world.at_a, 1), link_count(world.at_a, 2)
    stranger = SimEngine(world.clock, world.network, "m", ("10.0.0.66", 6666))
    stranger.up()
    key, original = stranger.session().key, Gate.answer

    def failing(self: Gate, event: Authenticated, *args: Any) -> Verdict:
        if event.key != key:
            return original(self, event, *args)
        monkeypatch.setattr(Gate, "answer", original)
        raise ZeroDivisionError("injected")

    monkeypatch.setattr(Gate, "answer", failing)
    stranger.dial(world.a.addr)
    world.run(5)
    assert world.a.problems[0].startswith("contained: peer 0: ZeroDivisionError at ")
    assert (link_count(world.at_a, 1), link_count(world.at_a, 2)) == before
    assert world.clock.run(world.clock.now_s + 120, lambda: listed(world) == [1, 2, 3])


def test_a_change_to_a_peer_that_the_store_does_not_list_is_refused(world: World) -> None:
    world.a.connection.execute("UPDATE peers SET listed = 0 WHERE peer = 2")
    request = world.at_a.ask(cmd.SetPeer(2, name="Carol"))
    world.run(1)
    failure = world.at_a.replies[request].failure
    assert failure
    assert failure.code == ErrorCode.UNKNOWN_PEER
    assert failure.text == "Peer 2 is not in this session any more."


def test_a_change_to_a_peer_whose_key_another_one_has_is_taken_back(world: World) -> None:
    db = world.a.connection
    ((key,), (other,)) = db.execute("SELECT key FROM peers ORDER BY peer").fetchall()
    db.execute("UPDATE peers SET key = zeroblob(32) WHERE peer = 1")
    db.execute("UPDATE peers SET key = ? WHERE peer = 2", (key,))
    assert world.at_a.view
    name = world.at_a.view.peers[0].info.name
    request = world.at_a.ask(cmd.SetPeer(1, name="Bob"))
    world.run(1)
    failure = world.at_a.replies[request].failure
    assert failure
    assert failure.code == ErrorCode.NOT_ALLOWED
    assert failure.text.startswith("That key is ")
    row = world.a.node.peers.get(1)
    assert row
    assert row.name == name
    assert other != key
