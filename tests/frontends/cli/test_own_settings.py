"""`name`, `inbox` and `limit`, as verbs against an engine and as lines of a chat."""

from pathlib import Path

import pytest

from chat_model import Chat
from chatnet_protocol.ipc import commands as cmd
from cli_shell import Shell
from local_engine import LocalEngine


def test_the_own_name_is_shown_and_changed(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("name") == 0
    assert shell.out == "name · alice\n"
    assert shell.run("name", " Alice B. ") == 0
    assert shell.out == "name · Alice B.\n"
    assert shell.run("name", "") == 0
    assert shell.out == "name · none\n"
    assert len(local.seen(cmd.SetSession)) == 2


def test_a_name_that_cannot_be_is_refused(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("name", "x" * 65) == 1
    assert "at most 64" in shell.err


def test_the_inbox_is_shown_and_changed(shell: Shell, local: LocalEngine, tmp_path: Path) -> None:
    folder = tmp_path / "received"
    folder.mkdir()
    assert shell.run("inbox", str(folder)) == 0
    assert shell.out == f"received files land in {folder}\n"
    assert shell.run("inbox", "default") == 0
    assert shell.run("inbox") == 0
    assert shell.out == "received files land in /tmp/inbox\n"


def test_the_limit_of_files_is_shown_and_changed(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("limit") == 0
    assert shell.out == "files move as fast as they can\n"
    assert shell.run("limit", "5MB/s") == 0
    assert shell.out == "files move at 5.0 MB/s at most in each direction\n"
    assert shell.run("status") == 0
    assert "5.0 MB/s at most" in shell.out
    assert shell.run("limit", "none") == 0
    assert shell.out == "files move as fast as they can\n"
    assert shell.run("limit", "1kB") == 1
    assert "least limit" in shell.err
    assert len(local.seen(cmd.SetSession)) == 2


@pytest.mark.parametrize("what", ["missing", "file"])
def test_an_inbox_that_is_no_folder_is_refused(
    shell: Shell, local: LocalEngine, tmp_path: Path, what: str
) -> None:
    (tmp_path / "file").touch()
    assert shell.run("inbox", str(tmp_path / what)) == 1
    assert "is not a folder" in shell.err
    assert local.seen(cmd.SetSession) == []


def test_both_are_changed_from_the_chat(tmp_path: Path) -> None:
    chat = Chat()
    printed = chat.write("/name Alice B.")
    assert any("name · Alice B." in line for line in printed)
    chat.write(f"/inbox {tmp_path}")
    assert chat.seen(cmd.SetSession) == [
        cmd.SetSession(display_name="Alice B."),
        cmd.SetSession(inbox=str(tmp_path)),
    ]
    assert "name · Alice B." in chat.write("/name")[0]
    assert str(tmp_path) in chat.write("/inbox")[0]
    assert "is not a folder" in chat.write("/inbox /nowhere")[0]
    chat.write("/limit 5MB")
    assert "5.0 MB/s" in chat.write("/limit")[0]
    assert "is not a size" in chat.write("/limit fast")[0]
