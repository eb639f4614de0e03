"""Keys that are missing, changed or in between: who is talked to, and what waits."""

import sqlite3

import msgspec

from chatnet_engine.secure.identity import checked_key_text
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.reasons import LinkReason, reason
from chatnet_protocol.ipc.rows import LinkState, Trust
from chatnet_protocol.limits import MAX_REFUSED_KEYS
from simworld.pair import B, Pair
from simworld.takeover import become_another


def restart_a(pair: Pair) -> None:
    pair.a.crash()
    pair.a.up()
    pair.run(5)


def decide(pair: Pair, decision: str, key: bytes = b"") -> str:
    """The code of the failure, empty for none."""
    asked = pair.at_a.ask(cmd.TrustPeer(1, decision, key))
    pair.run(1)
    failure = pair.at_a.replies[asked].failure
    return failure.code if failure else ""


def test_a_pin_is_in_known_peers_before_any_message_flows() -> None:
    pair = Pair(1)
    pair.at_a.say("hello")
    pair.settle(5)
    key = pair.peer(pair.at_a).info.key
    assert pair.a.known_peers == f"10.0.0.2:5002 {checked_key_text(key)} 1700001000 no\n".encode()


def test_a_pin_that_cannot_be_stored_lets_nothing_through() -> None:
    pair = Pair(2)
    pair.a.store_fails = "The disk is full."
    pair.at_b.say("not before the key is kept")
    pair.run(5)
    assert pair.peer(pair.at_b).delivered_seq == 0
    pair.a.store_fails = ""
    pair.settle(30)
    pair.check([], ["not before the key is kept"])


def test_a_deleted_known_peers_is_a_key_change_and_not_a_first_contact() -> None:
    pair = Pair(3)
    pair.at_a.say("before")
    pair.settle(5)
    key = pair.peer(pair.at_a).info.key
    pair.a.known_peers = b""
    restart_a(pair)
    pair.at_a.say("waits")
    pair.run(70)
    shown = pair.peer(pair.at_a)
    assert shown.link.state == LinkState.KEY_CHANGED
    assert shown.link.reason == reason(LinkReason.KEY_NOT_VOUCHED)
    assert shown.info.offered_key == key
    assert shown.waiting == 1
    assert pair.a.known_peers == b""
    pair.at_a.ask(cmd.TrustPeer(1, "replace", key))
    pair.settle(90)
    pair.check(["before", "waits"], [])
    assert b" no\n" in pair.a.known_peers
    restart_a(pair)
    assert pair.peer(pair.at_a).link.state == LinkState.UP


def test_a_wiped_history_beside_known_peers_is_still_pinned() -> None:
    pair = Pair(4)
    pair.run(2)
    key = pair.b.session().key
    pair.a.crash()
    pair.a.connection = sqlite3.connect(":memory:", isolation_level=None)
    become_another(pair.b)
    pair.a.up()
    pair.a.dial(B)
    pair.run(5)
    assert pair.peer(pair.at_a).info.key == key
    assert pair.peer(pair.at_a).link.state == LinkState.KEY_CHANGED


def test_verified_and_removed_peers_are_so_in_the_file() -> None:
    pair = Pair(5)
    pair.run(2)
    pair.at_a.ask(cmd.TrustPeer(1, "verified"))
    pair.run(1)
    assert pair.a.known_peers.endswith(b" yes\n")
    restart_a(pair)
    assert pair.peer(pair.at_a).info.trust == Trust.VERIFIED
    pair.at_a.ask(cmd.RemovePeer(1))
    pair.run(1)
    assert pair.a.known_peers == b""


def test_a_crash_between_file_and_history_leaves_the_pin() -> None:
    pair = Pair(6)
    key = pair.b.session().key
    pair.a.crash()
    pair.a.known_peers = f"10.0.0.2:5002 {checked_key_text(key)} 7 no\n".encode()
    pair.a.connection.execute("UPDATE peers SET key = x'', trust = 'none'")
    pair.a.up()
    pair.run(5)
    assert pair.peer(pair.at_a).info.key == key
    assert pair.peer(pair.at_a).link.state == LinkState.UP
    stored = msgspec.structs.asdict(pair.a.ledger.load().peers[0])
    assert stored["key"] == key


def test_the_file_goes_with_the_transaction_that_pins() -> None:
    pair = Pair(7)
    pair.run(2)
    seen: list[c.Commit] = []
    perform = pair.a.commit

    def watched(commit: c.Commit) -> None:
        seen.append(commit)
        perform(commit)

    pair.a.commit = watched  # type: ignore[method-assign]
    pair.at_a.ask(cmd.TrustPeer(1, "verified"))
    pair.run(1)
    (pin,) = [commit for commit in seen if commit.known_peers is not None]
    assert any(isinstance(op, c.StorePeer) for op in pin.ops)


def test_a_verification_can_be_taken_back() -> None:
    pair = Pair(8)
    pair.run(2)
    for decision, trust, line in (
        ("verified", Trust.VERIFIED, b" yes\n"),
        ("unverified", Trust.PINNED, b" no\n"),
        ("unverified", Trust.PINNED, b" no\n"),
    ):
        assert decide(pair, decision) == ""
        assert pair.peer(pair.at_a).info.trust == trust
        assert pair.a.known_peers.endswith(line)
    restart_a(pair)
    assert pair.peer(pair.at_a).info.trust == Trust.PINNED
    pair.at_a.say("the link goes on")
    pair.settle(5)


def test_a_refused_key_that_is_put_to_rest_is_not_offered_again() -> None:
    pair = Pair(9)
    pair.run(2)
    become_another(pair.b)
    pair.run(70)
    impostor = pair.b.session().key
    assert pair.peer(pair.at_a).info.offered_key == impostor
    assert decide(pair, "keep", b"w" * 32) == "not-allowed"
    for _ in range(2):
        assert decide(pair, "keep", impostor) == ""
        pair.run(70)
        shown = pair.peer(pair.at_a)
        assert (shown.info.offered_key, shown.info.refused_keys) == (b"", [impostor])
        assert shown.link.state == LinkState.KEY_CHANGED, "that is what answers there"
    restart_a(pair)
    pair.run(70)
    shown = pair.peer(pair.at_a)
    assert (shown.info.offered_key, shown.info.refused_keys) == (b"", [impostor])
    become_another(pair.b)
    pair.run(70)
    shown = pair.peer(pair.at_a)
    assert shown.info.offered_key == pair.b.session().key, "another key is another question"
    assert shown.info.refused_keys == [impostor]


def test_a_key_put_to_rest_can_be_trusted_after_all() -> None:
    pair = Pair(10)
    pair.run(2)
    become_another(pair.b)
    pair.at_a.say("waits")
    pair.run(70)
    key = pair.b.session().key
    assert decide(pair, "keep", key) == ""
    assert decide(pair, "replace", key) == ""
    pair.settle(90)
    info = pair.peer(pair.at_a).info
    assert (info.key, info.refused_keys, info.trust) == (key, [], Trust.PINNED)
    assert pair.texts(pair.b, mine=False) == ["waits"]


def test_only_so_many_refused_keys_are_remembered() -> None:
    pair = Pair(11)
    pair.run(2)
    keys = []
    for _ in range(MAX_REFUSED_KEYS + 1):
        become_another(pair.b)
        pair.run(70)
        keys.append(pair.b.session().key)
        assert decide(pair, "keep", keys[-1]) == ""
    assert pair.peer(pair.at_a).info.refused_keys == keys[1:]
