"""Ten minutes without a line and thousands of messages on both sides: equal soon after it heals."""

from collections.abc import Callable

import pytest

from chatnet_engine.addresses import Addr
from chatnet_protocol.limits import MAX_MESSAGES_IN_WINDOW
from simworld.network import Line
from simworld.pair import Pair

MESSAGES = 2000
"""On each side. With 20,000 (seeds 1 to 3) the histories were equal after 3.0 to 3.2 s."""
CUT_S = 600.0
FIRST_S, EQUAL_S = 2.0, 30.0


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("talked_before", [True, False])
def test_after_ten_minutes_apart_both_histories_are_equal_within_half_a_minute(
    seed: int, talked_before: bool
) -> None:
    pair = Pair(seed, Line(delay_s=0.025, loss=0.01, cut=not talked_before))
    pair.run(2)
    pair.set_line(cut=True)
    said: dict[str, list[str]] = {"a": [], "b": []}
    for number in range(MESSAGES):
        for client in (pair.at_a, pair.at_b):
            text = f"{client.engine.name} {number} ".ljust(100, "x")
            said[client.engine.name].append(text)
            client.say(text)
    pair.run(CUT_S)
    assert pair.all_queued()
    lost = pair.network.counts["cut"]
    assert lost > 2 * CUT_S / 2, "something is sent at least every 2 s, both ways"
    assert lost < 2 * CUT_S * 2 + MAX_MESSAGES_IN_WINDOW / 5, "and hardly more"

    arrived_s: list[float] = []
    for engine in (pair.a, pair.b):
        pair.network.listen(engine.addr, _noting(pair, engine._receive, arrived_s))
    pair.set_line(cut=False)
    healed_s = pair.clock.now_s
    assert pair.clock.run(healed_s + FIRST_S, lambda: bool(arrived_s)), "no packet in 2 s"
    assert pair.clock.run(arrived_s[0] + EQUAL_S, pair.settled)
    pair.check(said["a"], said["b"])


def _noting(
    pair: Pair, receive: Callable[[bytes, Addr], None], arrived_s: list[float]
) -> Callable[[bytes, Addr], None]:
    def noted(data: bytes, source: Addr) -> None:
        arrived_s.append(pair.clock.now_s)
        receive(data, source)

    return noted
