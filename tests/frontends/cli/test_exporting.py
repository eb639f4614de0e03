"""`chatnet export` against an engine."""

import os
from pathlib import Path

from cli_shell import Shell
from local_engine import LocalEngine

HOSTILE = "# not a heading\n![x](http://evil/)\n<script>\x1b[31m\u202e"


def test_every_message_is_exported_once_and_in_lamport_order(
    shell: Shell, local: LocalEngine
) -> None:
    local.do(lambda world: world.peer_sends_all([f"text {n}" for n in range(600)]))
    assert shell.run("export") == 0
    head, *rest = shell.objects()
    assert (head["type"], head["version"], head["messages"]) == ("export", 1, 600)
    assert rest[0]["type"] == "peer"
    messages = rest[1:]
    assert sorted(message["text"] for message in messages) == sorted(
        f"text {n}" for n in range(600)
    )
    order = [(m["lamport"], m["author"], m["id"]) for m in messages]
    assert order == sorted(order)
    assert all(len(m["author"]) == 64 for m in messages)


def test_markdown_shows_what_was_written_and_nothing_else(
    shell: Shell, local: LocalEngine, tmp_path: Path
) -> None:
    local.do(lambda world: world.peer_sends(HOSTILE))
    path = tmp_path / "bob.md"
    assert shell.run("export", "--format", "markdown", "--peer", "bob", str(path)) == 0
    assert shell.out == ""
    text = path.read_text()
    assert text.startswith("# bob\n\n## ")
    assert "\n> \\# not a heading\n> \\!\\[x\\]\\(http\\://evil/\\)\n> \\<script\\>" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_there_is_not_replaced(
    shell: Shell, local: LocalEngine, tmp_path: Path
) -> None:
    path = tmp_path / "old"
    path.write_text("precious")
    assert shell.run("export", str(path)) == 1
    assert "is there already" in shell.err
    assert path.read_text() == "precious"
