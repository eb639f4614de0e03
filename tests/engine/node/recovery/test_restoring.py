"""Who may ask for what, and when; what a page holds."""

from random import Random
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from chatnet_engine.clock import Now
from chatnet_engine.node.commits import CommitQueue
from chatnet_engine.node.due_peers import DuePeers
from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.link_session import LinkSession
from chatnet_engine.node.links.links import Links
from chatnet_engine.node.messaging.messaging import Messaging
from chatnet_engine.node.people.peers import Peers
from chatnet_engine.node.publisher import Publisher
from chatnet_engine.node.recovery.restoring import (
    MAX_RESTORE_REQUESTS,
    READ_AGAIN_S,
    RestoreRead,
    Restoring,
    page_of,
)
from chatnet_engine.node.replies import Replies
from chatnet_engine.node.turn import Turn
from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import restores as cr
from chatnet_protocol.errors import CommandError, RemoteProtocolError
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.events import MessagesAdded, PeerChanged
from chatnet_protocol.ipc.rows import MessageRow, PeerRow, SessionRow
from chatnet_protocol.ipc.view import View
from chatnet_protocol.limits import MAX_TOTAL_AHEAD, VIEW_TEXT_BYTES
from chatnet_protocol.wire import restoring as wire

ASKER = ReplyTo(b"routing_id", 1)
ASK = wire.RestoreAsk(5, 0, b"")
NOW = Now(100.0, 1_000)


def publisher_of_a_session() -> Publisher:
    return Publisher(b"bootboot", View(SessionRow("a", "", "", 1, b"", "", "")))


def restoring(
    line: "Line | None" = None, publisher: Publisher | None = None, **fields: Any
) -> tuple[Restoring, CommitQueue]:
    commits = CommitQueue()
    states = [cr.RestoreState(1, **fields)] if fields else []
    peers = Peers([], b"k" * 32)
    turn = Turn(commits, publisher or publisher_of_a_session(), Replies([]), [], DuePeers())
    links = cast(Links, SimpleNamespace(sessions={1: line} if line else {}))
    messaging = cast(Messaging, line or SimpleNamespace(put_back=lambda result: None))
    return Restoring(states, messaging, peers, links, turn, Random(1).randbytes), commits


def stored(commits: CommitQueue) -> list[c.Op]:
    """What waits to be stored, in order."""
    commit = commits.take(NOW)
    return commit.ops if commit else []


def next_read(ours: Restoring) -> tuple[RestoreRead, FetchHistory]:
    """The one page that is to be read now."""
    [read] = ours.take_reads()
    assert isinstance(read.context, RestoreRead)
    return read.context, read.query


def later(seconds: float) -> Now:
    return Now(NOW.mono_s + seconds, NOW.wall_ms)


def row(no: int, *, mine: bool = True, ack: int = 1, size: int = 1, failed: str = "") -> MessageRow:
    body = b"x" * size
    return MessageRow(no, no.to_bytes(16), mine, 1, body, 1, 2, 0, ack, "", no, no, failed)


def test_a_page_that_was_not_asked_for_is_a_violation() -> None:
    ours, _ = restoring(mine="running", want=5)
    page = wire.encode_restoring(wire.RestorePage(5, 0, 0, b"", False, []))
    with pytest.raises(RemoteProtocolError, match="not asked for"):
        ours.handle_arrived(1, page)


def test_what_is_about_another_wish_changes_nothing() -> None:
    ours, commits = restoring(mine="running", want=5)
    for said in (wire.RestorePage(6, 0, 0, b"", False, []), wire.RestoreRefuse(6)):
        ours.handle_arrived(1, wire.encode_restoring(said))
    ours.handle_arrived(1, wire.encode_restoring(wire.RestoreStop(6)))
    assert commits.idle


def test_one_ask_at_a_time_once_there_is_consent() -> None:
    ours, _ = restoring(theirs="giving", their_want=5)
    ours.handle_arrived(1, wire.encode_restoring(ASK))
    assert [read.query.peer for read in ours.take_reads()] == [1]
    with pytest.raises(RemoteProtocolError, match="before the last one"):
        ours.handle_arrived(1, wire.encode_restoring(ASK))


