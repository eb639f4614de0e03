"""Two whole engines on a simulated line: the conversation, its numbers and its states."""

import pytest

from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.reasons import LinkReason, reason
from chatnet_protocol.ipc.rows import LinkState, Trust
from chatnet_protocol.ipc.view import message_state
from chatnet_protocol.limits import MAX_TEXT_BYTES
from simworld.network import Line
from simworld.pair import Pair

BAD_LINE = Line(loss=0.2, duplicate=0.05, jitter_s=0.02, reorder=0.1)


def test_a_text_arrives_with_its_ack_number_and_source() -> None:
    pair = Pair(1)
    pair.at_a.say("hello")
    pair.settle(5)
    (row,) = pair.peer(pair.at_b).messages
    assert (row.text, row.ack, row.source, row.mine) == ("hello", 1, "10.0.0.1:5001", False)
    own = pair.peer(pair.at_a)
    assert own.messages[0].ack == 1
    assert message_state(own.messages[0], own) == "delivered"


def test_states_go_from_queued_to_read() -> None:
    pair = Pair(2)
    pair.run(1)
    pair.set_line(cut=True)
    pair.at_a.say("hello")

    def state() -> str:
        peer = pair.peer(pair.at_a)
        return message_state(peer.messages[0], peer)

    pair.run(0.01)
    assert state() == "queued"
    pair.run(0.5)
    assert state() == "sent"
    pair.set_line(cut=False)
    pair.settle()
    assert state() == "delivered"
    pair.at_b.ask(cmd.MarkShown(1, 1))
    pair.run(0.2)
    assert state() == "shown"
    pair.at_b.ask(cmd.MarkRead(1, 1))
    pair.run(0.2)
    assert state() == "read"
    assert pair.peer(pair.at_b).unread == 0


@pytest.mark.parametrize("seed", range(6))
def test_every_line_once_and_in_order_on_a_bad_line(seed: int) -> None:
    pair = Pair(seed, BAD_LINE)
    said_a = [f"a{n}" for n in range(120)]
    said_b = [f"b{n}" for n in range(120)]
    for a, b in zip(said_a, said_b, strict=True):
        pair.at_a.say(a)
        pair.at_b.say(b)
        pair.run(pair.clock.random.choice([0, 0, 0, 0.01, 0.1]))
    pair.settle()
    pair.check(said_a, said_b)
    assert pair.network.counts["lost"] > 0
    assert [text for _, mine, text in pair.at_b.texts if not mine] == said_a


def test_the_longest_text_crosses_a_bad_line() -> None:
    pair = Pair(3, BAD_LINE)
    text = "ü" * (MAX_TEXT_BYTES // 2)
    pair.at_a.say(text)
    pair.settle()
    pair.check([text], [])


def test_one_typed_address_is_enough() -> None:
    pair = Pair(4, both_dial=False)
    pair.at_a.say("knock")
    pair.run(5)
    assert pair.at_b.view
    (stranger,) = pair.at_b.view.peers
    assert stranger.info.trust == Trust.PENDING
    assert stranger.info.auto_accept_bytes == 0, "its files are asked about, once it is accepted"
    assert pair.peer(pair.at_a).link.state == LinkState.PENDING
    assert pair.texts(pair.b, mine=False) == []
    pair.at_b.ask(cmd.TrustPeer(1, "accept"))
    pair.settle(120)
    pair.check(["knock"], [])


@pytest.mark.parametrize("seed", range(8))
def test_a_caller_may_be_a_stranger_before_its_typed_name_is_looked_up(seed: int) -> None:
    pair = Pair(seed, Line(delay_s=0.002, jitter_s=0.0005), commit_s=(0.001, 0.05))
    pair.at_a.say("x")
    pair.at_b.say("y")
    pair.settle(20)
    pair.check(["x"], ["y"])
    for client in (pair.at_a, pair.at_b):
        assert client.view
        assert [peer.info.trust for peer in client.view.peers] == [Trust.PINNED]


def test_both_see_the_same_safety_number_and_the_pinned_key() -> None:
    pair = Pair(5)
    pair.run(2)
    a, b = pair.peer(pair.at_a).info, pair.peer(pair.at_b).info
    assert a.safety_number == b.safety_number
    assert len(a.safety_number.replace(" ", "")) == 60
    assert (a.trust, b.trust) == (Trust.PINNED, Trust.PINNED)


def test_typing_is_told_and_forgotten() -> None:
    pair = Pair(6)
    pair.run(1)
    pair.at_a.ask(cmd.SetTyping(1, True))
    pair.run(0.2)
    assert pair.peer(pair.at_b).typing
    pair.run(10)
    assert not pair.peer(pair.at_b).typing


def test_a_draft_is_shared_and_the_loser_keeps_its_own() -> None:
    pair = Pair(7)
    second = pair.a.attach("cli")
    pair.run(0.1)
    pair.at_a.ask(cmd.SetDraft(1, "half a thou", 0))
    pair.run(0.1)
    assert second.view
    assert second.view.peers[0].draft == "half a thou"
    lost = second.ask(cmd.SetDraft(1, "mine", 0))
    pair.run(0.1)
    result = second.replies[lost].result
    assert isinstance(result, cmd.DraftSet)
    assert (result.accepted, result.text) == (False, "half a thou")
    pair.at_a.ask(cmd.SendMessage(b"i" * 16, 1, "half a thought", result.revision))
    pair.run(0.5)
    assert second.view.peers[0].draft == ""


def test_the_same_id_is_the_same_message() -> None:
    pair = Pair(8)
    for _ in range(3):
        pair.at_a.ask(cmd.SendMessage(b"i" * 16, 1, "once"))
        pair.run(0.3)
    pair.check(["once"], [])
    numbers = [reply.result for reply in pair.at_a.replies.values()]
    assert numbers.count(cmd.Queued(1, 1)) == 3


def test_our_own_address_is_refused_in_one_sentence() -> None:
    pair = Pair(9)
    pair.at_a.ask(cmd.AddPeer("10.0.0.1", 5001))
    pair.run(5)
    assert pair.at_a.view
    assert pair.at_a.view.peers[1].link.reason == reason(LinkReason.OWN_ADDRESS)
