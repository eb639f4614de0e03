"""Owns the lines that a chat prints, until its loop takes them, and what answers refer to. Pure."""

from dataclasses import dataclass

from chatnet_cli import render
from chatnet_cli.details import detail_lines
from chatnet_client.client_events import Answered, Changed, ClientEvent, Reset
from chatnet_client.links import links_in
from chatnet_client.quotes import Quotes
from chatnet_client.words.deliveries import question
from chatnet_protocol.ipc.commands import Delivery, FetchDelivery, FetchHistory, HistoryPage
from chatnet_protocol.ipc.rows import MessageKind, MessageRow
from chatnet_protocol.ipc.view import PeerView

MAX_LINKS = 3
"""Explained below one message."""
EARLIER = "  ↳ an earlier message"
"""Above an answer to one that has to be looked up."""
MAX_UNQUOTED = 100
MAX_LINES = 10_000
"""Lines waiting to be printed; beyond it the oldest are dropped."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line for the screen; `style`: incoming, own, quiet or error."""

    text: str
    style: str
    tail: str = ""
    """Stands behind the text and is never broken."""

    def __str__(self) -> str:
        return f"{self.text}  {self.tail}" if self.tail else self.text


class Transcript:
    """Messages and remarks in the order in which they are printed."""

    def __init__(self, *, watched: bool) -> None:
        """`watched`: a person reads it, for whom there are lines about days and links."""
        self._watched = watched
        self._day = ""
        self._lines: list[Line] = []
        self._quotes = Quotes(0)
        self._unquoted: list[tuple[MessageRow, PeerView]] = []
        """Printed already, before it was known which message they answer."""
        self._inspected: list[tuple[MessageRow, PeerView]] = []
        """The engine has still to be asked about these."""
        self._asked: dict[FetchDelivery, tuple[MessageRow, PeerView]] = {}

    def say(self, text: str, style: str = "quiet") -> None:
        """A remark: nobody's message."""
        self._print(f"-- {text}", style)

    def message(self, row: MessageRow, peer: PeerView, *, tail: bool = True) -> None:
        """A message in its place; without `tail`, without what may still change."""
        day = render.day_words(row.arrived_ms)
        if self._watched and day != self._day:
            self._day = day
            self.say(day)
        self._quote(row, peer)
        line = render.message_line(row, peer, tail=False)
        end = render.message_tail(row, peer) if tail else ""
        self._print(line, "own" if row.mine else "incoming", end)
        if self._watched and row.kind == MessageKind.TEXT and not row.mine:
            self._odd_links(row.text)

    def _odd_links(self, text: str) -> None:
        """Where links lead whose writing could be taken for another host."""
        odd = [link for link in links_in(text) if not link.is_plain]
        for link in odd[:MAX_LINKS]:
            self.say(f"a link above leads to {render.escape_line(link.host)}")

    def old_message(self, row: MessageRow, peer: PeerView) -> None:
        """A message of a page from the history, with its date."""
        self._quote(row, peer)
        line = render.message_line(row, peer, day=True, tail=False)
        self._print(line, "quiet", render.message_tail(row, peer))

    def start_over(self) -> None:
        """Another conversation is shown from here on."""
        self._day = ""
        self._unquoted.clear()

    def handle_event(self, event: ClientEvent) -> None:
        """What answers refer to may be another message now, or here at last."""
        if isinstance(event, Changed):
            self._quotes.handle_event(event.event)
        elif isinstance(event, Reset):
            self._quotes.reset()

    def inspect(self, row: MessageRow, peer: PeerView) -> None:
        """Print all that is known of a message, once the engine has answered."""
        self._inspected.append((row, peer))

    def take_command(self) -> FetchHistory | FetchDelivery | None:
        """What to ask about messages that others answer, or that are inspected."""
        if not self._inspected:
            return self._quotes.take_command()
        row, peer = self._inspected.pop(0)
        command = question(row, peer.info.peer)
        self._asked[command] = (row, peer)
        return command

    def handle_answer(self, answer: Answered) -> bool:
        """Whether it answers that: lines follow for what was printed without."""
        if isinstance(answer.command, FetchDelivery):
            row, peer = self._asked.pop(answer.command)
            known = answer.result if isinstance(answer.result, Delivery) else Delivery()
            for line in detail_lines(row, known, peer):
                self.say(line)
            return True
        if not (isinstance(answer.command, FetchHistory) and answer.command.ids):
            return False
        if answer.command.peer == self._quotes.peer:
            page = answer.result if isinstance(answer.result, HistoryPage) else None
            self._quotes.handle_page(page)
            waiting, self._unquoted = self._unquoted, []
            for row, peer in waiting:
                if self._quotes.is_known(row):
                    what = render.quote_line(self._quotes.find(row), peer).strip()
                    mark = "yours" if row.mine else f"ACK {row.ack}"
                    self.say(f"{render.clock_words(row.arrived_ms)} ({mark}) {what}")
        return True

    def _quote(self, row: MessageRow, peer: PeerView) -> None:
        """The line above a message that answers another."""
        if not row.reply_to:
            return
        if self._quotes.peer != peer.info.peer:
            self._quotes = Quotes(peer.info.peer)
        self._quotes.want([*peer.messages, row])
        if self._quotes.is_known(row):
            self._print(render.quote_line(self._quotes.find(row), peer), "quiet")
        else:
            self._print(EARLIER, "quiet")
            self._unquoted = [*self._unquoted, (row, peer)][-MAX_UNQUOTED:]

    def take_lines(self) -> list[Line]:
        """What to print."""
        lines, self._lines = self._lines, []
        return lines

    def _print(self, text: str, style: str, tail: str = "") -> None:
        self._lines.append(Line(text, style, tail))
        del self._lines[:-MAX_LINES]
