"""Who costs more than the share of all gathers; thin streams and bulk never do."""

from chatnet_engine.io.datagram_budget import (
    BURST_S,
    COSTLY_S,
    HOLD_S,
    LONG_HOLD_S,
    PROTECTED_S,
    PRUNE_AT,
    DatagramBudget,
)

FLOOD, FRIEND = 1, 2
DATAGRAM_BYTES = 200


def turn(budget: DatagramBudget, now_s: float, spent_s: float, **counts: int) -> list[int]:
    """One that ended at `now_s` and handled small datagrams of these peers."""
    by_peer = {{"flood": FLOOD, "friend": FRIEND}[name]: count for name, count in counts.items()}
    return budget.spend(spent_s, DATAGRAM_BYTES * sum(by_peer.values()), by_peer, now_s)


def flood_until_held(budget: DatagramBudget, now_s: float = 0.0) -> float:
    """When the costly one was held first."""
    for _ in range(1000):
        now_s += 0.002
        if turn(budget, now_s, 0.001, flood=1):
            return now_s
    raise AssertionError("it is never held")


def test_a_thin_stream_is_never_held() -> None:
    budget = DatagramBudget(0.0)
    for number in range(1, 5000):
        assert turn(budget, number / 150, 0.0005, flood=1) == []


def test_bulk_pays_for_itself() -> None:
    budget = DatagramBudget(0.0)
    for number in range(1, 5000):
        assert budget.spend(0.002, 20 * 1200, {FLOOD: 20}, number * 0.002) == []


def test_a_burst_after_a_silence_is_free() -> None:
    budget = DatagramBudget(0.0)
    assert turn(budget, 60.0, BURST_S / 2, flood=4) == []


def test_who_spends_more_than_the_share_is_held() -> None:
    assert flood_until_held(DatagramBudget(0.0)) < 0.1


def test_who_sends_little_beside_a_flood_is_not() -> None:
    budget = DatagramBudget(0.0)
    now_s = flood_until_held(budget)
    for _ in range(1000):
        now_s += 0.05
        assert turn(budget, now_s, 0.011, flood=20, friend=1) == [FLOOD]


def test_alone_it_gathers_shortly_and_beside_others_longer() -> None:
    budget = DatagramBudget(0.0)
    now_s = flood_until_held(budget, PROTECTED_S)
    turn(budget, now_s + PROTECTED_S, 0.1, flood=100)
    assert not budget.protects
    assert budget.hold_s == HOLD_S
    turn(budget, now_s + PROTECTED_S, 0.001, friend=1)
    assert budget.protects
    assert budget.hold_s == LONG_HOLD_S


def test_it_is_forgiven_when_it_has_become_quiet() -> None:
    budget = DatagramBudget(0.0)
    now_s = flood_until_held(budget) + COSTLY_S + 1.0
    assert turn(budget, now_s, 0.001, flood=1) == []


def test_quiet_peers_are_forgotten() -> None:
    budget = DatagramBudget(0.0)
    for peer in range(1000):
        budget.spend(0.0001, DATAGRAM_BYTES, {peer: 1}, peer * 0.1)
    assert len(budget) <= PRUNE_AT + 1


def test_a_long_flood_is_paid_for_within_two_seconds() -> None:
    budget = DatagramBudget(0.0)
    now_s = 0.0
    for _ in range(1000):
        now_s += 0.01
        turn(budget, now_s, 0.01, flood=10)
    assert turn(budget, now_s + COSTLY_S + 0.5, 0.0, flood=1) == []
