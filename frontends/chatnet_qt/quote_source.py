"""What the messages say that those of one conversation answer, for whoever draws them.

Asks the engine for those that are not in memory. Knows no rows: the model hands them in.
"""

from collections.abc import Callable, Sequence

from chatnet_client.client_events import Answered
from chatnet_client.quotes import Quotes
from chatnet_client.words.messages import MAX_QUOTE_CHARACTERS, NOT_HERE, quote_words
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import HistoryPage
from chatnet_protocol.ipc.rows import MessageKind, MessageRow
from chatnet_qt.bubble import Quote
from chatnet_qt.session import Session
from chatnet_qt.wording import peer_name, shown_name


class QuoteSource:
    """`changed(ids)` is called when something else is known of these messages."""

    def __init__(self, session: Session, peer: int, changed: Callable[[set[bytes]], None]) -> None:
        self._session = session
        self._quotes = Quotes(peer)
        self._changed = changed

    def want(self, rows: Sequence[MessageRow]) -> None:
        """Know what these rows answer, which are all in memory."""
        self._quotes.want(rows)
        command = self._quotes.take_command()
        if command is None:
            return

        def on_answer(answer: Answered) -> None:
            page = answer.result if isinstance(answer.result, HistoryPage) else None
            self._changed(self._quotes.handle_page(page))
            if page is not None:
                self.want(())

        self._session.request(command, on_answer)

    def handle_event(self, event: ev.Event) -> None:
        """What was missing may have come, what was here may be withdrawn."""
        self._changed(self._quotes.handle_event(event))

    def reset(self) -> None:
        """Another view."""
        self._quotes.reset()

    def answered(self, row: MessageRow) -> MessageRow | None:
        """The message that `row` answers, if it is here."""
        return self._quotes.find(row)

    def above(self, row: MessageRow) -> Quote | None:
        """What stands above `row`; None: it answers none."""
        if not row.reply_to or row.kind != MessageKind.TEXT:
            return None
        found = self._quotes.find(row)
        if found is not None:
            return self.quote(found)
        return Quote(row.reply_to, "", NOT_HERE if self._quotes.is_known(row) else "…")

    def quote(self, row: MessageRow) -> Quote:
        """A message as it is quoted."""
        peer = self._session.peer(self._quotes.peer)
        author = "You" if row.mine else peer_name(peer.info) if peer else ""
        return Quote(row.id, author, shown_name(quote_words(row), 2 * MAX_QUOTE_CHARACTERS))