def test_nothing_is_read_without_consent_and_few_wishes_are_shown() -> None:
    ours, commits = restoring()
    for want in range(1, MAX_RESTORE_REQUESTS + 5):
        ours.handle_arrived(1, wire.encode_restoring(wire.RestoreAsk(want, 0, b"")))
    assert ours.take_reads() == []
    assert len(stored(commits)) == MAX_RESTORE_REQUESTS


def test_there_is_nothing_to_answer_when_nobody_asks() -> None:
    ours, commits = restoring()
    with pytest.raises(CommandError):
        ours.answer(1, True, ASKER)
    assert ours.want(1, False, ASKER), "nothing is wanted already"
    assert commits.idle
    assert not ours.want(1, True, ASKER)
    assert not commits.idle


class Line:
    """A conversation and its link as far as restoring knows them."""

    peer = 1
    source = "10.0.0.2:5002"

    def __init__(self) -> None:
        self.said: list[wire.Restoring] = []
        self.streaming = True
        self.state = SimpleNamespace(acked_total=3, received_total=3, lamport=9)

    def counters(self, peer: int) -> SimpleNamespace:
        return self.state

    def send(self, channel: int, body: bytes) -> None:
        self.said.append(wire.decode_restoring(body))


def on_a_line(**fields: Any) -> tuple[Restoring, CommitQueue, Line]:
    line = Line()
    ours, commits = restoring(line, **fields)
    ours.link_up(cast(LinkSession, line), NOW)
    return ours, commits, line


def test_what_is_answered_already_is_not_stored_again() -> None:
    ours, commits = restoring(theirs="giving", their_want=5)
    assert ours.answer(1, True, ASKER)
    assert commits.idle
    assert not ours.answer(1, False, ASKER), "consent can be taken back"
    assert stored(commits) == [cr.StorePeerRestoreRequest(1, 5, "refused")]


def test_a_new_link_asks_again_where_the_last_page_ended() -> None:
    _, _, line = on_a_line(mine="running", want=5, after=7, after_id=b"i" * 16)
    assert line.said == [wire.RestoreAsk(5, 7, b"i" * 16)]


def test_a_page_that_cannot_be_read_is_read_again_later_while_the_consent_stands() -> None:
    ours, _, line = on_a_line(theirs="given", their_want=5)
    ours.handle_arrived(1, wire.encode_restoring(ASK))
    read, query = next_read(ours)
    ours.handle_read(read, None, NOW)
    assert ours.due_of(1) == NOW.mono_s + READ_AGAIN_S
    ours.handle_due(1, later(READ_AGAIN_S - 0.1))
    assert ours.take_reads() == []
    ours.handle_due(1, later(READ_AGAIN_S))
    again, query_again = next_read(ours)
    assert (query_again, ours.due_of(1)) == (query, None)
    ours.handle_read(again, HistoryPage([row(1)], [], False), NOW)
    assert [type(said) for said in line.said] == [wire.RestorePage]


@pytest.mark.parametrize("theirs", ["refused", "none"])
def test_a_page_is_not_read_again_for_a_wish_that_has_ended(theirs: str) -> None:
    ours, _, line = on_a_line(theirs="giving", their_want=5)
    ours.handle_arrived(1, wire.encode_restoring(ASK))
    read, _ = next_read(ours)
    ours.handle_read(read, None, NOW)
    ours.handle_stored(cr.RestoreState(1, theirs=theirs, their_want=5))
    ours.handle_due(1, later(READ_AGAIN_S))
    assert (ours.take_reads(), ours.due_of(1)) == ([], None)
    assert line.said == ([wire.RestoreRefuse(5)] if theirs == "refused" else [])


