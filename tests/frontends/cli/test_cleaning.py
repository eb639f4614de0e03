"""`clean` says what it would remove, and asks; `status` names what there is."""

from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from cli_shell import Shell
from local_engine import LocalEngine

FOUND = cmd.Space(3, 1_200_000_000, 0, 0, 2, 340_000_000)
LINE = "Unfinished files: 3, 1.2 GB; earlier folders: 2, 340 MB\n"
LEFT = cmd.Space(0, 0, 0, 0, 0, 0, 1, 5_000_000, 5, 1_540_000_000)
REMOVED = "removed · 5 files and folders, 1.5 GB\n"
STAYS = "Earlier folders: 1, 5.0 MB (1 with changes, kept)\n"


def found(local: LocalEngine) -> None:
    local.world.instead[cmd.FetchSpace] = FOUND
    local.world.instead[cmd.CleanUp] = LEFT


def test_status_names_what_there_is(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("status") == 0
    assert "nfinished" not in shell.out
    found(local)
    assert shell.run("status") == 0
    assert LINE in shell.out
    assert shell.run("status", "--json") == 0
    assert shell.objects()[0]["space"]["left_over_bytes"] == 1_200_000_000


def test_status_is_shown_when_the_disk_cannot_be_looked_at(
    shell: Shell, local: LocalEngine
) -> None:
    local.world.instead[cmd.FetchSpace] = CommandError(ErrorCode.INTERNAL, "No.")
    assert shell.run("status", "--json") == 0
    assert shell.objects()[0]["space"] is None


def test_without_a_terminal_nothing_is_removed_unasked(shell: Shell, local: LocalEngine) -> None:
    found(local)
    assert shell.run("clean") == 0
    assert shell.out == LINE
    assert "3 unfinished files and 2 earlier folders, 1.5 GB" in shell.err
    assert "clean --yes" in shell.err
    assert local.seen(cmd.CleanUp) == []
    assert shell.run("clean", "--yes") == 0
    assert (shell.out, shell.err) == (REMOVED + STAYS, "")


def test_on_a_terminal_it_asks(shell: Shell, local: LocalEngine) -> None:
    found(local)
    shell.stdin_is_tty = True
    assert shell.run("clean", stdin="\n") == 5
    assert "Remove them? [y/N] " in shell.err
    assert local.seen(cmd.CleanUp) == []
    assert shell.run("clean", stdin="y\n") == 0
    assert shell.out == REMOVED + STAYS


def test_there_may_be_nothing_to_remove(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("clean", "--yes") == 0
    assert shell.out == "Nothing is left over.\n"
    local.world.instead[cmd.FetchSpace] = cmd.Space(under_way=1, under_way_bytes=7)
    assert shell.run("clean", "--yes") == 0
    assert (
        shell.out == "There is nothing to remove.\nUnfinished files: 1, 7 B (1 in use or recent)\n"
    )
    assert local.seen(cmd.CleanUp) == []


def test_programs_get_an_object(shell: Shell, local: LocalEngine) -> None:
    found(local)
    assert shell.run("clean", "--json") == 0
    assert [one["left_over"] for one in shell.objects()] == [3]
    assert local.seen(cmd.CleanUp) == []
    assert shell.run("clean", "--json", "--yes") == 0
    assert [(one["type"], one["removed"]) for one in shell.objects()] == [("space", 5)]


def test_a_reason_is_shown(shell: Shell, local: LocalEngine) -> None:
    found(local)
    local.world.instead[cmd.CleanUp] = CommandError(ErrorCode.INTERNAL, "The disk is away.")
    assert shell.run("clean", "--yes") == 1
    assert shell.err == "The disk is away.\n"
