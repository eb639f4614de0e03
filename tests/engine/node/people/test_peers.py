"""What a key that shows up means."""

from collections.abc import Iterable

import pytest

from chatnet_engine.addresses import Addr
from chatnet_engine.node.people.known_peers import KnownPeers
from chatnet_engine.node.people.peers import Meaning, Peers, Verdict
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.rows import PeerRow, Trust

OWN, KEY, OTHER = b"o" * 32, b"k" * 32, b"x" * 32
ADDR = ("10.0.0.2", 5002)


def typed_there(addrs: Iterable[Addr]) -> list[int]:
    return [1] if ADDR in addrs else []


def typed(key: bytes = b"", trust: str = Trust.NONE) -> PeerRow:
    return PeerRow(1, "bob", "bob.example", 5002, key=key, trust=trust)


def known(number: int, key: bytes, trust: str = Trust.PINNED) -> PeerRow:
    return PeerRow(number, "carol", "", 0, key=key, trust=trust)


def test_a_dialled_peer_without_a_key_is_pinned() -> None:
    assert Peers([typed()], OWN).judge_dialled(1, KEY) == Verdict(Meaning.PIN, 1)


def test_a_dialled_peer_with_its_key_is_known_and_with_another_is_not() -> None:
    peers = Peers([typed(KEY, Trust.PINNED)], OWN)
    assert peers.judge_dialled(1, KEY) == Verdict(Meaning.KNOWN, 1)
    assert peers.judge_dialled(1, OTHER) == Verdict(Meaning.KEY_CHANGED, 1)


def test_a_key_of_another_peer_at_a_typed_address_is_the_same_person() -> None:
    peers = Peers([typed(), known(2, KEY)], OWN)
    assert peers.judge_dialled(1, KEY) == Verdict(Meaning.MERGE, 2, 1)
    assert peers.judge_caller(KEY, ADDR, 5002, typed_there) == Verdict(Meaning.MERGE, 2, 1)


def test_a_pending_stranger_that_is_typed_now_becomes_the_typed_peer() -> None:
    peers = Peers([typed(), known(2, KEY, Trust.PENDING)], OWN)
    assert peers.judge_dialled(1, KEY) == Verdict(Meaning.MERGE, 1, 2)
    assert peers.judge_caller(KEY, ADDR, 5002, typed_there) == Verdict(Meaning.MERGE, 1, 2)


@pytest.mark.parametrize("addr", [ADDR, ("10.0.0.2", 40000)])
def test_a_caller_from_a_typed_address_is_pinned_by_source_or_claimed_port(
    addr: tuple[str, int],
) -> None:
    assert Peers([typed()], OWN).judge_caller(KEY, addr, 5002, typed_there) == Verdict(
        Meaning.PIN, 1
    )


def test_a_caller_from_elsewhere_is_a_stranger_and_stays_one() -> None:
    assert Peers([typed()], OWN).judge_caller(KEY, ("10.9.9.9", 1), 1, typed_there) == Verdict(
        Meaning.STRANGER
    )
    peers = Peers([typed(), known(2, KEY, Trust.PENDING)], OWN)
    assert peers.judge_caller(KEY, ("10.9.9.9", 1), 1, typed_there) == Verdict(Meaning.PENDING, 2)


def test_two_typed_peers_at_one_address_pin_nobody() -> None:
    two = [typed(), PeerRow(2, "eve", "eve.example", 5002)]
    verdict = Peers(two, OWN).judge_caller(KEY, ADDR, 5002, lambda addrs: [1, 2])
    assert verdict == Verdict(Meaning.STRANGER)


def test_a_known_key_is_known_from_anywhere() -> None:
    peers = Peers([typed(KEY, Trust.PINNED)], OWN)
    assert peers.judge_caller(KEY, ("10.9.9.9", 1), 1, typed_there) == Verdict(Meaning.KNOWN, 1)


def test_another_key_from_a_pinned_address_is_a_key_change() -> None:
    peers = Peers([typed(KEY, Trust.PINNED)], OWN)
    assert peers.judge_caller(OTHER, ADDR, 5002, typed_there) == Verdict(Meaning.KEY_CHANGED, 1)


def test_our_own_key_is_ourselves() -> None:
    peers = Peers([typed()], OWN)
    assert peers.judge_dialled(1, OWN).meaning is Meaning.OURSELVES
    assert peers.judge_caller(OWN, ADDR, 5002, typed_there).meaning is Meaning.OURSELVES


def test_rows_are_found_by_number_key_and_typed_address() -> None:
    peers = Peers([typed(KEY, Trust.PINNED)], OWN)
    assert peers.by_key(KEY) == peers.typed_at("bob.example", 5002) == peers.need(1)
    assert peers.get(9) is None
    with pytest.raises(CommandError) as caught:
        peers.need(9)
    assert caught.value.code == ErrorCode.UNKNOWN_PEER
    peers.remove(1)
    assert len(peers) == peers.pending == 0


def test_a_key_is_found_while_somebody_has_it() -> None:
    peers = Peers([typed(), known(2, KEY)], OWN)
    peers.put(typed(KEY))
    assert peers.by_key(KEY) == typed(KEY), "of two that share a key the first"
    peers.put(typed(OTHER))
    assert (peers.by_key(KEY), peers.by_key(OTHER)) == (known(2, KEY), typed(OTHER))
    peers.retire(2)
    assert peers.by_key(KEY) is None
    assert peers.take_back(2) == peers.by_key(KEY) == known(2, KEY)
    peers.remove(2)
    peers.remove(2)
    assert peers.by_key(KEY) is None
    peers.put(typed(OTHER))
    assert peers.by_key(OTHER) == typed(OTHER)


def invited(number: int = 1) -> PeerRow:
    return PeerRow(number, "bob", "bob.example", 5002, trust=Trust.INVITED)


def test_an_invited_peer_is_not_pinned_by_its_address_alone() -> None:
    peers = Peers([invited()], OWN)
    assert peers.judge_dialled(1, KEY) == Verdict(Meaning.UNPROVEN, 1)
    assert peers.judge_caller(KEY, ADDR, 5002, typed_there) == Verdict(Meaning.UNINVITED, 1)
    knocked = Peers([invited(), known(2, KEY, Trust.PENDING)], OWN)
    assert knocked.judge_dialled(1, KEY) == Verdict(Meaning.UNPROVEN, 1)
    assert knocked.judge_caller(KEY, ADDR, 5002, typed_there) == Verdict(Meaning.PENDING, 2)


def test_whoever_knows_the_invite_is_pinned_or_recognised() -> None:
    assert Peers([invited()], OWN).judge_invited(1, KEY) == Verdict(Meaning.PIN, 1)
    knocked = Peers([invited(), known(2, KEY, Trust.PENDING)], OWN)
    assert knocked.judge_invited(1, KEY) == Verdict(Meaning.MERGE, 1, 2)
    friend = Peers([invited(), known(2, KEY)], OWN)
    assert friend.judge_invited(1, KEY) == Verdict(Meaning.MERGE, 2, 1)
    assert friend.judge_dialled(1, KEY) == Verdict(Meaning.MERGE, 2, 1)
    assert friend.judge_invited(1, OWN) == Verdict(Meaning.OURSELVES, 1)
    doubting = KnownPeers()
    doubting.reconcile([known(2, KEY)], OWN)
    unlisted = Peers([invited(), known(2, KEY)], OWN, doubting)
    assert unlisted.judge_invited(1, KEY) == Verdict(Meaning.KEY_CHANGED, 2)
