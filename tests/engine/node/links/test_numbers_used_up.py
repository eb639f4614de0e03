"""Packet numbers are never used twice: a link that has used them all makes way for a new one."""

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.trace import Kind, Trace
from chatnet_protocol.limits import MAX_PACKET_NUMBER
from simworld.pair import Pair

NUMBERS_LEFT = 40


def test_a_link_whose_numbers_are_used_up_goes_on_under_a_new_incarnation() -> None:
    pair = Pair(1)
    pair.a.crash()
    pair.a.arq = ArqConfig(first_packet_number=MAX_PACKET_NUMBER - NUMBERS_LEFT)
    traces: list[Trace] = []
    pair.a.on_trace = traces.append
    pair.a.up()
    pair.run(5)
    texts = [f"number {n}" for n in range(2 * NUMBERS_LEFT)]
    for text in texts:
        pair.at_a.say(text)
        pair.run(0.2)
    pair.settle()
    pair.check(texts, [])
    started = [trace for trace in traces if trace.kind is Kind.CONNECTION_STARTED]
    assert len({trace.fields["ours"] for trace in started}) == len(started) > 1
