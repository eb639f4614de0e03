"""`chatnet backup` against an engine."""

import os

import pytest

from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from cli_shell import Replaced, Shell
from local_engine import LocalEngine


def test_the_engine_is_asked_for_an_absolute_folder(shell: Shell, local: LocalEngine) -> None:
    local.world.instead[cmd.MakeBackup] = cmd.BackedUp(os.path.abspath("today"), 1, 5_000_000)
    assert shell.run("backup", "today") == 0
    folder = os.path.abspath("today")
    assert shell.out == f"backed up · 1 message · 5.0 MB · {folder}\n"
    assert "identity key" in shell.err
    assert shell.run("backup", "--history-only", "/x") == 0
    assert shell.err == ""
    asked = [(command.folder, command.history_only) for command in local.seen(cmd.MakeBackup)]
    assert asked == [(folder, False), ("/x", True)]


def test_what_the_engine_says_instead_is_told(shell: Shell, local: LocalEngine) -> None:
    sentence = "/x is not empty; choose another folder."
    local.world.instead[cmd.MakeBackup] = CommandError(ErrorCode.FILE, sentence)
    assert shell.run("backup", "/x") == 1
    assert (shell.out, shell.err) == ("", f"{sentence}\n")


def test_restoring_becomes_the_engines_program_for_it(
    shell: Shell, replaced: type[Replaced]
) -> None:
    with pytest.raises(replaced) as caught:
        shell.run("restore-backup", "today", "--session", "other", "--replace")
    assert caught.value.command[1:] == [
        *("-P", "-m", "chatnet_engine.io.restore_backup", "--replace", "--"),
        *(os.path.abspath("today"), "other"),
    ]
    assert shell.run("restore-backup", "today", "--session", "No Name") == 1


def test_the_session_to_restore_is_named_where_there_is_not_just_one(
    shell: Shell, replaced: type[Replaced]
) -> None:
    assert shell.run("restore-backup", "today") == 2
    assert shell.err == "There is none yet. Say which session with --session NAME.\n"
    sessions = os.path.join(shell.environ["CHATNET_HOME"], "sessions")
    os.makedirs(f"{sessions}/a/identity.key")
    with pytest.raises(replaced) as caught:
        shell.run("restore-backup", "today")
    assert caught.value.command[-1] == "a"
    os.makedirs(f"{sessions}/b/identity.key")
    assert shell.run("restore-backup", "today") == 2
    assert shell.err.startswith("There are several: a, b. ")
