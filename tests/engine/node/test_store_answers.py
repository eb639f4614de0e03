"""What follows from a commit: transfers out of offers, strangers, a store that fails."""

import pytest

from chatnet_engine.files import process_wire as pw
from chatnet_engine.node.effects import FileProcessReport, HistoryRead, ReplyTo
from chatnet_engine.node.messaging.hello import loss_notices
from chatnet_engine.node.node import Node
from chatnet_engine.node.waiting import Waiting
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import Notice
from chatnet_protocol.ipc.rows import LinkState, TransferState, Trust
from simworld.client import SimClient
from simworld.engine import SimEngine
from simworld.file_pair import OFFER, FilePair, states
from simworld.pair import Pair


def file_pair() -> FilePair:
    return FilePair(1, size_bytes=100_000)


def offer(pair: FilePair, *paths: str) -> int:
    request = pair.offer(*paths)
    pair.run(0.5)
    return request


def notices(client: SimClient) -> list[str]:
    return [event.code for event in client.events if isinstance(event, Notice)]


def node_of(engine: SimEngine) -> Node:
    return engine.node


def test_an_offer_is_queued_and_becomes_a_transfer_on_both_sides() -> None:
    pair = file_pair()
    pair.at_b.ask(cmd.SetPeer(1, auto_accept_bytes=0))
    pair.run(0.1)
    request = offer(pair)
    assert isinstance(pair.at_a.replies[request].result, cmd.Queued)
    assert states(pair.at_b) == [TransferState.OFFERED]
    pair.at_b.ask(cmd.AcceptTransfer(OFFER))
    pair.run(5)
    assert (states(pair.at_a), states(pair.at_b)) == ([TransferState.DONE], [TransferState.DONE])


def test_files_of_a_pinned_peer_arrive_by_themselves() -> None:
    pair = file_pair()
    offer(pair)
    pair.run(5)
    assert states(pair.at_b) == [TransferState.DONE]


def test_files_that_cannot_be_listed_are_no_offer() -> None:
    pair = file_pair()
    pair.a.send_to_file_process = lambda frame: None  # type: ignore[method-assign]
    request = offer(pair, "/home/none")
    error = pw.Scanned(OFFER, [], "invalid", "There is no such file.")
    pair.a.hear(FileProcessReport(pw.encode(error)))
    pair.run(0.1)
    failure = pair.at_a.replies[request].failure
    assert failure
    assert (failure.code, failure.text) == ("invalid", "There is no such file.")
    assert states(pair.at_a) == []


ENDS = {
    cmd.PauseTransfer: TransferState.PAUSED,
    cmd.CancelTransfer: TransferState.CANCELLED,
    cmd.RejectTransfer: TransferState.REJECTED,
}


@pytest.mark.parametrize("command", ENDS)
def test_a_transfer_is_paused_refused_or_ended_by_its_sender_or_receiver(
    command: type[cmd.PauseTransfer | cmd.CancelTransfer | cmd.RejectTransfer],
) -> None:
    pair = file_pair()
    pair.at_b.ask(cmd.SetPeer(1, auto_accept_bytes=0))
    pair.run(0.1)
    offer(pair)
    if command is not cmd.RejectTransfer:
        pair.network_cut(True)
        pair.at_b.ask(cmd.AcceptTransfer(OFFER))
        pair.run(0.1)
    request = pair.at_b.ask(command(OFFER))
    pair.run(0.2)
    assert pair.at_b.replies[request].result == cmd.Done()
    assert states(pair.at_b) == [ENDS[command]]
    if command is cmd.PauseTransfer:
        pair.network_cut(False)
        pair.at_b.ask(cmd.ResumeTransfer(OFFER))
        pair.run(20)
        assert states(pair.at_b) == [TransferState.DONE]


def test_an_offer_that_was_committed_and_no_transfer_yet_becomes_one_at_the_next_start() -> None:
    pair = file_pair()
    pair.at_b.ask(cmd.SetPeer(1, auto_accept_bytes=0))
    pair.run(0.1)
    offer(pair)
    for engine in (pair.a, pair.b):
        engine.crash()
    pair.b.connection.execute("DELETE FROM transfers")
    for engine in (pair.a, pair.b):
        engine.up()
    pair.run(2)
    assert states(pair.at_b) == [TransferState.OFFERED]


def test_a_file_process_that_dies_is_started_again_and_told_everything() -> None:
    pair = file_pair()
    offer(pair)
    assert pair.a.files
    pair.a.files.kill()
    pair.run(20)
    assert states(pair.at_b) == [TransferState.DONE]


