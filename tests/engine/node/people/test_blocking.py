"""A person blocks a key: nothing of it gets through, until it is unblocked."""

import pytest

from chatnet_engine.secure.endpoint import Endpoint
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import LinkState, Trust
from simworld.pair import B, Pair
from simworld.takeover import become_another


def block(pair: Pair, blocked: bool = True) -> str:
    """The code of the failure, empty for none."""
    asked = pair.at_a.ask(cmd.SetPeer(1, blocked=blocked))
    pair.run(1)
    failure = pair.at_a.replies[asked].failure
    return failure.code if failure else ""


def connected(seed: int) -> Pair:
    pair = Pair(seed)
    pair.at_a.say("before")
    pair.settle(10)
    return pair


def test_nothing_of_a_blocked_peer_arrives_and_the_conversation_stays() -> None:
    pair = connected(1)
    assert block(pair) == ""
    pair.at_b.say("never mind me")
    pair.run(120)
    shown = pair.peer(pair.at_a)
    assert (shown.info.blocked, shown.link.state) == (True, LinkState.IDLE)
    assert [row.text for row in shown.messages] == ["before"]
    assert pair.peer(pair.at_b).delivered_seq == 0


def test_a_block_outlives_the_engine() -> None:
    pair = connected(2)
    block(pair)
    pair.a.crash()
    pair.a.up()
    pair.at_b.say("and now?")
    pair.run(60)
    assert pair.peer(pair.at_a).info.blocked
    assert pair.peer(pair.at_a).link.state == LinkState.IDLE
    assert pair.peer(pair.at_b).delivered_seq == 0


def test_what_waited_arrives_after_the_block() -> None:
    pair = connected(3)
    pair.at_a.ask(cmd.TrustPeer(1, "verified"))
    block(pair)
    pair.at_b.say("patience")
    pair.run(30)
    assert block(pair, blocked=False) == ""
    pair.settle(120)
    pair.check(["before"], ["patience"])
    assert pair.peer(pair.at_a).info.trust == Trust.VERIFIED, "blocking is not distrust"


def test_a_blocked_peer_is_not_written_to() -> None:
    pair = connected(4)
    block(pair)
    for command in (
        cmd.SendMessage(b"m" * 16, 1, "hello"),
        cmd.OfferFiles(b"o" * 16, 1, ["/etc/hosts"]),
        cmd.RetryPeer(1),
    ):
        asked = pair.at_a.ask(command)
        pair.run(1)
        failure = pair.at_a.replies[asked].failure
        assert failure
        assert failure.code == "refused"
        assert "blocked" in failure.text


def test_the_handshakes_of_a_blocked_key_are_not_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: list[bytes] = []
    refuse = Endpoint.refuse

    def spy(self: Endpoint, attempt: int, payload: bytes, now: float) -> None:
        answers.append(payload)
        refuse(self, attempt, payload, now)

    monkeypatch.setattr(Endpoint, "refuse", spy)
    pair = connected(5)
    block(pair)
    pair.b.crash()
    pair.b.up()
    pair.run(60)
    assert set(answers) == {b""}
    assert pair.peer(pair.at_b).link.state == LinkState.DIALLING, "as if nobody were there"


def test_a_block_is_about_the_key_and_not_the_address() -> None:
    pair = connected(6)
    block(pair)
    become_another(pair.b)
    pair.run(120)
    view = pair.at_a.view
    assert view
    first, second = view.peers
    assert (first.info.blocked, first.info.offered_key) == (True, b"")
    assert (second.info.blocked, second.info.trust) == (False, Trust.PENDING)


def test_a_peer_without_a_key_cannot_be_blocked() -> None:
    pair = Pair(7)
    pair.b.crash()
    pair.run(1)
    assert block(pair) == "not-allowed"


def test_an_address_typed_for_a_blocked_peer_is_dialled_after_the_block() -> None:
    pair = connected(8)
    block(pair)
    asked = pair.at_a.ask(cmd.SetPeer(1, host=B[0], port=B[1]))
    pair.run(10)
    assert pair.at_a.replies[asked].failure
    assert pair.peer(pair.at_a).link.state == LinkState.IDLE
