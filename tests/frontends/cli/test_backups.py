"""`chatnet backup` against a fake engine."""

import os

from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from fake_engine import FakeCore, FakeEngine


def test_the_engine_is_asked_for_an_absolute_folder(shell, engine: FakeEngine) -> None:
    engine.do(lambda core: core.receive(1, "hello"))
    assert shell.run("backup", "today") == 0
    folder = os.path.abspath("today")
    assert shell.out == f"backed up · 1 message · 5.0 MB · {folder}\n"
    assert "identity key" in shell.err
    assert shell.run("backup", "--history-only", "/x") == 0
    assert shell.err == ""
    asked = [(command.folder, command.history_only) for command in engine.seen(cmd.MakeBackup)]
    assert asked == [(folder, False), ("/x", True)]


def test_what_the_engine_says_instead_is_told(shell, core: FakeCore, engine: FakeEngine) -> None:
    sentence = "/x is not empty; choose another folder."
    core.refuse[cmd.MakeBackup] = CommandError(ErrorCode.FILE, sentence)
    assert shell.run("backup", "/x") == 1
    assert (shell.out, shell.err) == ("", f"{sentence}\n")
