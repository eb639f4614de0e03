"""The turns of one node: what it says of the world, whom it gives up, how it stops."""

import pytest

from chatnet_engine.node.commits import CommitQueue
from chatnet_engine.node.effects import SessionCopied
from chatnet_engine.node.messaging.hello import check_hello
from chatnet_engine.node.node import STOP_WITHIN_S
from chatnet_protocol.errors import CommandError, ErrorCode, RemoteProtocolError
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import ClientDetached, EngineStopping
from chatnet_protocol.ipc.reasons import LinkReason, reason
from chatnet_protocol.ipc.rows import LinkState
from chatnet_protocol.limits import CLIENT_TIMEOUT_S, MAX_TOTAL_AHEAD
from chatnet_protocol.wire.messages import Hello
from simworld.client import SimClient
from simworld.pair import A, Pair


def connected() -> Pair:
    pair = Pair(1)
    pair.run(1)
    return pair


def copied(pair: Pair, result: SessionCopied) -> None:
    pair.a.node.handle_io(result, pair.a.now)
    pair.a.turn()


def test_a_backup_is_answered_when_it_is_made_or_is_not() -> None:
    pair = connected()
    pair.a.copy_session = lambda ask: None  # type: ignore[method-assign]
    numbers = [pair.at_a.ask(cmd.MakeBackup("/copy")) for _ in range(2)]
    assert not set(numbers) & set(pair.at_a.replies)
    copied(pair, SessionCopied(7, 8))
    results = [pair.at_a.replies[number].result for number in numbers]
    assert results == [cmd.BackedUp("/copy", 7, 8)] * 2
    number = pair.at_a.ask(cmd.MakeBackup("/copy"))
    copied(pair, SessionCopied(0, 0, CommandError(ErrorCode.STORE, "No room.")))
    failure = pair.at_a.replies[number].failure
    assert failure
    assert (failure.code, failure.text) == ("store", "No room.")


def test_a_stranger_cannot_be_talked_to_before_it_is_accepted() -> None:
    pair = Pair(2, both_dial=False)
    pair.run(5)
    commands = (
        cmd.SendMessage(b"i" * 16, 1, "hi"),
        cmd.OfferFiles(b"j" * 16, 1, ["/f"]),
        cmd.RetryPeer(1),
    )
    for command in commands:
        number = pair.at_b.ask(command)
        failure = pair.at_b.replies[number].failure
        assert failure
        assert failure.code == "refused"


def test_a_full_queue_to_the_store_takes_no_more_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = connected()
    monkeypatch.setattr(CommitQueue, "full", property(lambda self: True))
    failure = pair.at_a.replies[pair.at_a.ask_text("one too many")].failure
    assert failure
    assert failure.code == "busy"


def test_a_front_end_that_falls_silent_is_given_up() -> None:
    pair = connected()
    other: SimClient = pair.a.attach("silent")
    pair.run(0.1)
    other.gone = True
    pair.run(CLIENT_TIMEOUT_S + 6)
    assert [e.client for e in pair.at_a.events if isinstance(e, ClientDetached)] == [2]


def test_an_address_of_our_own_is_never_a_peer() -> None:
    pair = connected()
    pair.at_a.ask(cmd.AddPeer(*A))
    pair.run(5)
    assert pair.at_a.view
    own = pair.at_a.view.peer(2)
    assert own
    assert own.link.reason == reason(LinkReason.OWN_ADDRESS)
    assert own.link.state != LinkState.UP


def test_a_stop_waits_for_what_is_being_committed_but_not_for_ever() -> None:
    pair = connected()
    pair.a.commit_s = (1000.0, 1000.0)
    pair.at_a.say("never committed")
    pair.a.node.stop("asked", pair.a.now)
    pair.a.node.stop("asked again", pair.a.now)
    pair.a.turn()
    pair.run(STOP_WITHIN_S - 0.1)
    assert pair.a.stopped == ""
    pair.run(0.2)
    assert pair.a.stopped == "asked"
    assert [e.reason for e in pair.at_a.events if isinstance(e, EngineStopping)] == ["asked"]
    assert pair.peer(pair.at_b).link.state == LinkState.DIALLING


@pytest.mark.parametrize("counter", ["acked_total", "received_total", "lamport"])
def test_counters_that_no_peer_can_have_reached_are_refused(counter: str) -> None:
    pair = connected()
    state = pair.a.node.messaging.conversations[1].state
    honest = {"base": 1, "mark": 0, "acked_total": 0, "received_total": 0, "lamport": 0, "name": ""}
    limit = MAX_TOTAL_AHEAD + (state.lamport if counter == "lamport" else 0)
    check_hello(Hello(**(honest | {counter: limit})), state)  # type: ignore[arg-type]
    with pytest.raises(RemoteProtocolError, match="too far ahead"):
        check_hello(Hello(**(honest | {counter: limit + 1})), state)  # type: ignore[arg-type]
