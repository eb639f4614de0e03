"""Updates of folders in verbs and chats: sent, allowed, and why they changed nothing."""

from pathlib import Path

import msgspec
import pytest

from chatnet_cli import render
from chatnet_client.words import offers
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.reasons import UpdateReason
from chatnet_protocol.ipc.rows import Differences, TransferRow, TransferState
from cli_shell import Shell
from local_engine import LocalEngine

FOLDER = TransferRow(b"f" * 16, 1, 7, False, "done", "proj", 2, 10, 10, kind="folder")


def test_an_update_is_sent_of_one_folder(shell: Shell, local: LocalEngine, tmp_path: Path) -> None:
    local.world.instead[cmd.OfferFiles] = cmd.Queued(no=1, seq=1)
    (tmp_path / "proj").mkdir()
    (tmp_path / "a.txt").write_text("a")
    assert shell.run("send-file", "--update", str(tmp_path / "proj")) == 0
    [sent] = local.seen(cmd.OfferFiles)
    assert sent.update
    assert shell.run("send-file", "--update", str(tmp_path / "a.txt")) == 2
    assert shell.run("send-file", "--update", str(tmp_path / "proj"), str(tmp_path / "proj")) == 2
    assert shell.run("send-file", str(tmp_path / "a.txt")) == 0
    assert [one.update for one in local.seen(cmd.OfferFiles)] == [True, False]


def test_updates_are_allowed_and_no_longer(shell: Shell, local: LocalEngine) -> None:
    offer = local.do(lambda world: world.peer_offers("proj"))

    def allow(command: cmd.Command) -> cmd.Result:
        assert isinstance(command, cmd.AllowUpdates)
        allowed = command.allowed
        local.world.announce_transfer(command.id, TransferState.DONE, updates_allowed=allowed)
        return cmd.Done()

    local.world.instead[cmd.AllowUpdates] = allow
    assert shell.run("allow-updates", "1") == 0
    assert shell.out == f"allow-updates · no 1 · {offer.hex()}\n"
    assert shell.run("allow-updates", offer.hex(), "--off") == 0
    assert local.seen(cmd.AllowUpdates) == [
        cmd.AllowUpdates(offer, True),
        cmd.AllowUpdates(offer, False),
    ]
    assert shell.run("transfers", "--json") == 0
    [row] = shell.objects()
    assert row["updates_allowed"] is False


@pytest.mark.parametrize("problem", UpdateReason)
@pytest.mark.parametrize("mine", [True, False])
def test_both_sides_read_why_nothing_was_replaced(problem: UpdateReason, mine: bool) -> None:
    differences = Differences(0, not_updated=problem)
    row = msgspec.structs.replace(FOLDER, mine=mine, differences=differences)
    words = render.difference_words(row)
    assert words.startswith("not updated: ")
    assert problem not in words, "a sentence, not a code"
    assert ("other side" in words) == mine
    assert render.difference_words(FOLDER) == ""


def test_a_reason_of_a_newer_engine_is_shown_as_it_is() -> None:
    row = msgspec.structs.replace(FOLDER, differences=Differences(0, not_updated="update-\x1b[2J"))
    assert "update-" in render.difference_words(row)
    assert "\x1b" not in render.difference_words(row)


def test_only_a_single_received_folder_can_be_updated() -> None:
    assert offers.can_allow_updates(FOLDER)
    for change in ({"mine": True}, {"kind": "file"}, {"things": 2}, {"state": "rejected"}):
        assert not offers.can_allow_updates(msgspec.structs.replace(FOLDER, **change))