def test_a_place_that_means_another_message_now_starts_over() -> None:
    ours, commits, line = on_a_line(theirs="giving", their_want=5)
    ours.handle_arrived(1, wire.encode_restoring(wire.RestoreAsk(5, 2, b"?" * 16)))
    read, _ = next_read(ours)
    ours.handle_read(read, HistoryPage([row(2), row(3)], [], False), NOW)
    again, query_again = next_read(ours)
    assert query_again.after_no == 0
    ours.handle_read(again, HistoryPage([row(1), row(2), row(3)], [], False), NOW)
    [page] = line.said
    assert isinstance(page, wire.RestorePage)
    assert (page.after, len(page.rows), page.more) == (0, 3, False)
    assert stored(commits) == [cr.StorePeerRestoreRequest(1, 5, "given")]


def test_a_page_read_for_a_wish_that_ended_is_not_sent() -> None:
    ours, _, line = on_a_line(theirs="giving", their_want=5)
    ours.handle_arrived(1, wire.encode_restoring(ASK))
    read, _ = next_read(ours)
    ours.handle_arrived(1, wire.encode_restoring(wire.RestoreStop(5)))
    ours.handle_read(read, HistoryPage([row(1)], [], False), NOW)
    assert line.said == []


def test_who_was_refused_is_refused_again_on_the_next_link() -> None:
    ours, commits, line = on_a_line(theirs="refused", their_want=5)
    ours.handle_arrived(1, wire.encode_restoring(ASK))
    assert line.said == [wire.RestoreRefuse(5)]
    assert commits.idle


def test_too_many_wishes_on_one_link_are_refused() -> None:
    ours, _, line = on_a_line()
    for want in range(1, MAX_RESTORE_REQUESTS + 2):
        ours.handle_arrived(1, wire.encode_restoring(wire.RestoreAsk(want, 0, b"")))
    assert line.said == [wire.RestoreRefuse(MAX_RESTORE_REQUESTS + 1)]


@pytest.mark.parametrize(
    ("lamport", "ack", "what"),
    [(9 + MAX_TOTAL_AHEAD + 1, 1, "Lamport"), (1, 3 + MAX_TOTAL_AHEAD + 1, "ACK")],
)
def test_counters_too_far_ahead_are_a_violation(lamport: int, ack: int, what: str) -> None:
    ours, commits, _ = on_a_line(mine="asking", want=5)
    given = wire.RestoredRow(True, 1, b"i" * 16, lamport, 1, 1, ack, b"x")
    page = wire.encode_restoring(wire.RestorePage(5, 0, 1, b"i" * 16, False, [given]))
    with pytest.raises(RemoteProtocolError, match=what):
        ours.handle_arrived(1, page)
    assert commits.idle


def test_a_page_holds_what_both_sides_had_within_its_bounds() -> None:
    rows = [row(1), row(2, ack=0), row(3, failed="no"), row(4, mine=False), row(5, size=40_000)]
    page = page_of(ASK, rows, more=False)
    assert [(r.id[-1], r.yours) for r in page.rows] == [(1, False), (4, True), (5, False)]
    assert (page.next, page.next_id, page.more) == (5, rows[4].id, False)
    cut = page_of(ASK, [*rows, row(6, size=40_000)], more=False)
    assert (cut.next, cut.more) == (5, True)
    assert page_of(ASK, [row(7, size=65_536)], more=False).next == 7, "one in any case"
    assert page_of(ASK, [], more=False) == wire.RestorePage(5, 0, 0, b"", False, [])


def test_small_old_messages_that_come_back_do_not_pass_a_large_one_that_hides_them() -> None:
    """A view of 64 KiB ends at the large one; events of a unit are not in the view yet."""
    publisher = publisher_of_a_session()
    ours, _ = restoring(publisher=publisher, mine="running", want=5)
    publisher.publish(PeerChanged(PeerRow(1, "b", "", 0)))
    publisher.publish(MessagesAdded(1, 4, [row(4, size=VIEW_TEXT_BYTES), row(5)]))
    (peer,) = publisher.view.peers
    newest = list(peer.messages)
    assert [message.no for message in newest] == [5]
    old = msgspec.structs.replace(row(6), place=0, lamport=0)
    publisher.begin()
    ours.handle_put_back(
        cr.MessagesPutBack(1, [old], [], newest, [], cr.RestoreState(1), 1, 1, 1, 0, 0)
    )
    publisher.settle()
    assert peer.messages == newest
