"""What a turn of the endpoint costs depends on what is due, not on how many peers there are."""

import random

from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.secure.identity import Identity
from hostile.cost import Steps

START = 1000.0


def steps_of_turns(peers: int) -> tuple[int, int]:
    """With one change, and with one INIT due, among so many dialled peers that wait."""
    draw = random.Random(1)
    endpoint = Endpoint(
        identity=Identity.from_private_bytes(draw.randbytes(32)),
        incarnation=7,
        local_port=1,
        random=draw.randbytes,
        now=START,
        config=SecureConfig(max_links=2 * peers),
    )
    for peer in range(1, peers + 1):
        endpoint.dial(peer, [("10.0.0.1", peer)], START, remote_key=None)
    endpoint.take_datagrams()
    due = endpoint.next_timeout()
    assert due is not None
    with Steps() as changed:
        endpoint.set_urgent(5, True)
        endpoint.handle_timeout(START)
        assert endpoint.next_timeout() is not None
    assert endpoint.take_datagrams() == []
    with Steps() as one_due:
        endpoint.handle_timeout(due)
        assert endpoint.next_timeout() is not None
    assert len(endpoint.take_datagrams()) < 20
    return changed.count, one_due.count


def test_a_thousand_idle_peers_cost_a_turn_nothing() -> None:
    few, many = steps_of_turns(10), steps_of_turns(1000)
    assert many[0] < few[0] + 20
    assert many[1] < 20 * few[1]
