import sqlite3
import threading

import pytest

from chatnet_engine.io import store as store_module
from chatnet_engine.io.store import HistoryReader, Store
from chatnet_engine.node.effects import ReadHistory
from chatnet_engine.store_ops.commit import (
    Commit,
    CommitFailed,
    Committed,
    Loaded,
    MarksStored,
    StoreMarks,
)
from chatnet_protocol.errors import CommandError, ErrorCode, LocalProtocolError
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.rows import SessionRow
from chatnet_protocol.ipc.view import View

SESSION = SessionRow("s", "", "", 1, b"", "", "")
LOADED = Loaded([], [], [], 7)
COMMIT = Commit(1, [StoreMarks(1, my_read=5)])
MARKS = MarksStored(1, True, 0, 0, 0, 5, 5)


class FakeLedger:
    """Answers StoreMarks; raises what it is given to raise."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.applied: list[Commit] = []
        self.closed = False

    def apply(self, commit: Commit) -> Committed | CommitFailed:
        if self.error is not None:
            raise self.error
        self.applied.append(commit)
        return Committed(commit.number, [MARKS])

    def load(self) -> Loaded:
        return LOADED

    def load_view(self, session: SessionRow) -> View:
        return View(session)

    def close(self) -> None:
        self.closed = True


class FakeHistory(FakeLedger):
    def page(self, query: FetchHistory) -> HistoryPage:
        if self.error is not None:
            raise self.error
        return HistoryPage([], [], query.limit == 1)


class Wakeup:
    def __init__(self) -> None:
        self._rung = threading.Semaphore(0)

    def __call__(self) -> None:
        self._rung.release()

    def wait(self) -> None:
        assert self._rung.acquire(timeout=60)


def test_a_commit_is_answered() -> None:
    wakeup, ledger = Wakeup(), FakeLedger()
    store = Store(lambda: ledger, SESSION, wakeup)
    assert store.wait_loaded() == (LOADED, View(SESSION))
    assert store.idle
    store.commit(COMMIT)
    assert not store.idle
    wakeup.wait()
    assert store.take_answers() == [Committed(1, [MARKS])]
    assert ledger.applied == [COMMIT]
    assert store.idle
    assert store.stop()
    assert ledger.closed


def test_one_transaction_at_a_time() -> None:
    store = Store(FakeLedger, SESSION, Wakeup())
    store.commit(COMMIT)
    with pytest.raises(LocalProtocolError):
        store.commit(COMMIT)
    assert store.stop()


def test_what_is_in_flight_at_the_end_is_finished() -> None:
    ledger = FakeLedger()
    store = Store(lambda: ledger, SESSION, Wakeup())
    store.commit(COMMIT)
    assert store.stop()
    assert ledger.applied == [COMMIT]
    assert store.take_answers() == [Committed(1, [MARKS])]


def test_a_transaction_that_failed_is_an_answer_like_any_other() -> None:
    class Full(FakeLedger):
        def apply(self, commit: Commit) -> CommitFailed:
            return CommitFailed(commit.number, "The disk is full.", False)

    wakeup = Wakeup()
    store = Store(Full, SESSION, wakeup)
    store.commit(COMMIT)
    wakeup.wait()
    assert store.take_answers() == [CommitFailed(1, "The disk is full.", False)]
    store.commit(COMMIT)
    assert store.stop()


@pytest.mark.parametrize("error", [AssertionError("gap"), sqlite3.IntegrityError("gap")])
def test_a_broken_invariant_is_raised_in_the_pump(error: Exception) -> None:
    wakeup = Wakeup()
    store = Store(lambda: FakeLedger(error), SESSION, wakeup)
    store.commit(COMMIT)
    wakeup.wait()
    with pytest.raises(type(error), match="gap"):
        store.take_answers()
    store.stop()


def test_a_history_that_does_not_open_says_why() -> None:
    def refuse() -> FakeLedger:
        raise sqlite3.OperationalError("unable to open")

    store = Store(refuse, SESSION, Wakeup())
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        store.wait_loaded()
    assert store.stop()


def test_opening_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "LOAD_TIMEOUT_S", 0.01)
    go_on = threading.Event()

    def hang() -> FakeLedger:
        go_on.wait(5)
        return FakeLedger()

    store = Store(hang, SESSION, Wakeup())
    with pytest.raises(TimeoutError):
        store.wait_loaded()
    go_on.set()
    assert store.stop()


def test_a_history_that_cannot_be_closed_is_no_failure() -> None:
    class Sticky(FakeLedger):
        def close(self) -> None:
            raise sqlite3.OperationalError("disk full")

    store = Store(Sticky, SESSION, Wakeup())
    assert store.stop()
    assert store.take_answers() == []


def test_pages_come_with_their_tokens() -> None:
    wakeup, history = Wakeup(), FakeHistory()
    reader = HistoryReader(lambda: history, wakeup)
    assert reader.take_answers() == []
    reader.ask(ReadHistory(3, FetchHistory(limit=1)))
    wakeup.wait()
    [answer] = reader.take_answers()
    assert (answer.context, answer.page) == (3, HistoryPage([], [], True))
    reader.stop()
    assert history.closed


def test_a_page_that_cannot_be_read_is_one_sentence() -> None:
    wakeup = Wakeup()
    reader = HistoryReader(lambda: FakeHistory(sqlite3.DatabaseError("malformed")), wakeup)
    reader.ask(ReadHistory(3, FetchHistory()))
    wakeup.wait()
    [answer] = reader.take_answers()
    assert (answer.context, answer.page) == (3, None)
    assert answer.error
    assert answer.error.code == ErrorCode.STORE
    assert answer.error.detail == "The history cannot be read: malformed."
    reader.stop()


def test_a_page_that_makes_no_sense_is_refused_and_the_next_is_read() -> None:
    wakeup = Wakeup()
    history = FakeHistory(CommandError(ErrorCode.TOO_LARGE, "Too long."))
    reader = HistoryReader(lambda: history, wakeup)
    reader.ask(ReadHistory(3, FetchHistory()))
    wakeup.wait()
    [answer] = reader.take_answers()
    assert (answer.context, answer.page, answer.error) == (3, None, history.error)
    history.error = None
    reader.ask(ReadHistory(4, FetchHistory(limit=1)))
    wakeup.wait()
    [answer] = reader.take_answers()
    assert answer.page
    assert (answer.context, answer.page.more) == (4, True)
    reader.stop()


def test_pages_asked_for_at_once_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MAX_HISTORY_READS", 3)
    reader = HistoryReader(FakeHistory, Wakeup())
    for token in range(5):
        reader.ask(ReadHistory(token, FetchHistory()))
    reader.stop()
    answers = reader.take_answers()
    assert len(answers) == 5
    assert {answer.context for answer in answers if answer.page} == {0, 1, 2}
    assert {answer.context for answer in answers if answer.error} == {3, 4}