def test_a_store_that_fails_is_told_once_and_again_when_it_works() -> None:
    pair = Pair(1)
    pair.run(1)
    pair.a.store_fails = "The disk is full."
    asked = [
        pair.at_a.ask_text("no"),
        pair.at_a.ask(cmd.AddPeer("10.0.0.9", 9)),
        pair.at_a.ask(cmd.AddPeer("10.0.0.8", 9, invite="")),
    ]
    pair.run(3)
    for number in asked:
        failure = pair.at_a.replies[number].failure
        assert failure
        assert (failure.code, "The disk is full." in failure.text) == ("store", True)
    assert notices(pair.at_a).count("store-failed") == 1
    status = pair.at_a.ask(cmd.FetchStatus())
    pair.run(0.1)
    result = pair.at_a.replies[status].result
    assert isinstance(result, cmd.Status)
    assert result.facts["store"] == "The disk is full."
    assert result.links[0]["rtt_ms"] == pytest.approx(50, abs=10)
    pair.a.store_fails = ""
    pair.at_a.say("yes")
    pair.settle(10)
    levels = [one.level for one in pair.at_a.events if isinstance(one, Notice)]
    assert list(zip(levels, notices(pair.at_a), strict=True)) == [
        ("error", "store-failed"), ("info", "store-works"),
    ]  # fmt: skip


def test_a_history_that_cannot_be_read_is_told_to_who_asked() -> None:
    pair = Pair(1)
    pair.a.read_history = lambda ask: None  # type: ignore[method-assign]
    request = pair.at_a.ask(cmd.FetchHistory())
    broken = CommandError(ErrorCode.STORE, "the disk is broken")
    asked = ReplyTo(pair.at_a.routing_id, request)
    pair.a.node.handle_io(HistoryRead(asked, None, broken), pair.a.now)
    pair.a.turn()
    failure = pair.at_a.replies[request].failure
    assert failure
    assert (failure.code, failure.text) == ("store", "the disk is broken")


def test_a_search_that_cannot_be_is_refused_and_the_engine_goes_on() -> None:
    pair = Pair(1)
    refused = pair.at_a.ask(cmd.FetchHistory(search="x" * 1001))
    longest = pair.at_a.ask(cmd.FetchHistory(search="x" * 1000))
    pair.run(0.1)
    failure = pair.at_a.replies[refused].failure
    assert failure
    assert (failure.code, failure.text) == ("too-large", "The text to search for is too long.")
    assert pair.at_a.replies[longest].failure is None


def test_a_stranger_that_calls_twice_is_listed_once() -> None:
    pair = Pair(3, both_dial=False, commit_s=(0.5, 0.5))
    pair.run(20)
    assert pair.at_b.view
    assert [peer.info.trust for peer in pair.at_b.view.peers] == [Trust.PENDING]
    assert notices(pair.at_b) == ["peer-pending"]
    assert pair.peer(pair.at_a).link.state == LinkState.PENDING


def test_an_answer_about_a_peer_that_has_gone_does_nothing() -> None:
    pair = Pair(4)
    pair.at_b.say("hello")
    pair.settle(5)
    (offer,) = pair.peer(pair.at_a).messages
    node = node_of(pair.a)
    state = node.messaging.conversations[1].state
    node.peers.remove(1)
    gone = c.HelloApplied(1, 0, [], 0, 0, state)
    waiting = Waiting(c.ApplyHello(1, 1, 1, 0, 0, 0, ""))
    node.messaging.results[c.HelloApplied](gone, waiting, pair.a.now)
    node.transfers.offers_committed(1, [offer], pair.a.now)
    assert node.transfers.transfers.take_stores() == []


def test_each_kind_of_loss_is_one_sentence() -> None:
    pair = Pair(5)
    state = node_of(pair.a).messaging.conversations[1].state
    nothing = c.HelloApplied(1, 0, [], 0, 0, state)
    assert loss_notices(nothing) == []
    lost = c.HelloApplied(1, 0, [], 3, 4, state, own_lost=5)
    told = loss_notices(lost)
    assert [(n.level, n.code, n.peer) for n in told] == [
        ("warning", "history-gap", 1),
        ("info", "peer-lost-history", 1),
        ("warning", "own-history-lost", 1),
    ]
    assert [notice.params for notice in told] == [["3"], ["4"], ["5"]]
