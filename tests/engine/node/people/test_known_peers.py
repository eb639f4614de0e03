"""The file of trusted keys: its lines, and what it says of a history."""

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_engine.addresses import Addr
from chatnet_engine.node.people.known_peers import (
    MAX_KNOWN_PEERS_BYTES,
    KnownPeer,
    KnownPeers,
    owner_of,
    parse_known_peers,
)
from chatnet_engine.node.people.peers import Meaning, Peers, Verdict
from chatnet_engine.secure.identity import checked_key_text, public_key_text
from chatnet_engine.secure.safety_number import safety_number
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.rows import PeerRow, Trust

OWN, KEY, OTHER = b"o" * 32, b"k" * 32, b"x" * 32
BOB = f"bob {checked_key_text(KEY)} 1700000000 no"


def load(*lines: str) -> KnownPeers:
    return KnownPeers(parse_known_peers("".join(f"{line}\n" for line in lines).encode()))


def row(
    key: bytes = KEY, *, name: str = "bob", trust: str = Trust.PINNED, peer: int = 1
) -> PeerRow:
    return PeerRow(peer, name, "host", 9, key=key, trust=trust, safety_number="old")


def test_what_is_not_understood_is_kept() -> None:
    text = f"# mine\n\n{BOB} 2030 more words\n"
    known = load(*text.splitlines())
    known.reconcile([row()], OWN)
    data = known.note([c.StorePeer(row(trust=Trust.VERIFIED))], 5)
    assert data == text.replace(" no ", " yes ").encode()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("bob", "line 2: a peer has a name"),
        (BOB.replace("bob ", ""), "line 2: a peer has a name"),
        (BOB.replace("no", "maybe"), "line 2: the fourth word"),
        (BOB.replace("1700000000", "yesterday"), "line 2: the third word"),
        (BOB.replace(" 17", "a 17"), "line 2: the key does not fit its check"),
        (BOB.replace(f"{checked_key_text(KEY)} ", "key "), "line 2: a public key"),
        (BOB.replace(checked_key_text(KEY)[-3:], "aaa"), "line 2: the key does not fit its check"),
        (BOB.replace("bob", "b%zz"), "line 2: a % in a name"),
        (BOB.replace("bob", "b%4"), "line 2: a % in a name"),
        (BOB.replace("no", "no\n") + BOB, "line 3 repeats the key of line 2"),
    ],
)
def test_a_malformed_line_is_named(line: str, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        load("# first", line)


def test_bytes_that_are_no_text_are_named_by_line() -> None:
    with pytest.raises(DecodeError, match="line 2 is not UTF-8"):
        parse_known_peers(b"# one\n\xff\n")
    with pytest.raises(DecodeError, match="longer than 1 MiB"):
        parse_known_peers(b"#" * (MAX_KNOWN_PEERS_BYTES + 1))


@given(st.binary(max_size=200))
def test_anything_is_read_or_refused(data: bytes) -> None:
    try:
        parse_known_peers(data)
    except DecodeError:
        pass


@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=64).filter(
        lambda name: not name.startswith("\n")
    ),
    st.binary(min_size=32, max_size=32),
    st.booleans(),
)
def test_every_name_survives(name: str, key: bytes, verified: bool) -> None:
    known = KnownPeer(name, key, 7, verified)
    assert parse_known_peers(f"{known.line()}\n".encode()) == [known]


def test_a_pin_is_written_a_stranger_is_not() -> None:
    known = KnownPeers()
    assert known.note([c.StorePeer(row(b"", trust=Trust.NONE))], 1) is None
    assert known.note([c.StorePeer(row(trust=Trust.PENDING))], 1) is None
    data = known.note([c.StorePeer(row())], 1_700_000_000)
    assert data == f"{BOB}\n".encode()
    assert known.note([c.StorePeer(row())], 1_800_000_000) is None


def test_a_replaced_key_takes_the_place_of_the_old_one() -> None:
    known = load(BOB, "# end")
    known.reconcile([row()], OWN)
    data = known.note([c.StorePeer(row(OTHER))], 1_800_000_000)
    assert data == f"bob {checked_key_text(OTHER)} 1800000000 no\n# end\n".encode()


def test_a_removed_peer_is_forgotten_there_too() -> None:
    known = load(BOB)
    known.reconcile([row()], OWN)
    assert known.note([c.ForgetPeer(1)], 1) == b""


def test_what_is_not_about_peers_changes_nothing_and_takes_nothing_back() -> None:
    known = load(BOB)
    assert known.note([c.StorePeer(row(name="Robert"))], 1) is not None
    written = known.encode()
    assert known.note([c.StoreMarks(1, sent_seq=1)], 2) is None
    known.handle_failed()
    assert known.encode() == written
    assert known.note([c.StorePeer(row(name="Robert"))], 3) is None


