"""Reads history into the timeline of one conversation: pages at both ends, or around a message.

Owns what has been asked for: one page at a time. The store may have read a page before something
was committed whose event came before the page; so the events since the question are applied again
after it.
"""

from collections.abc import Callable

from chatnet_client.client_events import Answered
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_protocol.ipc.view import screen_order
from chatnet_qt.session import Session
from chatnet_qt.timeline import Timeline

PAGE_ROWS = 100
AROUND_ROWS = 50
"""On each side of a message: more than a screen."""
ANY_NO = 2**62
"""Above any number in a history."""
MAX_EVENTS_KEPT = 1000
"""While a page is being read; with more of them it is not taken, and asked for again later."""

MessageEvent = ev.MessagesAdded | ev.MessagesRestored | ev.MessagesDelivered | ev.MessageFailed

OnPage = Callable[[HistoryPage], None]
Then = Callable[[], None]


def nothing() -> None:
    """Nothing more to do."""


class Pager:
    """`changed()` is called when the timeline has taken a page."""

    def __init__(self, session: Session, peer: int, timeline: Timeline, changed: Then) -> None:
        self._session = session
        self._peer = peer
        self._timeline = timeline
        self._changed = changed
        self._question = 0
        """Counts questions: an answer to another than the last one is dropped."""
        self._busy = False
        self._since: list[MessageEvent] = []

    def handle_event(self, event: MessageEvent) -> None:
        """Something happened to the messages of this conversation."""
        apply_event(self._timeline, event)
        if self._busy and len(self._since) <= MAX_EVENTS_KEPT:
            self._since.append(event)

    def drop(self) -> None:
        """Take no answer to what was asked so far."""
        self._question += 1
        self._busy = False
        self._since.clear()

    def fetch_older(self) -> None:
        """Ask for the page before the first row, if there is one."""
        if self._busy or not self._timeline.has_older or not self._timeline.rows:
            return
        self._begin()
        first = self._timeline.rows[0]

        def on_page(page: HistoryPage) -> None:
            self._timeline.add_older(page.rows, page.more)
            self._end()

        self._ask(self._before(first, PAGE_ROWS), on_page)

    def fetch_newer(self) -> None:
        """Ask for the page after the last row, if the end is not in memory."""
        if self._busy or self._timeline.at_tail or not self._timeline.rows:
            return
        self._begin()

        def on_page(page: HistoryPage) -> None:
            self._timeline.add_newer(page.rows, page.more)
            self._end()

        self._ask(self._after(self._timeline.rows[-1], PAGE_ROWS), on_page)

    def fetch_around(self, row: MessageRow, then: Then = nothing, failed: Then = nothing) -> None:
        """Read the messages around `row`, and `row` itself, in place of what is in memory."""
        self._begin()

        def on_before(before: HistoryPage) -> None:
            last = max(before.rows, key=screen_order, default=None)

            def on_rest(rest: HistoryPage) -> None:
                rows = [*before.rows, *rest.rows]
                if rows:
                    self._timeline.show(rows, has_older=before.more, at_tail=not rest.more)
                self._end(then)

            self._ask(self._after(last, AROUND_ROWS + 1), on_rest, failed)

        self._ask(self._before(row, AROUND_ROWS), on_before, failed)

    def fetch_first(self, then: Then = nothing, failed: Then = nothing) -> None:
        """Read the beginning of the conversation in place of what is in memory."""
        self._begin()

        def on_page(page: HistoryPage) -> None:
            self._timeline.show(page.rows, has_older=False, at_tail=not page.more)
            self._end(then)

        self._ask(self._after(None, PAGE_ROWS), on_page, failed)

    def find_day(self, day_ms: int, found: Callable[[MessageRow], None], failed: Then) -> None:
        """Ask for the first message that arrived at `day_ms` or later, by halving: places grow
        with time, but for restored rows."""
        low, high = 1, self._last_place()
        best: list[MessageRow] = []
        question = self._question

        def ask() -> None:
            middle = (low + high) // 2
            before = middle - 1  # of all rows at that place, whatever their numbers
            command = FetchHistory(self._peer, after_place=before, after_no=ANY_NO, limit=1)
            self._session.request(command, on_answer)

        def on_answer(answer: Answered) -> None:
            nonlocal low, high
            if question != self._question or not isinstance(answer.result, HistoryPage):
                failed()
                return
            middle, row = (low + high) // 2, next(iter(answer.result.rows), None)
            if row is not None and row.arrived_ms < day_ms:
                low = row.place + 1
            else:
                best[:] = [row] if row is not None else best
                high = middle
            if low < high:
                ask()
            elif best:
                found(best[0])
            else:
                failed()

        ask()

    def _last_place(self) -> int:
        peer = self._session.peer(self._peer)
        return peer.last_no + 1 if peer else 1

    def _before(self, row: MessageRow, limit: int) -> FetchHistory:
        return FetchHistory(self._peer, before_place=row.place, before_no=row.no, limit=limit)

    def _after(self, row: MessageRow | None, limit: int) -> FetchHistory:
        place, no = (row.place, row.no) if row else (0, 0)
        return FetchHistory(self._peer, after_place=place, after_no=no, limit=limit)

    def _begin(self) -> None:
        self.drop()
        self._busy = True

    def _ask(self, command: FetchHistory, on_page: OnPage, failed: Then = nothing) -> None:
        question = self._question

        def on_answer(answer: Answered) -> None:
            if question != self._question:
                return
            if isinstance(answer.result, HistoryPage) and len(self._since) <= MAX_EVENTS_KEPT:
                on_page(answer.result)
            else:
                self.drop()
                failed()

        self._session.request(command, on_answer)

    def _end(self, then: Then = nothing) -> None:
        for event in self._since:
            apply_event(self._timeline, event)
        self.drop()
        self._changed()
        then()


def apply_event(timeline: Timeline, event: MessageEvent) -> None:
    """What an event does to the rows in memory."""
    match event:
        case ev.MessagesAdded():
            timeline.add(event.rows)
        case ev.MessagesRestored():
            timeline.restore(event.rows)
        case ev.MessagesDelivered():
            timeline.apply_runs(event.runs)
        case ev.MessageFailed():
            timeline.fail(event.no, event.reason)
