"""Deciding about keys from a shell: comparing, accepting, refusing for good, taking back."""

import msgspec

from chatnet_protocol.ids import fingerprint
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import PeerRow, Trust
from cli_shell import Shell
from fake_engine import SAFETY_NUMBER, FakeEngine


def test_verifying_shows_the_number_and_asks(shell: Shell, engine: FakeEngine) -> None:
    assert shell.run("peer", "verify") == 0
    assert shell.out == f"{SAFETY_NUMBER}\n"
    assert engine.seen(cmd.TrustPeer) == []
    shell.stdin_is_tty = True
    assert shell.run("peer", "verify", stdin="n\n") == 5
    assert shell.run("peer", "verify", stdin="y\n") == 0
    assert shell.run("peer", "verify", "bob", "--yes") == 0
    assert {c.decision for c in engine.seen(cmd.TrustPeer)} == {"verified"}
    shell.run("peer-add", "h", "1", "--name", "carol")
    assert shell.run("peer", "verify", "carol") == 1


def test_trusting_strangers_and_changed_keys(shell: Shell, engine: FakeEngine) -> None:
    assert shell.run("peer", "trust", "bob") == 2
    assert shell.run("peer", "trust", "bob", "--replace") == 1
    info = engine.core.view.peers[0].info
    changed = msgspec.structs.replace(info, offered_key=b"C" * 32)
    stranger = PeerRow(2, "", "", 0, b"S" * 32, Trust.PENDING, address="1.2.3.4:5")
    engine.do(lambda core: core.publish(ev.PeerChanged(changed), ev.PeerChanged(stranger)))
    assert shell.run("send", "x") == 0, "a stranger is not meant by default"
    assert shell.run("peers") == 0
    assert "wants to talk: chatnet peer trust 2" in shell.out
    assert shell.run("peer", "trust", "2") == 0
    assert shell.run("peer", "trust", "bob", "--replace") == 0
    assert fingerprint(b"C" * 32) in shell.err
    assert fingerprint(info.key) in shell.err
    assert engine.seen(cmd.TrustPeer) == [
        cmd.TrustPeer(2, "accept", b"S" * 32),
        cmd.TrustPeer(1, "replace", b"C" * 32),
    ]


def test_a_verification_is_taken_back(shell: Shell, engine: FakeEngine) -> None:
    assert shell.run("peer", "verify", "bob", "--yes") == 0
    assert shell.run("peer", "verify", "bob", "--undo") == 0
    assert "not verified" in shell.out
    assert engine.core.view.peers[0].info.trust == Trust.PINNED


def test_a_refused_key_is_put_to_rest_and_trusted_after_all(
    shell: Shell, engine: FakeEngine
) -> None:
    assert shell.run("peer", "keep", "bob") == 1
    info = engine.core.view.peers[0].info
    changed = msgspec.structs.replace(info, offered_key=b"C" * 32)
    engine.do(lambda core: core.publish(ev.PeerChanged(changed)))
    assert shell.run("peers") == 0
    assert "chatnet peer keep 1" in shell.out
    assert shell.run("peer", "keep", "bob") == 0
    assert fingerprint(b"C" * 32) in shell.out
    assert shell.run("peers") == 0
    assert shell.out.endswith("keeps refusing 1 key\n")
    assert shell.run("status") == 0
    assert "  keeps refusing 1 key\n" in shell.out
    assert shell.run("peers", "--json") == 0
    assert shell.objects()[0]["refused_keys"] == [(b"C" * 32).hex()]
    assert shell.run("peer", "trust", "bob", "--replace") == 0
    assert engine.core.view.peers[0].info.key == b"C" * 32
    assert engine.core.view.peers[0].info.refused_keys == []


def test_a_peer_is_blocked_and_unblocked(shell: Shell, engine: FakeEngine) -> None:
    assert shell.run("peer", "block", "bob") == 0
    assert shell.out == "block · peer 1\n"
    assert shell.run("peers") == 0
    assert "blocked" in shell.out
    assert shell.run("peers", "--json") == 0
    assert shell.objects()[0]["blocked"] is True
    assert shell.run("peer", "unblock", "bob") == 0
    assert not engine.core.view.peers[0].info.blocked
