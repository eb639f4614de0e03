"""A reducer by somebody who knows only the specification, against the one of the product.

Random events have to leave both pictures alike.
"""

import msgpack
import msgspec
import pytest

import golden_vectors as golden
from behaviour_vectors import Author
from chatnet_protocol import codec
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.view import View, message_state
from stranger import MESSAGES, Stranger, tick


@pytest.mark.parametrize("seed", range(12))
def test_random_events_leave_both_pictures_alike(seed: int) -> None:
    view = codec.unpack(codec.pack(golden.ROWS["View"]), View, 1 << 20)
    stranger = Stranger(codec.pack(view))
    author = Author(seed)
    for _ in range(60):
        event = author.event()
        packed = codec.pack(event)
        view.apply(event)
        stranger.apply(msgpack.unpackb(packed))
        assert msgpack.unpackb(codec.pack(view)) == stranger.view, type(event).__name__
    for peer in view.peers:
        plain = stranger.peer(peer.info.peer)
        assert plain is not None
        ticks = [tick(row, plain) for row in plain[MESSAGES]]
        assert ticks == [message_state(row, peer) for row in peer.messages]


def test_the_author_makes_every_event() -> None:
    author = Author(1)
    made = {type(author.event()).__name__ for _ in range(400)}
    assert made == set(golden.EVENTS)


def test_ended_transfers_beyond_the_bound_go_oldest_first() -> None:
    view = codec.unpack(codec.pack(golden.ROWS["View"]), View, 1 << 20)
    stranger = Stranger(codec.pack(view))
    for number in range(260):
        row = msgspec.structs.replace(golden.TRANSFER, id=number.to_bytes(16, "big"), state="done")
        event = ev.TransferChanged(row)
        view.apply(event)
        stranger.apply(msgpack.unpackb(codec.pack(event)))
    assert msgpack.unpackb(codec.pack(view)) == stranger.view
    assert len(view.transfers) == 257
