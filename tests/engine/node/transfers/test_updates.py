"""Updates of received folders on whole engines: allowed by command, found in the store."""

from typing import Any

import pytest

from chatnet_engine.files.update_table import UpdateTable
from chatnet_engine.files.updating import Updating
from chatnet_engine.ledger import transfers
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.reasons import UpdateReason
from chatnet_protocol.ipc.rows import TransferRow, TransferState
from simworld.client import SimClient
from simworld.file_pair import FilePair

FIRST, SECOND = b"first".rjust(16), b"second".rjust(16)


class Nightly(FilePair):
    """A offers one folder again and again."""

    def __init__(self) -> None:
        super().__init__(3)
        assert self.a.files
        self.a.files.process.folders["proj"] = ["data"]

    def send(self, transfer_id: bytes) -> None:
        """Offered and received."""
        self.at_a.ask(cmd.OfferFiles(transfer_id, 1, ["/home/proj"], update=True))
        self.run(5)
        assert self.row(self.at_b, transfer_id).state == TransferState.DONE

    def row(self, client: SimClient, transfer_id: bytes) -> TransferRow:
        """As a front end sees it."""
        assert client.view
        row = client.view.transfer(transfer_id)
        assert row
        return row

    def names(self) -> set[str]:
        """What is in the inbox of B."""
        assert self.b.files
        return set(self.b.files.process.disk)


@pytest.fixture
def nightly() -> Nightly:
    pair = Nightly()
    pair.send(FIRST)
    return pair


def fail_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[int]:
    """The calls that there were."""
    original = getattr(owner, name)
    calls: list[int] = []

    def failing(*args: Any) -> Any:
        calls.append(len(calls))
        if len(calls) == 1:
            raise ZeroDivisionError("injected")
        return original(*args)

    monkeypatch.setattr(owner, name, failing)
    return calls


def allow_and_contain(nightly: Nightly) -> None:
    """Updates are allowed, and what raises from now on is contained, as in the product."""
    nightly.at_b.ask(cmd.AllowUpdates(FIRST))
    nightly.run(1)
    nightly.b.contain = True
    nightly.b.crash()
    nightly.b.up()
    nightly.run(5)


def test_updates_of_a_folder_that_came_long_ago_can_be_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chatnet_engine.files.table.MAX_VIEW_TRANSFERS", 1)
    nightly = Nightly()
    nightly.send(FIRST)
    nightly.at_a.ask(cmd.OfferFiles(b"other".rjust(16), 1, ["/home/data"]))
    nightly.run(5)
    request = nightly.at_b.ask(cmd.AllowUpdates(FIRST))
    unknown = nightly.at_b.ask(cmd.AllowUpdates(b"?" * 16))
    nightly.run(1)
    assert nightly.at_b.replies[request].result == cmd.Done()
    failure = nightly.at_b.replies[unknown].failure
    assert failure
    assert failure.code == ErrorCode.UNKNOWN_TRANSFER
    nightly.send(SECOND)
    assert nightly.names() == {"proj", "proj (until today)", "data"}


def test_a_folder_is_updated_once_that_is_allowed(nightly: Nightly) -> None:
    request = nightly.at_b.ask(cmd.AllowUpdates(FIRST))
    nightly.run(1)
    assert nightly.at_b.replies[request].result == cmd.Done()
    assert nightly.row(nightly.at_b, FIRST).updates_allowed
    nightly.send(SECOND)
    assert nightly.names() == {"proj", "proj (until today)"}
    for client in (nightly.at_a, nightly.at_b):
        row = nightly.row(client, SECOND)
        assert row.update
        assert row.differences is None


def test_before_that_it_arrives_beside_it_and_both_sides_know_why(nightly: Nightly) -> None:
    nightly.send(SECOND)
    assert nightly.names() == {"proj", "proj (1)"}
    for client in (nightly.at_a, nightly.at_b):
        differences = nightly.row(client, SECOND).differences
        assert differences
        assert differences.not_updated == UpdateReason.NOT_ALLOWED


def test_what_is_no_received_folder_cannot_be_updated(nightly: Nightly) -> None:
    for client, transfer_id, code in (
        (nightly.at_a, FIRST, ErrorCode.NOT_ALLOWED),
        (nightly.at_b, b"?" * 16, ErrorCode.UNKNOWN_TRANSFER),
        (nightly.at_b, b"short", ErrorCode.INVALID),
    ):
        request = client.ask(cmd.AllowUpdates(transfer_id))
        nightly.run(1)
        failure = client.replies[request].failure
        assert failure
        assert failure.code == code


@pytest.mark.parametrize(
    ("owner", "name"),
    [(Updating, "handle_found"), (UpdateTable, "handle_found"), (transfers, "find_folder")],
)
def test_a_search_that_raises_is_made_again(
    nightly: Nightly, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    allow_and_contain(nightly)
    calls = fail_once(monkeypatch, owner, name)
    nightly.send(SECOND)
    assert len(calls) == 2
    assert len(nightly.b.problems) == 1
    nightly.b.problems.clear()
    assert nightly.names() == {"proj", "proj (until today)"}
