"""What waits for the store is bounded, and asked for a few at a time."""

from chatnet_engine.files.lookups import IDS_AT_A_TIME, MAX_LOOKUPS, MAX_WAITING_CONTROLS, Lookups
from chatnet_protocol.wire import control as ct


def control(number: int) -> ct.TransferStatus:
    return ct.TransferStatus(number.to_bytes(16), False)


def test_a_few_are_asked_for_at_a_time() -> None:
    lookups = Lookups()
    assert lookups.take() == []
    for number in range(IDS_AT_A_TIME + 1):
        lookups.wait(1, control(number))
    first = lookups.take()
    assert first == [control(n).id for n in range(IDS_AT_A_TIME)]
    assert lookups.take() == []
    assert [lookups.pop(one) for one in first] == [[(1, control(n))] for n in range(IDS_AT_A_TIME)]
    assert lookups.take() == [control(IDS_AT_A_TIME).id]


def test_what_a_peer_can_make_wait_is_bounded() -> None:
    lookups = Lookups()
    for number in range(MAX_LOOKUPS + 5):
        lookups.wait(1, control(number))
    asked = 0
    while ids := lookups.take():
        asked += len(ids)
        for one in ids:
            lookups.pop(one)
    assert asked == MAX_LOOKUPS
    assert not lookups._by
    assert not lookups._begun
    for held in range(MAX_WAITING_CONTROLS + 2):
        lookups.wait(held, control(1))
    (one,) = lookups.take()
    assert [peer for peer, _ in lookups.pop(one)] == list(range(2, MAX_WAITING_CONTROLS + 2))


def test_a_peer_that_fills_its_places_leaves_those_of_the_others() -> None:
    lookups = Lookups()
    for number in range(MAX_LOOKUPS + 5):
        lookups.wait(1, control(number))
    lookups.wait(2, control(10**6))
    asked: list[bytes] = []
    while ids := lookups.take():
        asked += ids
        for one in ids:
            lookups.pop(one)
    assert asked[-1] == control(10**6).id


def test_a_removed_peer_waits_for_nothing() -> None:
    lookups = Lookups()
    lookups.wait(1, control(1))
    lookups.wait(2, control(1))
    lookups.forget(1)
    (one,) = lookups.take()
    assert lookups.pop(one) == [(2, control(1))]
