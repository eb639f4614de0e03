import pytest

from chatnet_engine.deadlines import TICK_S
from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.session import MAX_SEALED_BYTES, Session, Slots
from chatnet_protocol.errors import LocalProtocolError
from chatnet_protocol.limits import MAX_DATAGRAM_BYTES, MAX_PACKET_NUMBER, MAX_PAYLOAD_BYTES

KEYS = bytes([1]) * 32, bytes([2]) * 32
LINK, OTHER = (1, 2), (1, 3)


def session(
    *,
    link: tuple[int, int] = LINK,
    initiator: bool = True,
    ephemeral: int = 0,
    started: float = 0.0,
    made: float | None = None,
    keys: tuple[bytes, bytes] = KEYS,
    handshake_hash: bytes = bytes(32),
) -> Session:
    return Session(
        peer=1,
        key=bytes(32),
        link=link,
        index=1,
        remote_index=2,
        keys=keys,
        initiator=initiator,
        ephemeral=bytes([ephemeral]) * 32,
        handshake_hash=handshake_hash,
        fin=b"",
        psk=False,
        started=started,
        now=started if made is None else made,
    )


def two_ends() -> tuple[Session, Session]:
    return session(), session(keys=KEYS[::-1])


@pytest.mark.parametrize("size", [0, 1, 15, 16, 1153, 1168])
def test_a_payload_costs_header_and_tag_and_nothing_else(size: int) -> None:
    sender, receiver = two_ends()
    sealed = sender.seal(3, b"\x07" * size)
    assert len(sealed) == 16 + size + 16
    assert receiver.open(sealed) == b"\x07" * size


def test_the_largest_payloads_fit() -> None:
    sender, _ = two_ends()
    assert len(sender.seal(1, bytes(MAX_PAYLOAD_BYTES))) == 1200
    assert len(sender.seal(2, bytes(MAX_SEALED_BYTES))) == MAX_DATAGRAM_BYTES
    with pytest.raises(LocalProtocolError, match="fit"):
        sender.seal(3, bytes(MAX_SEALED_BYTES + 1))


def test_numbers_only_rise_and_end_at_the_limit() -> None:
    sender, _ = two_ends()
    with pytest.raises(LocalProtocolError, match="used up"):
        sender.seal(-1, b"")
    sender.seal(0, b"")
    sender.seal(MAX_PACKET_NUMBER - 1, b"")
    for number in (0, 5, MAX_PACKET_NUMBER - 1, MAX_PACKET_NUMBER):
        with pytest.raises(LocalProtocolError, match="used up"):
            sender.seal(number, b"")


def test_header_and_payload_are_authenticated() -> None:
    sender, receiver = two_ends()
    sealed = sender.seal(3, b"text")
    for at in range(len(sealed)):
        forged = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        assert receiver.open(forged) is None
    assert receiver.open(sealed[:20]) is None
    assert sender.open(sealed) is None
    assert receiver.open(sealed) is not None


@pytest.mark.parametrize(("initiator", "least_s", "most_s"), [(True, 100, 120), (False, 130, 150)])
def test_each_role_rekeys_at_its_own_age(initiator: bool, least_s: int, most_s: int) -> None:
    """Spread by the handshake, and at ticks."""
    ages = set()
    for first in range(256):
        drawn = session(started=5.0, initiator=initiator, handshake_hash=bytes([first]) * 32)
        ages.add(drawn.rekey_at(SecureConfig()) - 5.0)
    assert least_s <= min(ages) < least_s + 1
    assert most_s - 1 < max(ages) <= most_s
    assert len(ages) > 50
    assert all(age % TICK_S == 0 for age in ages)


def test_next_current_previous() -> None:
    slots = Slots()
    first, second, third = (session(started=t) for t in (1.0, 2.0, 3.0))
    assert slots.sending is None
    assert slots.put_next(first) == []
    assert slots.sending is first
    assert slots.promote(first, 1.5) == []
    slots.put_next(second)
    assert slots.sending is first
    assert slots.promote(second, 2.5) == []
    assert (slots.next, slots.current, slots.previous) == (None, second, first)
    assert slots.promote(third, 3.5) == [first]
    assert slots.all() == [third, second]
    for gone in (third, second):
        slots.remove(gone)
    assert slots.all() == []


def test_a_second_next_displaces_the_first() -> None:
    slots = Slots()
    first, second = session(), session()
    slots.put_next(first)
    assert slots.put_next(second) == [first]
    slots.remove(second)
    assert slots.next is None


def test_a_session_of_a_new_link_erases_those_of_the_old_one() -> None:
    slots = Slots()
    old, older, pending = session(started=2.0), session(started=1.0), session(started=3.0)
    slots.promote(older, 1.0)
    slots.promote(old, 2.0)
    slots.put_next(pending)
    fresh = session(link=OTHER, started=4.0)
    assert set(map(id, slots.promote(fresh, 4.0))) == {id(old), id(older), id(pending)}
    assert slots.all() == [fresh]


def test_a_delayed_handshake_of_another_link_is_erased_itself() -> None:
    slots = Slots()
    current = session(link=OTHER, started=5.0)
    slots.promote(current, 5.0)
    late = session(started=4.0)
    assert slots.is_stale(LINK, 4.0)
    assert not slots.is_stale(LINK, 6.0)
    assert not slots.is_stale(OTHER, 4.0)
    slots.next = late
    assert slots.promote(late, 6.0) == [late]
    assert slots.all() == [current]


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_crossing_handshakes_are_settled_by_the_larger_ephemeral(first: str) -> None:
    """Whatever arrives first, both sides end with the same current session."""
    ours = session(initiator=True, ephemeral=9, started=1.0)
    theirs = session(initiator=False, ephemeral=5, started=1.1)
    slots = Slots()
    slots.put_next(ours)
    order = [ours, theirs] if first == "ours" else [theirs, ours]
    for when, one in enumerate(order):
        assert slots.promote(one, 2.0 + when) == []
    assert (slots.current, slots.previous) == (ours, theirs)


def test_a_handshake_begun_after_the_current_was_settled_crosses_nothing() -> None:
    slots = Slots()
    slots.promote(session(ephemeral=9, started=1.0), 2.0)
    later = session(initiator=False, ephemeral=5, started=2.5)
    slots.promote(later, 3.0)
    assert slots.current is later


def test_a_handshake_begun_before_the_present_session_was_made_is_stale() -> None:
    """Our INIT was out first, but its answer came later than the other link's INIT."""
    slots = Slots()
    slots.put_next(session(link=OTHER, started=0.0, made=2.0))
    assert slots.is_stale(LINK, 1.0)
    assert not slots.is_stale(LINK, 2.0)


@pytest.mark.parametrize(("ephemeral", "wins"), [(9, False), (3, True)])
def test_a_handshake_begun_at_the_instant_of_settling_still_crosses(
    ephemeral: int, wins: bool
) -> None:
    """One reading of the clock serves a batch: INIT may have come before what settled ours."""
    slots = Slots()
    current = session(ephemeral=ephemeral, started=1.0)
    slots.promote(current, 2.0)
    newcomer = session(initiator=False, ephemeral=5, started=2.0)
    slots.promote(newcomer, 2.1)
    assert (slots.current is newcomer) == wins
    assert (slots.previous is current) == wins
