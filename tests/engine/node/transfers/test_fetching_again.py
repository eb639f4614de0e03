"""Accepting what has ended, on whole engines: from memory, from the store, and refused."""

import pytest

from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import TransferState
from simworld.file_pair import OFFER, FilePair

OTHER = b"other".rjust(16)


def fetched(pair: FilePair) -> int:
    """How many files have landed."""
    assert pair.b.files
    return len(pair.b.files.process.disk)


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> FilePair:
    """One transfer has left the memory of both sides, another has not."""
    monkeypatch.setattr("chatnet_engine.files.table.MAX_VIEW_TRANSFERS", 1)
    pair = FilePair(3)
    pair.offer()
    pair.run(5)
    pair.offer(transfer_id=OTHER)
    pair.run(5)
    assert fetched(pair) == 2
    return pair


@pytest.mark.parametrize("transfer_id", [OFFER, OTHER])
def test_an_ended_transfer_is_fetched_again_wherever_it_is_kept(
    pair: FilePair, transfer_id: bytes
) -> None:
    request = pair.at_b.ask(cmd.AcceptTransfer(transfer_id))
    pair.run(5)
    assert pair.at_b.replies[request].result == cmd.Done()
    assert fetched(pair) == 3
    for client in (pair.at_a, pair.at_b):
        assert client.view
        row = client.view.transfer(transfer_id)
        assert row
        assert row.state == TransferState.DONE


def test_what_nobody_knows_is_not_accepted(pair: FilePair) -> None:
    request = pair.at_b.ask(cmd.AcceptTransfer(b"?" * 16))
    own = pair.at_a.ask(cmd.AcceptTransfer(OFFER))
    pair.run(1)
    for client, asked, code in (
        (pair.at_b, request, ErrorCode.UNKNOWN_TRANSFER),
        (pair.at_a, own, ErrorCode.NOT_ALLOWED),
    ):
        failure = client.replies[asked].failure
        assert failure
        assert failure.code == code


def test_a_removed_peers_transfer_is_not_accepted(pair: FilePair) -> None:
    pair.at_b.ask(cmd.RemovePeer(1))
    pair.run(1)
    asked = [pair.at_b.ask(cmd.AcceptTransfer(one)) for one in (OFFER, OTHER)]
    pair.run(1)
    failures = [pair.at_b.replies[one].failure for one in asked]
    assert [failure.code for failure in failures if failure] == [ErrorCode.NOT_ALLOWED] * 2
    assert fetched(pair) == 2


def test_an_accept_that_the_store_cannot_look_up_is_answered_so(pair: FilePair) -> None:
    pair.b.store_fails = "The disk is full."
    request = pair.at_b.ask(cmd.AcceptTransfer(OFFER))
    pair.run(1)
    failure = pair.at_b.replies[request].failure
    assert failure
    assert failure.code == ErrorCode.STORE
    pair.b.store_fails = ""
    pair.run(10)
    assert fetched(pair) == 2
