"""Message latency: from the command at A to the event at a client of B."""

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.hand_overs import hand_overs
from benchmarks.measure import echo_times, percentile, udp_echo
from chatnet_client.client import Client
from chatnet_client.client_events import Changed
from chatnet_protocol.ipc.events import MessagesAdded
from realworld.engines import two_engines

COUNT = 500
GAP_S = 0.01


def run(root: Path) -> Iterator[str]:
    """From the send command at A to the event at a client of B, both engines durable.

    Beside the floor of this machine: an echo, and as many hand-overs without the product.
    """
    with udp_echo() as addr:
        echo = echo_times(addr, COUNT, GAP_S)
    with (
        hand_overs(root, durable=False) as bare,
        hand_overs(root, durable=True) as stored,
        two_engines(root) as (a, b),
        a.attach("sender") as sender,
        b.attach("reader") as reader,
    ):
        bare_times: list[float] = []
        stored_times: list[float] = []
        times: list[float] = []
        for number in range(COUNT):  # in alternation: the machine is not always as fast
            times.append(_one(sender, reader, f"{number} ".ljust(100, "x")))
            for once, into in ((bare, bare_times), (stored, stored_times)):
                into.append(once())
                time.sleep(GAP_S)
    for name, values in (
        ("bare UDP echo (there and back)", echo),
        ("its seven hand-overs, bare", bare_times),
        ("the same with a durable row each", stored_times),
        ("message, command to event", times),
    ):
        p50, p99 = percentile(values, 0.5) * 1e3, percentile(values, 0.99) * 1e3
        yield f"{name:34} p50 {p50:7.3f} ms   p99 {p99:7.3f} ms"
    for name, values in (("echo", echo), ("hand-overs", bare_times), ("durable", stored_times)):
        ratio = percentile(times, 0.5) / percentile(values, 0.5)
        yield f"ratio of the medians, to {name}: {ratio:.1f}"


def _one(sender: Client, reader: Client, text: str) -> float:
    peer = sender.view.peers[0].info.peer
    start = time.perf_counter()
    sender.send_message(peer, text)
    while True:
        event = reader.next_event(10.0)
        assert event is not None, "a message did not arrive"
        if not isinstance(event, Changed) or not isinstance(event.event, MessagesAdded):
            continue
        if event.event.rows[-1].text == text:
            took = time.perf_counter() - start
            time.sleep(GAP_S)
            return took
