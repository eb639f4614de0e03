"""Who sends more than a conversation does gathers while datagrams cost too much; others never."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_engine.io.datagram_budget import (
    BURST_S,
    FULL_BYTES,
    HOLD_S,
    LONG_HOLD_S,
    PRUNE_AT,
    RATE_S,
    SPENT_S,
    STRANGERS,
    DatagramBudget,
)

FLOOD, FRIEND = 1, 2
DATAGRAM_BYTES = 200


def turn(budget: DatagramBudget, now_s: float, spent_s: float, **counts: int) -> list[int]:
    """One that ended at `now_s` and handled small datagrams of these peers."""
    by_peer = {{"flood": FLOOD, "friend": FRIEND}[name]: count for name, count in counts.items()}
    sizes = {peer: count * DATAGRAM_BYTES for peer, count in by_peer.items()}
    budget.spend(spent_s, sum(sizes.values()), now_s)
    busy = budget.busy(by_peer, sizes, now_s)
    return busy if budget.is_spent else []


def flood_until_held(budget: DatagramBudget, now_s: float = 0.0) -> float:
    """When the busy one was held first."""
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
        budget.spend(0.002, 20 * 1200, number * 0.002)
        assert budget.busy({FLOOD: 20}, {FLOOD: 20 * 1200}, number * 0.002) == []
        assert not budget.is_spent


def test_a_burst_after_a_silence_is_free() -> None:
    budget = DatagramBudget(0.0)
    assert turn(budget, 60.0, BURST_S / 2, flood=4) == []


def test_who_spends_more_than_the_share_is_held() -> None:
    assert flood_until_held(DatagramBudget(0.0)) < 0.3


@pytest.mark.parametrize("alone_s", [0.0005, 0.005])
def test_a_conversation_beside_a_flood_is_not_whatever_its_turns_cost(alone_s: float) -> None:
    """Its datagrams are handled alone, the flood's in batches, so that each of it costs more."""
    budget = DatagramBudget(0.0)
    now_s = flood_until_held(budget)
    for _ in range(1000):
        now_s += 0.04
        assert turn(budget, now_s, 0.008, flood=20) == [FLOOD]
        for _ in range(2):
            assert FRIEND not in turn(budget, now_s + 0.01, alone_s, friend=1)
    assert budget.protects


def test_bulk_beside_a_flood_is_not_held_for_its_datagrams() -> None:
    budget = DatagramBudget(0.0)
    now_s = flood_until_held(budget)
    for _ in range(1000):
        now_s += 0.04
        assert turn(budget, now_s, 0.01, flood=20) == [FLOOD]
        assert FRIEND not in budget.busy({FRIEND: 80}, {FRIEND: 80 * FULL_BYTES}, now_s)


@pytest.mark.parametrize("total_rate", [300, 400, 5000])
def test_a_flood_of_several_is_held_of_each(total_rate: int) -> None:
    budget = DatagramBudget(0.0)
    held: set[int] = set()
    for number in range(1, 5000):
        peer, now_s = number % 5, number / total_rate
        budget.spend(0.0008, DATAGRAM_BYTES, now_s)
        held.update(budget.busy({peer: 1}, {peer: DATAGRAM_BYTES}, now_s))
    assert held == {0, 1, 2, 3, 4}


def test_alone_it_gathers_shortly_and_beside_others_longer() -> None:
    budget = DatagramBudget(0.0)
    now_s = flood_until_held(budget)
    assert not budget.protects, "not beside what itself sent while it was not busy"
    assert budget.hold_s == HOLD_S
    turn(budget, now_s, 0.001, friend=1)
    assert not budget.protects, "a keep-alive is no conversation"
    turn(budget, now_s, 0.001, friend=1)
    assert budget.protects
    assert budget.hold_s == LONG_HOLD_S
    turn(budget, now_s + RATE_S, 0.1, flood=100)
    assert not budget.protects


def test_nobody_waits_beside_strangers() -> None:
    budget = DatagramBudget(0.0)
    now_s = flood_until_held(budget)
    budget.busy({STRANGERS: 20}, {STRANGERS: 20 * DATAGRAM_BYTES}, now_s)
    assert not budget.protects


def test_a_conversation_as_fast_as_the_machine_is_not_held() -> None:
    """Seventy messages a second, each answered at once, with a receipt and its ACK."""
    budget = DatagramBudget(0.0)
    for number in range(1, 5000):
        assert turn(budget, number / 140, 0.0005, friend=1) == []


def test_it_is_forgiven_when_it_has_become_quiet() -> None:
    budget = DatagramBudget(0.0)
    now_s = flood_until_held(budget) + SPENT_S + 1.0
    assert turn(budget, now_s, 0.001, flood=1) == []


def test_quiet_peers_are_forgotten() -> None:
    budget = DatagramBudget(0.0)
    for peer in range(1000):
        budget.busy({peer: 1}, {peer: DATAGRAM_BYTES}, peer * 0.1)
    assert len(budget) <= PRUNE_AT + 10 * RATE_S


def test_a_long_flood_is_paid_for_within_two_seconds() -> None:
    budget = DatagramBudget(0.0)
    now_s = 0.0
    for _ in range(1000):
        now_s += 0.01
        turn(budget, now_s, 0.01, flood=10)
    assert turn(budget, now_s + SPENT_S + 0.5, 0.0, flood=1) == []


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 5.0),
            st.floats(0.0, 0.2),
            st.dictionaries(st.integers(0, 200), st.integers(1, 300), max_size=100),
        ),
        max_size=30,
    )
)
def test_whatever_comes_those_who_are_busy_have_sent_something(
    turns: list[tuple[float, float, dict[int, int]]],
) -> None:
    budget = DatagramBudget(0.0)
    now_s, seen = 0.0, set[int]()
    for pause_s, spent_s, counts in turns:
        now_s += pause_s
        seen |= counts.keys()
        sizes = {peer: count * DATAGRAM_BYTES for peer, count in counts.items()}
        budget.spend(spent_s, sum(sizes.values()), now_s)
        assert seen.issuperset(budget.busy(counts, sizes, now_s))
        assert budget.hold_s > 0


def test_a_turn_after_all_were_forgotten_has_nobody_busy() -> None:
    """Datagrams that had waited are handled, and nothing has arrived since."""
    budget = DatagramBudget(0.0)
    crowd = dict.fromkeys(range(PRUNE_AT + 1), 1)
    budget.busy(crowd, dict.fromkeys(crowd, DATAGRAM_BYTES), 0.0)
    budget.spend(1.0, 1, 10.0)
    assert budget.busy({}, {}, 10.0) == []
