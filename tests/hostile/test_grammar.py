"""The grammar says everything there is to say, and what it calls right is right."""

from contextlib import suppress
from random import Random
from typing import get_args

import pytest

from chatnet_engine.addresses import Addr
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.rows import LinkState
from chatnet_protocol.wire import bulk, control, frames, messages, restoring
from hostile.grammar import Grammar, Known, Relink
from hostile.peer import HostilePeer
from simworld.pair import A, Pair

MALLORY: Addr = ("10.0.0.9", 5009)
TURN_S = 0.005


def said(grammar: Grammar, packets: int) -> set[type]:
    """Types of the frames, control and restore messages in so many packets."""
    kinds: set[type] = set()
    for _ in range(packets):
        with suppress(DecodeError):
            for frame in frames.decode(grammar.payload()):
                kinds.add(type(frame))
                if isinstance(frame, frames.Messages):
                    kinds |= {type(each) for each in map(opened(frame.channel), frame.messages)}
    return kinds


def opened(channel: int):  # type: ignore[no-untyped-def]
    """What reads the messages of this channel."""
    readers = {
        messages.CHANNEL_CONVERSATION: messages.decode_message,
        messages.CHANNEL_CONTROL: control.decode_control,
        messages.CHANNEL_RESTORE: restoring.decode_restoring,
        messages.CHANNEL_BULK: bulk.decode_bulk,
    }
    return readers.get(channel, bytes)


def known_link() -> Known:
    known = Known(highest_packet=9, sent={0: 3, 1: 2})
    known.packets.extend((1, 2, 4, 9))
    known.offers.append(bytes(16))
    return known


def test_every_frame_and_message_that_there_is_gets_said() -> None:
    kinds = said(Grammar(Random(1), known_link(), violations=0.2), 3000)
    everything = {
        *get_args(frames.Frame),
        *get_args(control.Control),
        *get_args(restoring.Restoring),
        messages.Message,
    }
    assert everything <= kinds


def test_one_seed_gives_one_sequence_of_acts() -> None:
    first, second = (Grammar(Random(3), known_link()) for _ in range(2))
    acts = [first.next_act() for _ in range(500)]
    assert acts == [second.next_act() for _ in range(500)]
    assert len(set(acts)) > 400


def test_new_links_come_under_the_same_and_under_another_incarnation() -> None:
    grammar = Grammar(Random(1), Known(), relinks=0.5)
    relinks = {act.same for act in (grammar.next_act() for _ in range(200)) if type(act) is Relink}
    assert relinks == {True, False}


def test_packets_are_as_long_as_was_asked_for() -> None:
    grammar = Grammar(Random(1), known_link(), mean_bytes=250)
    sizes = [len(grammar.payload()) for _ in range(2000)]
    assert max(sizes) <= 1168
    assert 200 < sum(sizes) / len(sizes) < 400


def run_beside_an_honest_pair(seed: int, violations: float, seconds: float) -> HostilePeer:
    """A hostile third party at engine A, which talks to an honest B meanwhile."""
    pair = Pair(seed)
    peer = HostilePeer(
        Random(seed), private_key=Random(seed).randbytes(32), port=MALLORY[1], target=A,
        now=pair.clock.now_s, grammar=lambda r, k: Grammar(r, k, violations=violations),
    )  # fmt: skip
    pair.a.dial(MALLORY)
    pair.network.listen(MALLORY, lambda data, source: peer.receive(data, source, pair.clock.now_s))

    def step() -> None:
        for data, target in peer.send(pair.clock.now_s, 1):
            pair.network.send(MALLORY, target, data)
        pair.clock.after(TURN_S, step)

    step()
    said_a = [f"a {number}" for number in range(20)]
    said_b = [f"b {number}" for number in range(20)]
    for text_a, text_b in zip(said_a, said_b, strict=True):
        pair.at_a.say(text_a)
        pair.at_b.say(text_b)
        pair.run(seconds / 20)
    pair.settle()
    assert pair.texts(pair.b, mine=False) == said_a
    honest = pair.at_a.view.peer(1) if pair.at_a.view else None
    assert honest is not None
    assert honest.link.state == LinkState.UP
    return peer


@pytest.mark.parametrize("seed", range(3))
def test_what_the_grammar_calls_right_ends_no_link(seed: int) -> None:
    peer = run_beside_an_honest_pair(seed, violations=0.0, seconds=4)
    assert not [name for name in peer.counts if name.startswith("close")]
    assert peer.counts["Payload"] > 500


def test_what_breaks_the_specification_ends_its_link_and_no_other() -> None:
    peer = run_beside_an_honest_pair(5, violations=0.2, seconds=6)
    assert [name for name in peer.counts if name.startswith("close 4")]
