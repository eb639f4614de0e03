"""Hostile peers and changing acquaintances in simulated worlds, and what judges them."""

from random import Random

from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import LinkState
from chatnet_protocol.limits import MAX_TEXT_BYTES
from checker.verdict import check
from simulate.acquaintances import Acquaintances
from simulate.hostile_world import Mallory
from simulate.kinds import Kind
from simulate.world import World, public_key
from simworld.footprint import footprint_bytes
from simworld.pair import Pair

SETTLED_S = 120.0


def test_a_hostile_peer_is_linked_and_an_honest_one_beside_it_is_not_disturbed() -> None:
    world = World(1, kind=Kind(turn_s=0.02, hostile=True, calm=True))
    world.begin()
    a, b = world.engines
    mallory = Mallory(world, Random(1), a)
    for number in range(20):
        a.clients[0].say(f"to b {number}")
        b.clients[0].say(f"to a {number}")
        world.run(0.5)
    shown = world.peer(a.clients[0], b)
    assert shown
    assert (shown.link.state, shown.link.links) == (LinkState.UP, 1)
    assert mallory.peer.counts["Payload"] > 50
    mallory.end()
    assert mallory.problems() == []
    assert mallory.most_bytes > 0
    assert world.clock.run(world.clock.now_s + SETTLED_S, world.at_rest)
    assert check(world.evidence()) == []
    assert world.counts["hostile payload"] == mallory.peer.counts["Payload"]


def test_memory_that_an_engine_keeps_is_seen() -> None:
    pair = Pair(2)
    pair.run(2)
    before = footprint_bytes(pair.a.node)
    pair.a.node.turn.effects.append([bytes(1 << 20)])  # type: ignore[arg-type]
    assert footprint_bytes(pair.a.node) - before > 1 << 20


def test_who_was_removed_and_who_got_an_address_of_another_is_known_again_in_the_end() -> None:
    world = World(3, 3, kind=Kind(peers_change=True))
    world.begin()
    world.run(5)
    a, b, c = world.engines
    people = Acquaintances(world, Random(3), world.clock.now_s)
    assert people.acquainted()
    client = a.clients[0]
    client.say("before", 1)
    world.run(2)
    known = world.peer(client, b)
    assert known
    client.ask(cmd.RemovePeer(known.info.peer))
    world.run(1)
    assert world.peer(client, b) is None
    world.swap(b, c)
    world.run(5)
    world.everybody_home()
    people.make_up()
    assert world.clock.run(world.clock.now_s + 240, people.acquainted)
    again = world.peer(client, b)
    assert again
    assert again.info.peer != known.info.peer
    client.say("after", again.info.peer)
    assert world.clock.run(world.clock.now_s + SETTLED_S, world.at_rest)
    assert check(world.evidence()) == []


def test_what_both_sides_lost_and_one_sends_again_comes_behind_what_was_sent_since() -> None:
    world = World(4)
    world.begin()
    world.run(2)
    a, b = world.engines
    world.back_up(a)
    a.crash()
    author = b.clients[0]
    author.say("one")
    author.say("2" * MAX_TEXT_BYTES)
    world.run(1)
    world.back_up(b)
    a.up()

    def half_delivered() -> bool:
        shown = world.peer(author, a)
        return shown is not None and shown.waiting == 1

    assert world.clock.run(world.clock.now_s + 60, half_delivered)
    world.lose(a, world.backups["a"][0])
    world.up(a)
    assert world.clock.run(world.clock.now_s + 60, world.at_rest)
    world.lose(b, world.backups["b"][0])
    world.up(b)
    assert world.clock.run(world.clock.now_s + 60, world.at_rest)
    world.run(2)
    reader = world.evidence()[0]
    assert [len(m.body) for m in reader.now.got(public_key(b))] == [MAX_TEXT_BYTES, 3]
    assert check(world.evidence()) == []
