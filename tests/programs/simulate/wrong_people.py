"""Engines that are wrong about who the peers are."""

from typing import Any

from chatnet_engine.ledger import outgoing, people
from chatnet_engine.node.node import Node
from chatnet_engine.node.people.peers import Peers
from chatnet_engine.node.people.people import People
from chatnet_engine.store_ops import commit as c
from simulate.mutant import Patches, noticed_in, swap


@noticed_in("people change peers")
def keys_are_taken_after_what_came_with_them() -> Patches:
    """A HELLO that comes in one turn with its key is stored before the key is."""

    def late(self: Node, now: Any) -> None:
        touched, _ = self.traffic.handle_events(now)
        for peer in touched:
            self._hand_over(peer, now)
        for verdict, event in self.gate.take_verdicts():
            self.people.handle_verdict(verdict, event)
        self._end_links(now)

    return [swap(Node, "_after_endpoint", late)]


@noticed_in("turns of")
def a_used_id_is_said_to_be_queued() -> Patches:
    """Another text under the id of one in the history is thrown away, and counts as queued."""
    return [swap(outgoing, "_is_repeated", lambda db, peer, row: True)]


@noticed_in("people change peers")
def a_key_is_taken_without_a_look_at_the_others() -> Patches:
    """What is offered replaces the key of one row, whoever else has it."""
    return [swap(People, "_check_key_is_free", lambda self, row, key: None)]


@noticed_in("people change peers")
def a_removed_peer_is_changed_until_that_is_stored() -> Patches:
    """Its removal is asked of the store, and nothing else happens; the store takes what comes."""

    def only_ask(self: People, peer: int, into: int = 0, reply_to: Any = None) -> None:
        self._turn.commits.add(c.ForgetPeer(peer, into), reply_to)

    return [
        swap(People, "_forget", only_ask),
        swap(people, "_is_listed", lambda db, peer: True),
    ]


@noticed_in("people change peers")
def a_removed_peer_keeps_its_link() -> Patches:
    """It is gone from the list, and still talks."""

    def leave(self: People, peer: int, into: int = 0, reply_to: Any = None) -> None:
        self._peers.retire(peer)
        self._turn.commits.add(c.ForgetPeer(peer, into), reply_to)

    return [swap(People, "_forget", leave)]


@noticed_in("people change peers")
def a_key_that_comes_back_is_somebody_else() -> Patches:
    """What was counted with the key of a removed peer is forgotten."""
    return [swap(people, "_holder", lambda db, row: None)]


@noticed_in("people change peers")
def a_caller_is_whoever_is_typed_there() -> Patches:
    """A known key that calls from somebody else's address is merged with that one."""
    judge = Peers.judge_caller

    def by_address(self: Peers, key: bytes, addr: Any, claimed_port: int, typed: Any) -> Any:
        verdict = judge(self, key, addr, claimed_port, typed)
        row = self.typed_at(*addr)
        if row and row.key and row.key != key:
            return type(verdict)(type(verdict.meaning).KNOWN, row.peer)
        return verdict

    return [swap(Peers, "judge_caller", by_address)]
