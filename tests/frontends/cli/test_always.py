"""`/always` in a chat: up to which size files of the peer arrive without a question."""

from chat_model import Chat
from chatnet_protocol.ipc import commands as cmd
from cli_shell import Shell
from local_engine import LocalEngine

DEFAULT = "-- Files from bob are accepted automatically up to 268 MB (the default)."


def sizes(chat: Chat) -> list[int | None]:
    """What the chat chose, without what the world began with."""
    return [command.auto_accept_bytes for command in chat.seen(cmd.SetPeer)]


def test_the_size_is_shown_and_chosen() -> None:
    chat = Chat()
    chat.write("/always default")
    assert chat.write("/always") == [DEFAULT]
    chat.write("/always 0")
    assert chat.write("/always") == ["-- Files from bob are never accepted automatically."]
    chat.write("/always 2000TB")
    assert chat.write("/always") == ["-- Files from bob are accepted automatically."]
    chat.write("/always default")
    assert chat.write("/always") == [DEFAULT]
    assert sizes(chat) == [-1, 0, 2 * 10**15, -1]


def test_what_waits_and_fits_is_accepted_and_nothing_else() -> None:
    chat = Chat()
    small = chat.world.peer_offers("a.bin", 1000)
    chat.world.peer_offers("b.bin", 5000)
    chat.turn()
    chat.write("/always 2kB")
    assert chat.seen(cmd.AcceptTransfer) == [cmd.AcceptTransfer(small)]


def test_what_is_no_size_is_refused() -> None:
    chat = Chat()
    assert chat.write("/always lots") == ["-- 'lots' is not a size (try 500MB or 1GiB)."]
    assert sizes(chat) == []


def test_a_choice_is_taken_back(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("peer", "auto-accept", "bob", "0") == 0
    assert shell.out == "files from peer 1 are never accepted automatically\n"
    assert shell.run("peer", "auto-accept", "--peer", "bob", "default") == 0
    assert shell.out == "files from peer 1 are accepted automatically up to 268 MB (the default)\n"
    assert local.seen(cmd.SetPeer)[-1] == cmd.SetPeer(1, auto_accept_bytes=-1)


def test_an_offer_is_accepted_with_all_later_ones_up_to_a_size(
    shell: Shell, local: LocalEngine
) -> None:
    local.do(lambda world: world.peer_offers("a.bin"))
    assert shell.run("accept", "1", "--always", "2GB") == 0
    assert local.seen(cmd.SetPeer) == [cmd.SetPeer(1, auto_accept_bytes=2_000_000_000)]
    assert len(local.seen(cmd.AcceptTransfer)) == 1