def test_a_merged_peer_keeps_the_one_line_of_its_key() -> None:
    known = load(BOB)
    rows = [row(), row(b"", name="typed", trust=Trust.NONE, peer=2)]
    known.reconcile(rows, OWN)
    assert known.note([c.ForgetPeer(2, 1), c.StorePeer(rows[0])], 1) is None


def test_a_key_that_the_file_does_not_name_is_a_changed_key() -> None:
    known = load("# somebody emptied this")
    (changed,) = known.reconcile([row(trust=Trust.VERIFIED)], OWN)
    assert changed.trust == Trust.PINNED
    peers = Peers([changed], OWN, known)

    def typed(addrs: Iterable[Addr]) -> list[int]:
        return [1] if ("10.0.0.2", 9) in addrs else []

    for key in (KEY, OTHER):
        assert peers.judge_dialled(1, key) == Verdict(Meaning.KEY_CHANGED, 1)
    for addr in (("10.0.0.2", 9), ("10.7.7.7", 9)):
        assert peers.judge_caller(KEY, addr, 9, typed) == Verdict(Meaning.KEY_CHANGED, 1)
    assert known.note([c.StorePeer(changed)], 1) is None
    known.vouch(1)
    assert known.note([c.StorePeer(changed)], 1) is not None
    assert peers.judge_dialled(1, KEY) == Verdict(Meaning.KNOWN, 1)


def test_a_doubted_key_at_another_typed_address_is_not_pinned_there() -> None:
    known = KnownPeers()
    rows = [row(), row(b"", name="typed", trust=Trust.NONE, peer=2)]
    known.reconcile(rows, OWN)
    assert Peers(rows, OWN, known).judge_dialled(2, KEY) == Verdict(Meaning.KEY_CHANGED, 1)


def test_the_file_has_the_last_word_about_a_peer_of_its_name() -> None:
    for held in (b"", OTHER):
        known = load(BOB.replace("no", "yes"))
        (changed,) = known.reconcile([row(held, trust=Trust.NONE if not held else "pinned")], OWN)
        assert (changed.key, changed.trust) == (KEY, Trust.VERIFIED)
        assert changed.safety_number == safety_number(OWN, KEY)
        assert not known.unlisted


def test_a_name_that_two_have_says_nothing() -> None:
    known = load(BOB)
    rows = [row(b"", trust=Trust.NONE), row(b"", trust=Trust.NONE, peer=2)]
    assert known.reconcile(rows, OWN) == []


def test_a_new_peer_has_the_key_that_its_name_has_in_the_file() -> None:
    known = load(BOB)
    new = row(b"", trust=Trust.NONE, peer=0)
    assert known.adopt(new, OWN, []).key == KEY
    assert known.adopt(new, OWN, [KEY]).key == b""
    assert known.adopt(row(b"", name="eve", trust=Trust.NONE), OWN, []).key == b""


def test_a_doubted_peer_that_is_removed_is_not_doubted_any_more() -> None:
    known = KnownPeers()
    known.reconcile([row()], OWN)
    known.note([c.ForgetPeer(1)], 1)
    assert not known.unlisted


def test_the_file_names_its_owner_from_its_first_line_on() -> None:
    known = load("# mine", BOB)
    known.claim(OWN)
    known.claim(OWN)
    assert owner_of(parse_known_peers(known.encode())) == OWN
    assert known.encode().splitlines()[1:] == [b"# mine", BOB.encode()]
    known.claim(OTHER)
    assert owner_of(parse_known_peers(known.encode())) == OTHER
    damaged = known.encode().replace(b" of ", b" of a")
    with pytest.raises(DecodeError, match="line 1: "):
        owner_of(parse_known_peers(damaged))


def test_a_bare_key_will_do_and_gets_its_check() -> None:
    known = load(f"bob {public_key_text(KEY)} 1700000000 no")
    assert known.encode() == f"{BOB}\n".encode()


def test_safety_numbers_that_an_adopted_history_lacks_are_computed() -> None:
    known = load(BOB)
    rows = [
        row(peer=1),
        row(OTHER, name="unlisted", peer=2),
        row(b"p" * 32, trust=Trust.PENDING, peer=3),
    ]
    changed = known.reconcile([msgspec.structs.replace(r, safety_number="") for r in rows], OWN)
    assert [(r.key, r.trust) for r in sorted(changed, key=lambda r: r.peer)] == [
        (r.key, r.trust) for r in rows
    ]
    assert all(r.safety_number == safety_number(OWN, r.key) for r in changed)
