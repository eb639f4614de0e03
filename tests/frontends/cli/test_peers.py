"""`chatnet peer auto-accept` and `address` against an engine."""

import pytest

from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.limits import MIB
from cli_shell import Shell
from local_engine import LocalEngine


@pytest.mark.parametrize(
    ("words", "size"),
    [("0", 0), ("812", 812), ("1.5k", 1500), ("500MB", 500_000_000), ("1 GiB", 1 << 30)],
)
def test_the_limit_of_a_peer_is_set(
    shell: Shell, local: LocalEngine, words: str, size: int
) -> None:
    assert shell.run("peer", "auto-accept", "bob", words) == 0
    assert local.seen(cmd.SetPeer) == [cmd.SetPeer(1, auto_accept_bytes=size)]
    assert local.world.peer().info.auto_accept_bytes == size
    assert ("never accepted" if size == 0 else "automatically up to") in shell.out


def test_without_a_size_the_limit_is_told(shell: Shell, local: LocalEngine) -> None:
    local.do(lambda world: world.do(cmd.SetPeer(1, auto_accept_bytes=256 * MIB)))
    assert shell.run("peer", "auto-accept", "bob") == 0
    assert shell.out == "files from peer 1 are accepted automatically up to 268 MB\n"
    assert local.seen(cmd.SetPeer) == []


@pytest.mark.parametrize("words", ["", "-1", "5ib", "many", "9e9", "10000000TB", "1.2.3"])
def test_what_is_no_size_is_refused(shell: Shell, local: LocalEngine, words: str) -> None:
    assert shell.run("peer", "auto-accept", "bob", words) == 2
    assert local.seen(cmd.SetPeer) == []


@pytest.mark.parametrize("place", [("10.0.0.9", "5009"), ("10.0.0.9:5009",)])
def test_a_peer_gets_another_address(
    shell: Shell, local: LocalEngine, place: tuple[str, ...]
) -> None:
    assert shell.run("peer", "address", "bob", *place) == 0
    assert local.seen(cmd.SetPeer) == [cmd.SetPeer(1, host="10.0.0.9", port=5009)]
    assert shell.out == "address · peer 1\n"
