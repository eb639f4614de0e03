"""One backup at a time; whoever repeats the command waits for the same one."""

import pytest

from chatnet_engine.node.effects import CopySession, ReplyTo
from chatnet_engine.node.front_ends.backups import MAX_BACKUP_ASKERS, Backups
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import MakeBackup


def asker(number: int) -> ReplyTo:
    return ReplyTo(b"routing_id", number)


def test_all_who_ask_for_the_same_are_told_at_once() -> None:
    backups = Backups()
    assert backups.ask(MakeBackup("/x"), asker(1)) == CopySession("/x", False)
    assert backups.ask(MakeBackup("/x"), asker(2)) is None
    assert backups.handle_copied() == ("/x", [asker(1), asker(2)])
    assert backups.ask(MakeBackup("/x", True), asker(3)) == CopySession("/x", True)
    assert backups.handle_copied() == ("/x", [asker(3)])


@pytest.mark.parametrize("other", [MakeBackup("/y"), MakeBackup("/x", True)])
def test_another_one_has_to_wait(other: MakeBackup) -> None:
    backups = Backups()
    backups.ask(MakeBackup("/x"), asker(1))
    with pytest.raises(CommandError) as caught:
        backups.ask(other, asker(2))
    assert caught.value.code == ErrorCode.BUSY
    assert backups.handle_copied() == ("/x", [asker(1)])


def test_those_who_wait_are_bounded() -> None:
    backups = Backups()
    for number in range(MAX_BACKUP_ASKERS):
        backups.ask(MakeBackup("/x"), asker(number))
    with pytest.raises(CommandError) as caught:
        backups.ask(MakeBackup("/x"), asker(-1))
    assert caught.value.code == ErrorCode.BUSY


@pytest.mark.parametrize("folder", ["", "relative", "/nul\0"])
def test_a_folder_is_an_absolute_path(folder: str) -> None:
    with pytest.raises(CommandError) as caught:
        Backups().ask(MakeBackup(folder), asker(1))
    assert caught.value.code == ErrorCode.INVALID
