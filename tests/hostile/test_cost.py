"""What a hostile byte costs an engine, for everything that frames carry.

Every control message, restore message, state, kind of message, HELLO and unused channel has a row:
what a peer with a right key may say to make it as expensive as it can, against an engine in the
worst state that it can bring about, with bounds.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import get_args

import pytest

from chatnet_engine.files.table import MAX_STORING_BYTES
from chatnet_protocol.ipc.rows import MessageKind
from chatnet_protocol.limits import MAX_OFFER_BYTES, MAX_OPEN_OFFERS, MAX_STATES
from chatnet_protocol.wire import control as ct
from chatnet_protocol.wire import frames, messages, restoring
from hostile.cost import LARGE, OWN, WANT, Cost, Target, small_offer, transfer_id

TIMES = 3
Act = Callable[[Target, int], None]


@dataclass(frozen=True)
class Row:
    """`act` sends one datagram or more; `bound` is above what it costs."""

    act: Act
    bound: Cost
    prepare: Callable[[Target], None] = lambda target: None


def said(channel: int, body: Callable[[int], bytes]) -> Act:
    """A packet full of messages; `body(number)` is the message of that number."""
    return lambda target, n: target.say(channel, body)


def control(make: Callable[[int], ct.Control]) -> Act:
    return said(messages.CHANNEL_CONTROL, lambda number: ct.encode_control(make(number)))


def restore(make: Callable[[int], restoring.Restoring]) -> Act:
    return said(messages.CHANNEL_RESTORE, lambda number: restoring.encode_restoring(make(number)))


def large(number: int) -> bytes:
    return transfer_id("large", number % LARGE)


def own(number: int) -> bytes:
    return transfer_id("own", number % OWN)


def accepted(number: int) -> bytes:
    return transfer_id("accepted", number % (MAX_OPEN_OFFERS // 2))


def listen(transfer: bytes, number: int) -> ct.Listen:
    return ct.Listen(transfer, number.to_bytes(8), bytes(32), 9, ct.Suite.CHACHA)


def link_stream(transfer: bytes, number: int) -> ct.LinkStream:
    return ct.LinkStream(transfer, number.to_bytes(8), bytes(32), ct.Suite.CHACHA)


def unreachable_and_asked(number: int) -> ct.Control:
    transfer = accepted(number // 2)
    return ct.Unreachable(transfer) if number % 2 else listen(transfer, number)


def ended_and_accepted(number: int) -> ct.Control:
    """Begins again and ends again, each time as many as there are."""
    transfer = own(number)
    return ct.Accept(transfer) if number // OWN % 2 else ct.End(transfer, ct.EndCode.REJECTED)


def standing(number: int) -> ct.Control:
    """Paused, and not paused, in turns."""
    return ct.TransferStatus(large(number), number // LARGE % 2 == 0)


def unknown(number: int) -> bytes:
    return transfer_id("unknown", number)


def message(kind: int, body: Callable[[int], bytes]) -> Act:
    return said(
        messages.CHANNEL_CONVERSATION,
        lambda number: messages.encode_message(
            messages.Message(kind, transfer_id(f"kind{kind}", number), 1, 0, body(number))
        ),
    )


def states(key: int, value: Callable[[int], bytes]) -> Act:
    """As many newer values as one packet takes."""

    def act(target: Target, n: int) -> None:
        payload = b""
        for revision in range(100 * n + 1, 100 * n + 90):
            payload += frames.encode_state(key, revision, value(revision))
        target.peer.send(target.peer.raw(payload))

    return act


def marks(revision: int) -> bytes:
    return messages.encode_state(messages.Marks(revision, revision))


def typing(revision: int) -> bytes:
    return messages.encode_state(messages.Typing(revision // 100 % 2 == 0))


def line(revision: int) -> bytes:
    return messages.encode_state(messages.Line(revision % 1000))


def display_name(revision: int) -> bytes:
    return messages.encode_state(messages.DisplayName(f"{revision}"))


def new_link(target: Target, n: int) -> None:
    """Ends the link, and begins one as another engine with the same key."""
    peer = target.peer
    peer.send(peer.raw(frames.encode_close(1, "")))
    peer.connection = None
    peer.endpoint.hang_up(1)
    peer.dial()
    for _ in range(100):
        target.run(0.01)
        if target.node.messaging.conversations[1].streaming:
            return
    raise AssertionError("no link")


def one_ask(target: Target, n: int) -> None:
    """The next one before the last is answered is a violation."""
    ask = restoring.encode_restoring(restoring.RestoreAsk(WANT, 0, b""))
    assert target.peer.connection
    target.peer.connection.queue(messages.CHANNEL_RESTORE, [ask])


def other_channel(target: Target, n: int) -> None:
    """A violation: the peer is left alone after the first."""
    if not n:
        target.say(15, lambda number: b"x")


ROWS: dict[object, Row] = {
    ct.Accept: Row(control(lambda n: ct.Accept(unknown(n))), Cost(20, 60, 2, 2)),
    (ct.Accept, "own, ended"): Row(control(ended_and_accepted), Cost(80, 50, 8, 2)),
    ct.Listen: Row(control(lambda n: listen(own(n), n)), Cost(30, 24, 2, 1)),
    (ct.Listen, "of a receiver"): Row(
        control(lambda n: listen(accepted(n), n)), Cost(15, 14, 9, 1)
    ),
    ct.DialBack: Row(control(lambda n: ct.DialBack(own(n))), Cost(40, 24, 2, 1)),
    ct.Unreachable: Row(control(unreachable_and_asked), Cost(30, 40, 9, 1)),
    ct.LinkStream: Row(control(lambda n: link_stream(own(n), n)), Cost(30, 24, 2, 1)),
    ct.TcpOpen: Row(control(lambda n: ct.TcpOpen(accepted(n))), Cost(20, 12, 2, 1)),
    ct.TransferStatus: Row(control(standing), Cost(30, 24, 3, 1)),
    ct.End: Row(control(lambda n: ct.End(unknown(n), 1)), Cost(20, 30, 2, 2)),
    ct.Done: Row(control(lambda n: ct.Done(own(n))), Cost(55, 30, 2, 2)),
    (ct.Done, "lookups full"): Row(
        control(lambda n: ct.Done(unknown(n))), Cost(30, 50, 3, 3), Target.fill_lookups
    ),
    restoring.RestoreAsk: Row(one_ask, Cost(40, 80, 1, 50)),
    restoring.RestorePage: Row(
        restore(lambda n: restoring.RestorePage(5, 0, 0, b"", False, [])), Cost(15, 12, 1, 1)
    ),
    restoring.RestoreRefuse: Row(restore(restoring.RestoreRefuse), Cost(15, 12, 1, 1)),
    restoring.RestoreStop: Row(
        restore(lambda n: restoring.RestoreStop(WANT)), Cost(25, 20, 3, 1)
    ),
    messages.Marks: Row(states(messages.STATE_MARKS, marks), Cost(15, 12, 1, 1)),
    messages.Typing: Row(states(messages.STATE_TYPING, typing), Cost(20, 8, 1, 1)),
    messages.Line: Row(states(messages.STATE_LINE, line), Cost(15, 8, 1, 1)),
    messages.DisplayName: Row(states(messages.STATE_NAME, display_name), Cost(15, 8, 3, 1)),
    "unknown state": Row(states(MAX_STATES, lambda n: b""), Cost(25, 8, 1, 1)),
    messages.Hello: Row(new_link, Cost(160, 160, 1, 20)),
    MessageKind.TEXT: Row(message(1, lambda n: b""), Cost(12, 30, 2, 1)),
    MessageKind.OFFER: Row(message(2, lambda n: small_offer(1)), Cost(40, 70, 8, 1)),
    "unknown kind": Row(message(255, lambda n: b""), Cost(12, 30, 2, 1)),
    "other channel": Row(other_channel, Cost(30, 160, 1, 1)),
}  # fmt: skip


def test_everything_that_frames_carry_has_a_row() -> None:
    wanted = {*get_args(ct.Control), *get_args(restoring.Restoring), *MessageKind}
    state = inspect.signature(messages.encode_state).parameters["state"].annotation
    wanted |= {messages.Hello, *get_args(state)}
    assert wanted <= set(ROWS)


@pytest.mark.parametrize("key", ROWS, ids=str)
def test_cost(key: object) -> None:
    row = ROWS[key]
    target = Target()
    row.prepare(target)
    cost = target.attack(row.act, TIMES)
    assert target.sent > 1000
    assert target.engine.largest <= MAX_STORING_BYTES + 2 * MAX_OFFER_BYTES
    for each in fields(cost):
        assert getattr(cost, each.name) < getattr(row.bound, each.name), each.name
