"""Whose files arrive without a question: a person's choice, else what is known of the peer."""

import msgspec

from chatnet_engine.node.people.auto_accept import by_default, with_choice, with_choice_of
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.reasons import NoticeCode
from chatnet_protocol.ipc.rows import PeerRow, Trust
from chatnet_protocol.limits import AUTO_ACCEPT_BYTES
from simworld.pair import Pair

TYPED = PeerRow(1, "typed", "h", 2, trust=Trust.PINNED)
CALLED = PeerRow(2, "called", "", 0, trust=Trust.PINNED)
VERIFIED = msgspec.structs.replace(CALLED, trust=Trust.VERIFIED)


def test_by_default_only_typed_and_verified_peers_need_no_question() -> None:
    for row in (TYPED, VERIFIED):
        assert by_default(row).auto_accept_bytes == AUTO_ACCEPT_BYTES
    assert by_default(CALLED).auto_accept_bytes == 0


def test_a_choice_outlasts_what_becomes_of_the_peer() -> None:
    for size in (0, 5, 2**62):
        chosen = with_choice(CALLED, size)
        assert chosen.auto_accept_set
        now = by_default(msgspec.structs.replace(chosen, trust=Trust.VERIFIED))
        assert now.auto_accept_bytes == size


def test_a_negative_choice_leaves_it_to_the_default_again() -> None:
    assert with_choice(with_choice(TYPED, 0), -1) == TYPED
    assert with_choice(TYPED, None) == TYPED


def test_a_choice_moves_along_when_two_peers_turn_out_to_be_one() -> None:
    chosen = with_choice(CALLED, 7)
    assert with_choice_of(TYPED, chosen).auto_accept_bytes == 7
    assert with_choice_of(with_choice(TYPED, 9), chosen).auto_accept_bytes == 9
    assert with_choice_of(TYPED, CALLED) == TYPED
    assert with_choice_of(TYPED, None) == TYPED


def decide(pair: Pair, decision: str) -> PeerRow:
    pair.at_b.ask(cmd.TrustPeer(1, decision))
    pair.run(1)
    return pair.peer(pair.at_b).info


def met() -> Pair:
    """B never typed A's address, and has accepted A."""
    pair = Pair(1, both_dial=False)
    pair.run(5)
    assert decide(pair, "accept").auto_accept_bytes == 0
    return pair


def test_a_peer_that_becomes_verified_needs_no_question_any_more() -> None:
    pair = met()
    assert decide(pair, "verified").auto_accept_bytes == AUTO_ACCEPT_BYTES
    assert decide(pair, "unverified").auto_accept_bytes == 0


def test_a_verification_does_not_change_what_a_person_chose() -> None:
    pair = met()
    pair.at_b.ask(cmd.SetPeer(1, auto_accept_bytes=0))
    pair.run(1)
    row = decide(pair, "verified")
    assert (row.auto_accept_bytes, row.auto_accept_set) == (0, True)


def test_a_typed_address_makes_it_a_typed_peer() -> None:
    pair = met()
    pair.at_b.ask(cmd.SetPeer(1, host="10.0.0.1", port=5001))
    pair.run(1)
    assert pair.peer(pair.at_b).info.auto_accept_bytes == AUTO_ACCEPT_BYTES


def test_a_changed_default_is_a_notice_once() -> None:
    pair = Pair(1)
    pair.settle(5)
    pair.b.connection.execute("UPDATE peers SET auto_accept_set = 2")
    for _ in range(2):
        pair.b.crash()
        pair.b.up()
        pair.run(10)
    notices = [event for event in pair.at_b.events if isinstance(event, ev.Notice)]
    assert [one.reason.code for one in notices if one.peer == 1] == [NoticeCode.ASKS_NOW]
