"""`chatnet withdraw` against an engine."""

from chatnet_protocol.ipc import commands as cmd
from cli_shell import Shell
from local_engine import LocalEngine


def test_a_text_is_withdrawn_by_its_number(shell: Shell, local: LocalEngine) -> None:
    local.do(lambda world: world.peer_leaves())
    assert shell.run("send", "never mind") == 0
    assert shell.run("withdraw", "1") == 0
    (asked,) = local.seen(cmd.WithdrawMessage)
    assert (asked.id, asked.peer) == (local.do(lambda world: world.history[0][1].id), 1)
    assert shell.out == f"withdrawn · no 1 · {asked.id.hex()}\n"
    assert shell.run("history") == 0
    assert "me: never mind  ✗ Withdrawn before it was sent." in shell.out


def test_a_text_is_withdrawn_and_its_words_erased(shell: Shell, local: LocalEngine) -> None:
    local.do(lambda world: world.peer_leaves())
    assert shell.run("send", "never mind") == 0
    assert shell.run("withdraw", "--delete", "1") == 0
    (asked,) = local.seen(cmd.DeleteMessage)
    assert shell.out == f"deleted · no 1 · {asked.id.hex()}\n"
    assert shell.run("history") == 0
    assert "never mind" not in shell.out
    assert "✗ Deleted." in shell.out


def test_only_own_messages_can_be_withdrawn(shell: Shell, local: LocalEngine) -> None:
    local.do(lambda world: world.peer_sends("theirs"))
    assert shell.run("withdraw", "1") == 1
    assert shell.err == "Message 1 of the history is not one of your messages.\n"
    assert shell.run("withdraw", "9") == 1
    assert local.seen(cmd.WithdrawMessage) == []
