"""Deciding about keys from a shell: comparing, accepting, refusing for good, taking back."""

from chatnet_protocol.ids import fingerprint
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import PeerRow, Trust
from cli_shell import Shell
from local_engine import LocalEngine


def info_of(local: LocalEngine) -> PeerRow:
    return local.do(lambda world: world.peer().info)


def test_verifying_shows_the_number_and_asks(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("peer", "verify") == 0
    assert shell.out == f"{info_of(local).safety_number}\n"
    assert len(shell.out.split()) == 12
    assert local.seen(cmd.TrustPeer) == []
    shell.stdin_is_tty = True
    assert shell.run("peer", "verify", stdin="n\n") == 5
    assert shell.run("peer", "verify", stdin="y\n") == 0
    assert shell.run("peer", "verify", "bob", "--yes") == 0
    assert {c.decision for c in local.seen(cmd.TrustPeer)} == {"verified"}
    shell.run("peer-add", "10.0.0.9", "1", "--name", "carol")
    assert shell.run("peer", "verify", "carol") == 1


def test_trusting_strangers_and_changed_keys(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("peer", "trust", "bob") == 2
    assert shell.run("peer", "trust", "bob", "--replace") == 1
    info = info_of(local)
    changed = local.do(lambda world: world.peer_changes_key())
    stranger = local.do(lambda world: world.stranger_calls(2))
    assert shell.run("send", "x") == 0, "a stranger is not meant by default"
    assert shell.run("peers") == 0
    assert "wants to talk: chatnet peer trust 2" in shell.out
    assert shell.run("peer", "trust", "2") == 0
    assert shell.run("peer", "trust", "bob", "--replace") == 0
    assert fingerprint(changed.offered_key) in shell.err
    assert fingerprint(info.key) in shell.err
    assert local.seen(cmd.TrustPeer) == [
        cmd.TrustPeer(2, "accept", stranger.key),
        cmd.TrustPeer(1, "replace", changed.offered_key),
    ]


def test_a_verification_is_taken_back(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("peer", "verify", "bob", "--yes") == 0
    assert shell.run("peer", "verify", "bob", "--undo") == 0
    assert "not verified" in shell.out
    assert info_of(local).trust == Trust.PINNED


def test_a_refused_key_is_put_to_rest_and_trusted_after_all(
    shell: Shell, local: LocalEngine
) -> None:
    assert shell.run("peer", "keep", "bob") == 1
    offered = local.do(lambda world: world.peer_changes_key()).offered_key
    assert shell.run("peers") == 0
    assert "chatnet peer keep 1" in shell.out
    assert shell.run("peer", "keep", "bob") == 0
    assert fingerprint(offered) in shell.out
    assert shell.run("peers") == 0
    assert shell.out.endswith("keeps refusing 1 key\n")
    assert shell.run("status") == 0
    assert "  keeps refusing 1 key\n" in shell.out
    assert shell.run("peers", "--json") == 0
    assert shell.objects()[0]["refused_keys"] == [offered.hex()]
    assert shell.run("peer", "trust", "bob", "--replace") == 0
    assert info_of(local).key == offered
    assert info_of(local).refused_keys == []


def test_a_peer_is_blocked_and_unblocked(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("peer", "block", "bob") == 0
    assert shell.out == "block · peer 1\n"
    assert shell.run("peers") == 0
    assert "blocked" in shell.out
    assert shell.run("peers", "--json") == 0
    assert shell.objects()[0]["blocked"] is True
    assert shell.run("peer", "unblock", "bob") == 0
    assert not info_of(local).blocked
