import pytest

from chatnet_engine.deadlines import TICK_S
from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.session import MAX_SEALED_BYTES, Session, Slots, is_upkeep
from chatnet_protocol.errors import LocalProtocolError
from chatnet_protocol.limits import MAX_DATAGRAM_BYTES, MAX_PACKET_NUMBER, MAX_PAYLOAD_BYTES
from chatnet_protocol.wire import frames

CONFIG = SecureConfig()
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
        drawn.wake(CONFIG, 5.0)
        ages.add(drawn.rekey_at(CONFIG) - 5.0)
    assert least_s <= min(ages) < least_s + 1
    assert most_s - 1 < max(ages) <= most_s
    assert len(ages) > 50
    assert all(age % TICK_S == 0 for age in ages)


@pytest.mark.parametrize(
    ("woken_after_s", "rested_s"),
    [
        (None, CONFIG.rest_s),
        (0.0, 0.0),
        (CONFIG.rest_from_s, 0.0),
        (CONFIG.rest_from_s + 7.0, 7.0),
        (CONFIG.rest_from_s + CONFIG.rest_s - 1.0, CONFIG.rest_s - 1.0),
        (CONFIG.rest_from_s + CONFIG.rest_s, CONFIG.rest_s),
        (CONFIG.rest_from_s + CONFIG.rest_s + 7.0, CONFIG.rest_s),
    ],
)
def test_a_session_rests_until_content_passes(woken_after_s: float | None, rested_s: float) -> None:
    always, resting = session(started=5.0), session(started=5.0)
    always.wake(CONFIG, 5.0)
    for each in (always, resting):
        assert each.ends_at(CONFIG) == 5.0 + CONFIG.reject_after_s  # nobody knows that both hold it
        each.settle(CONFIG, 6.0)
    if woken_after_s is not None:
        resting.wake(CONFIG, 5.0 + woken_after_s)
        resting.wake(CONFIG, 5.0 + 2 * woken_after_s)  # more of it changes nothing
    assert resting.carried == (woken_after_s is not None)
    assert resting.rekey_at(CONFIG) == always.rekey_at(CONFIG) + rested_s
    assert resting.ends_at(CONFIG) == always.ends_at(CONFIG) + rested_s
    assert always.ends_at(CONFIG) == 5.0 + CONFIG.reject_after_s


@pytest.mark.parametrize("rests", [True, False])
def test_keys_are_erased_within_180_s_of_the_first_content_whenever_that_is(rests: bool) -> None:
    life_s = int(CONFIG.reject_after_s + (CONFIG.rest_s if rests else 0.0))
    for content_after_s in range(life_s):
        one = session(started=5.0)
        if rests:
            one.settle(CONFIG, 5.0)
        first = 5.0 + content_after_s
        one.wake(CONFIG, first)
        assert first < one.ends_at(CONFIG) <= first + CONFIG.reject_after_s
        assert one.rekey_at(CONFIG) < one.ends_at(CONFIG) <= 5.0 + life_s


@pytest.mark.parametrize(
    ("payload", "upkeep"),
    [
        (b"", False),
        (frames.encode_ping(), True),
        (frames.encode_mtu_probe(1200), True),
        (frames.encode_ack(0, [(0, 3)]) + frames.encode_ping(), True),
        (frames.encode_path_challenge(bytes(8)) + frames.encode_path_response(bytes(8)), True),
        (frames.encode_hello(b"name"), False),
        (frames.encode_message(0, 1, 0, 8, b"text"), False),
        (frames.encode_ack(0, [(0, 3)]) + frames.encode_messages(0, 1, [b"text"]), False),
        (frames.encode_receipt(1, 1, 1), False),
        (frames.encode_channel_receipt(1, 1), False),
        (frames.encode_state(1, 1, b"typing"), False),
        (frames.encode_close(1, "bye"), False),
        (frames.encode_ping() + b"\xff", False),
        (frames.encode_ack(0, [(0, 3)])[:-1], False),
    ],
)
def test_all_but_what_keeps_a_link_alive_is_content(payload: bytes, upkeep: bool) -> None:
    assert is_upkeep(payload) == upkeep
    one = session(started=5.0)
    assert one.carry([frames.encode_ping(), payload], CONFIG, 6.0) is not upkeep
    assert one.carried is not upkeep
    assert not one.carry([payload], CONFIG, 7.0), "only the first content changes anything"


def test_a_session_whose_place_another_takes_rests_no_more() -> None:
    slots = Slots()
    first, second = session(started=1.0), session(started=2.0)
    slots.promote(first, CONFIG, 1.0)
    slots.promote(second, CONFIG, 2.0)
    assert slots.take_expired(CONFIG, 1.0 + CONFIG.reject_after_s) == [first]
    assert slots.take_expired(CONFIG, 2.0 + CONFIG.reject_after_s + CONFIG.rest_s - 0.1) == []
    assert slots.take_expired(CONFIG, 2.0 + CONFIG.reject_after_s + CONFIG.rest_s) == [second]


def test_next_current_previous() -> None:
    slots = Slots()
    first, second, third = (session(started=t) for t in (1.0, 2.0, 3.0))
    assert slots.sending is None
    assert slots.put_next(first) == []
    assert slots.sending is first
    assert slots.promote(first, CONFIG, 1.5) == []
    slots.put_next(second)
    assert slots.sending is first
    assert slots.promote(second, CONFIG, 2.5) == []
    assert (slots.next, slots.current, slots.previous) == (None, second, first)
    assert slots.promote(third, CONFIG, 3.5) == [first]
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
    slots.promote(older, CONFIG, 1.0)
    slots.promote(old, CONFIG, 2.0)
    slots.put_next(pending)
    fresh = session(link=OTHER, started=4.0)
    assert set(map(id, slots.promote(fresh, CONFIG, 4.0))) == {id(old), id(older), id(pending)}
    assert slots.all() == [fresh]


def test_a_delayed_handshake_of_another_link_is_erased_itself() -> None:
    slots = Slots()
    current = session(link=OTHER, started=5.0)
    slots.promote(current, CONFIG, 5.0)
    late = session(started=4.0)
    assert slots.is_stale(LINK, 4.0)
    assert not slots.is_stale(LINK, 6.0)
    assert not slots.is_stale(OTHER, 4.0)
    slots.next = late
    assert slots.promote(late, CONFIG, 6.0) == [late]
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
        assert slots.promote(one, CONFIG, 2.0 + when) == []
    assert (slots.current, slots.previous) == (ours, theirs)


def test_a_handshake_begun_after_the_current_was_settled_crosses_nothing() -> None:
    slots = Slots()
    slots.promote(session(ephemeral=9, started=1.0), CONFIG, 2.0)
    later = session(initiator=False, ephemeral=5, started=2.5)
    slots.promote(later, CONFIG, 3.0)
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
    slots.promote(current, CONFIG, 2.0)
    newcomer = session(initiator=False, ephemeral=5, started=2.0)
    slots.promote(newcomer, CONFIG, 2.1)
    assert (slots.current is newcomer) == wins
    assert (slots.previous is current) == wins
