"""What node and ledger hand to each other between threads: values that nobody changes."""

import copy
from typing import get_args

import pytest

from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import restores as cr
from chatnet_engine.store_ops import settings as cs
from chatnet_protocol.ipc.reasons import TransferReason, reason
from chatnet_protocol.ipc.rows import AckRange, MessageRow, PeerRow, TransferRow
from chatnet_protocol.wire.frames import Receipt

ID = b"i" * 16
MESSAGE = MessageRow(3, ID, True, 1, b"body", 4, 5, 6, 7, "", 8, 3, "failed")
PEER = PeerRow(1, "name", "host", 2, b"k" * 32, "pinned", "shown", "a:1", "123", b"o", 9)
WHY = reason(TransferReason.UNWRITABLE, "/p", "busy")
TRANSFER = TransferRow(ID, 1, 3, False, "active", "f", 1, 20, 10, "me", WHY, "/p", 99)
STATE = c.PeerState(1, 2**64 - 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, "draft", 14, b"line")
STORED = c.StoredTransfer(TRANSFER, b"private")
BACK = cr.RestoredMessage(False, ID, 2, 8, 4, 5, 6, b"body", STORED)
RESTORE = cr.RestoreState(1, "running", 7, 9, ID, 2, "asked", 8)

OPS: list[c.Op] = [
    c.QueueMessages(1, [c.NewMessage(ID, 1, b"body", 4, 2)], 5, True),
    c.AcceptMessages(1, 2**64 - 1, 3, [c.Message(1, ID, 8, 4, b"body")], "a:1", 5),
    c.StoreReceipts(1, [AckRange(6, 7, 2)]),
    c.LoadOutbox(1, 6, 1000, 10),
    c.ApplyHello(1, 2**64 - 1, 2, 3, 4, 5, "shown"),
    c.StoreMarks(1, 2, 3, 4, 5, 6),
    c.StoreLine(1, b"line"),
    c.StoreDraft(1, "draft", 14),
    c.FailMessage(1, 6, "why"),
    c.StorePeer(PEER),
    c.ForgetPeer(1, 2),
    c.LoadPeer(1, 3, 6),
    c.StoreTransfer(TRANSFER, b"private"),
    c.LoadTransfers([ID]),
    cs.StoreSettings("Ann", "Anna", "/inbox"),
    cs.StoreSettings(None, "", None, 20_000, 5),
    cs.StoreDisplayName(1, "Bob"),
    c.FindFolder(ID, 1, "plans"),
    c.ListReceived(9),
    cr.StoreRestoreRequest(1, 2**62 - 1, "asking"),
    cr.StorePeerRestoreRequest(1, 2**62 - 1, "giving"),
    cr.PutBack(1, 7, 3, 9, ID, True, [BACK], "a:1"),
]
RESULTS: list[c.OpResult] = [
    c.MessagesQueued(1, [MESSAGE], [(ID, 3, 6)], 2),
    c.MessagesAccepted(1, [MESSAGE], [Receipt(3, 7, 2)], 3),
    c.ReceiptsStored(1, 6, 7, [AckRange(6, 7, 2)]),
    c.OutboxPage(1, [c.OutboxRow(6, c.Message(1, ID, 8, 4, b"body"))], True),
    c.HelloApplied(1, 3, [Receipt(3, 7, 2)], 1, 2, STATE, 6, 7, 8, RESTORE),
    c.MarksStored(1, True, 2, 3, 4, 5, 6),
    c.LineStored(1, b"line"),
    c.DraftStored(1, False, 14, "draft"),
    c.MessageFailedStored(1, 3, "why", 6),
    c.PeerStored(PEER, STATE),
    c.PeerForgotten(1, 2, STATE, [MESSAGE], 6),
    c.PeerLoaded(
        1, PEER, STATE, [MESSAGE], [AckRange(6, 7, 2)], [MESSAGE], RESTORE, [STORED], [MESSAGE]
    ),
    c.TransferStored(TRANSFER),
    c.TransfersLoaded([c.StoredTransfer(TRANSFER, b"private", 6)]),
    cs.SettingsStored(),
    cs.DisplayNameStored(1, "Bob"),
    c.FolderFound(STORED, bytes(64)),
    c.ReceivedListed([(ID, b"private")], 9),
    cr.RestoreStored(1, RESTORE),
    cr.MessagesPutBack(1, [MESSAGE], [MESSAGE], [MESSAGE], [STORED], RESTORE, 8, 9, 10, 11, 12),
]


def test_the_samples_cover_every_operation_and_result() -> None:
    assert {type(op) for op in OPS} == set(get_args(c.Op))
    assert {type(result) for result in RESULTS} == set(get_args(c.OpResult))


@pytest.mark.parametrize("value", [c.Commit(7, OPS), c.Committed(7, RESULTS)])
def test_operations_and_results_are_compared_by_value(value: c.Commit | c.Committed) -> None:
    again = copy.deepcopy(value)
    assert again == value
    assert again is not value


def test_nothing_of_an_operation_can_be_set_after_it_was_handed_over() -> None:
    for value in (*OPS, *RESULTS):
        with pytest.raises(AttributeError, match="immutable"):
            value.peer = 2  # type: ignore[misc, union-attr]
