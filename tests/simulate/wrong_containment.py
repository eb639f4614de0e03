"""Engines that are wrong about what happens when handling something raises."""

from collections.abc import Callable

from chatnet_engine.node import containment, reloading
from chatnet_engine.node.commits import CommitQueue
from chatnet_engine.node.containment import Containment
from chatnet_engine.node.publisher import Publisher
from simulate.mutant import Patches, noticed_in, swap


@noticed_in("engines with bugs")
def nothing_is_contained() -> Patches:
    """What handling one peer raises ends the engine."""

    def bare(self: Containment, act: Callable[[], None]) -> None:
        act()

    return [swap(Containment, "_unit", bare)]


@noticed_in("engines with bugs")
def half_of_it_is_committed() -> Patches:
    """What was asked to be stored before it raised is stored."""
    return [swap(CommitQueue, "roll_back", lambda self: None)]


@noticed_in("engines with bugs")
def half_of_it_is_published() -> Patches:
    """What was to be told before it raised is told."""
    return [swap(Publisher, "roll_back", lambda self: self.settle())]


@noticed_in("engines with bugs")
def memory_stays_as_it_was() -> Patches:
    """The peer about which something raised is not read again."""
    return [
        swap(reloading, "read_peer", lambda parts, peer: None),
        swap(containment.reloading, "read_transfers", lambda parts, ids: None),
    ]
