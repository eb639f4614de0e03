"""Engines that are wrong about what happens when handling something raises."""

from collections.abc import Callable
from typing import Any

from chatnet_engine.files.outputs import Outputs
from chatnet_engine.files.table import TransferTable
from chatnet_engine.files.transfer import Transfer
from chatnet_engine.files.transfers import Transfers
from chatnet_engine.node.commits import CommitQueue
from chatnet_engine.node.containment import Containment
from chatnet_engine.node.publisher import Publisher
from chatnet_engine.node.reloading import Reloading
from chatnet_engine.node.transfers.file_transfers import FileTransfers
from chatnet_engine.secure.incarnations import Incarnations
from simulate.mutant import Patches, noticed_by, noticed_in, swap

CONTAINMENT = "tests/engine/node/test_containment.py::"


@noticed_in("engines with bugs")
def nothing_is_contained() -> Patches:
    """What handling one peer raises ends the engine."""

    def bare(self: Containment, act: Callable[[], None], *, keep: bool = False) -> None:
        act()

    return [swap(Containment, "_unit", bare)]


@noticed_by(
    "tests/engine/node/test_reloading.py::"
    "test_of_two_texts_at_once_the_one_that_fails_is_taken_back_alone"
)
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
        swap(Reloading, "read_peer", lambda self, peer: None),
        swap(FileTransfers, "read_again", lambda self, ids: None),
    ]


@noticed_by(CONTAINMENT + "test_what_a_unit_that_raises_was_to_say_is_not_said")
def half_of_it_is_said() -> Patches:
    """What was to leave for the peer and the file process before it raised does."""
    return [swap(Outputs, "roll_back", lambda self, mark: None)]


@noticed_by(CONTAINMENT + "test_a_file_process_that_listens_is_used_even_if_its_report_raised")
def a_report_is_handled_once() -> Patches:
    """That the file process listens is forgotten when handling it raises."""
    return [swap(Transfers, "handle_lost_report", lambda self, frame: [])]


@noticed_by(
    CONTAINMENT + "test_one_transfer_that_raises_when_files_are_ready_costs_the_others_nothing"
)
def one_transfer_is_all_of_them() -> Patches:
    """All transfers are read again because of one."""

    def guarded(
        self: TransferTable, transfer_id: bytes, peer: int, act: Callable[[], None]
    ) -> None:
        try:
            act()
        except Exception:  # noqa: BLE001
            for one in self.ids_of():
                self._failed[one] = (self.peer_of(one), "one of them")
            self.throw_away(self.ids_of())

    return [swap(TransferTable, "_guarded", guarded)]


@noticed_by("tests/engine/files/test_rereading.py::" + (
    "test_a_change_stores_how_far_it_is_and_not_the_files_again"
))  # fmt: skip
def the_files_are_stored_each_time() -> Patches:
    """A change of a transfer stores its listing again."""
    take = Transfer.take_store

    def taken(self: Transfer) -> Any:
        self.listing_stored = False
        return take(self)

    return [swap(Transfer, "take_store", taken)]


@noticed_by("tests/engine/secure/test_incarnations.py::" + (
    "test_a_link_that_ended_is_new_for_both_and_the_others_go_on"
))  # fmt: skip
def one_incarnation_for_all() -> Patches:
    """A link that must not go on makes the links of all keys begin anew."""

    def renew(self: Incarnations, key: bytes, addrs: object) -> None:
        self.first = self._draw()

    return [swap(Incarnations, "renew", renew)]
