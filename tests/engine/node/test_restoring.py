"""Who may ask for what, and when; what a page holds."""

from random import Random

import pytest

from chatnet_engine.node.commits import Asker, CommitQueue
from chatnet_engine.node.publisher import Publisher
from chatnet_engine.node.restoring import MAX_WISHES, Restoring, page_of
from chatnet_protocol import commit_restore as cr
from chatnet_protocol.errors import CommandError, RemoteProtocolError
from chatnet_protocol.ipc.rows import MessageRow, SessionRow
from chatnet_protocol.ipc.view import View
from chatnet_protocol.wire import restoring as wire

ASKER = Asker(b"route", 1)
ASK = wire.RestoreAsk(5, 0, b"")


def restoring(**fields: object) -> tuple[Restoring, CommitQueue]:
    commits = CommitQueue()
    publisher = Publisher(b"bootboot", View(SessionRow("a", "", "", 1, b"", "", "")))
    states = [cr.RestoreState(1, **fields)] if fields else []  # type: ignore[arg-type]
    return Restoring(states, commits, publisher, {}, Random(1).randbytes), commits


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
    for want in range(1, MAX_WISHES + 5):
        ours.handle_arrived(1, wire.encode_restoring(wire.RestoreAsk(want, 0, b"")))
    assert ours.take_reads() == []
    assert len(commits._waiting) == MAX_WISHES


def test_there_is_nothing_to_answer_when_nobody_asks() -> None:
    ours, commits = restoring()
    with pytest.raises(CommandError):
        ours.answer(1, True, ASKER)
    assert ours.want(1, False, ASKER), "nothing is wanted already"
    assert commits.idle
    assert not ours.want(1, True, ASKER)
    assert not commits.idle


def test_a_page_holds_what_both_sides_had_within_its_bounds() -> None:
    rows = [row(1), row(2, ack=0), row(3, failed="no"), row(4, mine=False), row(5, size=40_000)]
    page = page_of(ASK, rows, more=False)
    assert [(r.id[-1], r.yours) for r in page.rows] == [(1, False), (4, True), (5, False)]
    assert (page.next, page.next_id, page.more) == (5, rows[4].id, False)
    cut = page_of(ASK, [*rows, row(6, size=40_000)], more=False)
    assert (cut.next, cut.more) == (5, True)
    assert page_of(ASK, [row(7, size=65_536)], more=False).next == 7, "one in any case"
    assert page_of(ASK, [], more=False) == wire.RestorePage(5, 0, 0, b"", False, [])
