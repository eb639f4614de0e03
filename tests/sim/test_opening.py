"""How long a person waits for a fresh link on a bad line: lost handshakes are repeated early."""

from chatnet_protocol.ipc.rows import LinkState
from simworld.client import SimClient
from simworld.network import Line
from simworld.pair import Pair

SEEDS = range(60)


def is_up(client: SimClient) -> bool:
    return bool(
        client.view and client.view.peers and client.view.peers[0].link.state == LinkState.UP
    )


def opening_s(seed: int, loss: float) -> float:
    """From the dials until the link is up on both sides; a round trip takes 50 ms."""
    pair = Pair(seed, Line(delay_s=0.025, loss=loss))
    pair.clock.run(1060.0, lambda: is_up(pair.at_a) and is_up(pair.at_b))
    return pair.clock.now_s - 1000.0


def test_a_fresh_link_is_open_within_a_moment_where_a_fifth_is_lost() -> None:
    times_s = sorted(opening_s(seed, 0.2) for seed in SEEDS)
    assert times_s[len(times_s) // 2] <= 0.3
    assert times_s[int(0.95 * len(times_s))] <= 1.2


def test_a_fresh_link_is_open_after_two_round_trips_where_nothing_is_lost() -> None:
    assert max(opening_s(seed, 0.0) for seed in SEEDS[:10]) <= 0.11
