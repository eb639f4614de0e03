"""A link that must not go on is made anew, and only that one: the incarnation is the key's own."""

import random

import pytest

from chatnet_engine.secure import incarnations
from chatnet_engine.secure.events import Authenticated, LinkUp
from chatnet_engine.secure.incarnations import Incarnations
from simworld.secure_world import A, B, Node, World, agreed

C = ("10.0.0.3", 1003)
KEY, OTHER = b"k" * 32, b"o" * 32


class Three:
    """A with a link to B (its peer 1) and one to C (its peer 2), who call it."""

    def __init__(self) -> None:
        self.world = World(3)
        self.a = self.world.add("a", A)
        self.b, self.c = self.world.add("b", B), self.world.add("c", C)
        self.a.decide = self.who
        for node in (self.b, self.c):
            node.dial(1, A)
        assert self.world.run(5, lambda: agreed(self.a, self.b) and self.with_c())
        self.world.run(1)

    def who(self, event: Authenticated) -> int:
        return 1 if event.key == self.b.identity.public else 2

    def with_c(self) -> bool:
        current = self.a.current(2)
        return current is not None and current == self.c.current(1)

    def rehandshake(self, node: Node, peer: int) -> None:
        node.endpoint.rehandshake(peer, self.world.now)
        node.flush()

    def end(self, *, known: bool) -> None:
        """A ends its link to B, who may get to know."""
        self.a.endpoint.end_link(1, self.world.now)
        self.a.peers[1].link = None
        if known:
            self.b.endpoint.end_link(1, self.world.now, by_peer=True)
            self.b.peers[1].link = None
            self.b.flush()
        else:
            self.rehandshake(self.b, 1)


def links(node: Node, peer: int) -> list[bool]:
    """Of each session that came up: whether it continued the link."""
    return [e.rekey for e in node.events if isinstance(e, LinkUp) and e.peer == peer]


@pytest.mark.parametrize("known", [True, False])
def test_a_link_that_ended_is_new_for_both_and_the_others_go_on(known: bool) -> None:
    three = Three()
    three.end(known=known)
    assert three.world.run(5, lambda: agreed(three.a, three.b))
    for node, peer in ((three.a, 2), (three.c, 1)):
        three.rehandshake(node, peer)
        three.world.run(2)
    assert three.with_c()
    assert links(three.a, 1) == links(three.b, 1) == [False, False]
    assert links(three.a, 2) == links(three.c, 1) == [False, True, True]


def test_the_side_that_ended_it_may_dial() -> None:
    three = Three()
    three.a.endpoint.hang_up(1)
    three.a.peers[1].link = None
    three.a.dial(1, B)
    assert three.world.run(5, lambda: agreed(three.a, three.b))
    three.rehandshake(three.c, 1)
    three.world.run(2)
    assert links(three.b, 1) == [False, False]
    assert links(three.c, 1) == [False, True]


def test_a_link_that_is_over_already_can_be_ended_once_more() -> None:
    """Both ends begin anew in memory; the first end is known to the peer, the second is not."""
    three = Three()
    three.end(known=True)
    first = three.a.endpoint.incarnation(three.b.identity.public)
    three.a.endpoint.end_link(1, three.world.now)
    assert three.a.endpoint.incarnation(three.b.identity.public) != first


def test_one_that_comes_back_from_elsewhere_is_answered_right_at_the_second_try() -> None:
    """Nobody can know who asks from a new address: the answer there is everybody's."""
    three = Three()
    three.end(known=True)
    assert three.world.run(5, lambda: agreed(three.a, three.b))
    three.world.move(three.b, ("10.9.9.9", 9))
    first = three.b.endpoint.counters.inits_sent
    three.rehandshake(three.b, 1)
    three.world.run(20)
    assert agreed(three.a, three.b)
    assert three.a.endpoint.counters.dropped_stale == 1
    assert three.b.endpoint.counters.inits_sent == first + 2
    assert links(three.a, 1) == [False, False, True]


def test_of_many_renewed_keys_each_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than there may be draws everybody's anew, which is as good and costs more."""
    monkeypatch.setattr(incarnations, "MAX_RENEWED", 3)
    table = Incarnations(7, random.Random(1).randbytes)
    keys = [bytes([number]) * 32 for number in range(3)]
    for key in keys:
        table.renew(key, [A])
    own = [table.of(key) for key in keys]
    assert len({*own, 7}) == 4
    assert table.of(OTHER) == table.first == 7
    table.renew(keys[0], [])
    assert table.of(keys[0]) != own[0]
    assert [table.of(key) for key in keys[1:]] == own[1:]
    table.renew(OTHER, [A])
    assert table.first != 7
    assert {table.of(key) for key in (*keys, OTHER)} == {table.first} == {table.at(A)}


def test_the_newest_addresses_of_a_renewed_key_are_known() -> None:
    table = Incarnations(7, random.Random(1).randbytes)
    table.expect(KEY, A)
    assert table.at(A) == 7, "nothing is kept of the others"
    table.renew(KEY, [A])
    assert table.at(A) == table.of(KEY) != 7
    table.expect(KEY, B)
    table.expect(KEY, A)
    table.expect(KEY, C)
    assert table.at(B) == 7
    assert table.at(A) == table.at(C) == table.of(KEY)
    table.renew(OTHER, [A])
    table.expect(KEY, B)
    assert table.at(A) == table.of(OTHER), "an address is of whom it was last"
    table.expect(KEY, C)


def test_an_address_that_now_belongs_to_another_key_is_answered_with_everybodys() -> None:
    """A key that was never ended takes over the address of one that was."""
    table = Incarnations(7, random.Random(1).randbytes)
    table.renew(KEY, [A, B])
    assert not table.confirm(OTHER, table.of(KEY), A), "this answer was for the other one"
    assert table.at(A) == 7
    assert table.confirm(OTHER, 7, A)
    assert table.at(B) == table.of(KEY)
    table.expect(KEY, A)
    assert table.at(A) == table.of(KEY)


def test_peers_that_change_addresses_get_through_to_one_that_ended_a_link() -> None:
    three = Three()
    three.end(known=True)
    assert three.world.run(5, lambda: agreed(three.a, three.b))
    three.world.move(three.b, ("10.9.9.9", 9))
    three.rehandshake(three.b, 1)
    three.world.run(5)
    three.world.move(three.c, B)
    three.rehandshake(three.c, 1)
    three.world.run(20)
    assert three.with_c()
    assert links(three.a, 2) == [False, True]
