"""Bytes of files on channel 3 of the link, between whole nodes: no TCP in either direction."""

import pytest

from chatnet_engine.addresses import Addr
from chatnet_engine.files.outputs import PeerLink
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import TransferState
from chatnet_protocol.limits import MAX_PEER_BULK_STREAMS
from chatnet_protocol.wire.messages import CHANNEL_BULK
from simworld.file_pair import FilePair, states

SIZE = 50_000


def without_tcp(seed: int) -> FilePair:
    pair = FilePair(seed, SIZE)
    assert pair.shared
    pair.shared.block(True)
    return pair


def test_a_file_arrives_and_text_goes_on_beside_it() -> None:
    pair = without_tcp(1)
    sent: list[int] = []
    pair.network.tap = lambda data, source, target: sent.append(len(data))
    pair.offer()
    pair.at_a.say("beside it")
    assert pair.clock.run(pair.clock.now_s + 60, pair.done)
    pair.settle(10)
    assert sum(sent) > SIZE


def test_a_link_that_breaks_in_between_is_no_end_of_it() -> None:
    pair = without_tcp(2)
    pair.set_line(loss=0.2)
    pair.offer()
    pair.run(1)
    pair.b.crash()
    pair.b.up()
    pair.set_line(loss=0.0)
    assert pair.clock.run(pair.clock.now_s + 120, pair.done)


def test_more_than_the_window_ends_the_link_of_who_sends_it() -> None:
    pair = without_tcp(3)
    pair.offer()
    pair.run(1)
    session = pair.a.node.links.sessions.get(1)
    assert session
    session.send(CHANNEL_BULK, b"\3not a message")
    pair.a.node.turn.due.touch(1)
    pair.run(0.5)
    assert pair.clock.run(pair.clock.now_s + 120, pair.done), "a new link, and the file after all"


def test_files_in_both_directions_do_not_wait_for_each_other() -> None:
    """Each side holds all the streams it may for what it receives, before it sends anything."""
    pair = FilePair(4)
    assert pair.shared
    assert pair.b.files
    pair.b.files.sources["data"] = bytes(5000)
    pair.shared.block(True)
    each = MAX_PEER_BULK_STREAMS + 1
    for number in range(each):
        for client, of in ((pair.at_a, b"a"), (pair.at_b, b"b")):
            transfer_id = (of + bytes([number])).rjust(16)
            client.ask(cmd.OfferFiles(transfer_id, 1, ["/home/data"]))
    pair.run(30)
    for client in (pair.at_a, pair.at_b):
        assert states(client) == [TransferState.DONE] * 2 * each


def test_a_peer_without_a_stored_address_is_dialled_where_its_link_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that joined by an invite was never typed; nowhere to dial would mean to listen."""
    pair = FilePair(5)
    known: list[list[Addr]] = []
    monkeypatch.setattr(pair.a.node.links.names, "dial_addrs", lambda row: [])
    monkeypatch.setattr(PeerLink, "came_up", lambda link, addrs, *rest: known.append(addrs))
    pair.b.crash()
    pair.b.up()
    pair.run(2)
    session = pair.a.node.links.sessions.get(1)
    assert session
    assert [session.addr] in known
