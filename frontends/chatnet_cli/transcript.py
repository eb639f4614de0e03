"""Owns the lines that a chat prints, until its loop takes them. Pure."""

from dataclasses import dataclass

from chatnet_cli import render
from chatnet_client.links import links_in
from chatnet_protocol.ipc.rows import MessageKind, MessageRow
from chatnet_protocol.ipc.view import PeerView

MAX_LINKS = 3
"""Explained below one message."""
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

    def say(self, text: str, style: str = "quiet") -> None:
        """A remark: nobody's message."""
        self._print(f"-- {text}", style)

    def message(self, row: MessageRow, peer: PeerView, *, tail: bool = True) -> None:
        """A message in its place; without `tail`, without what may still change."""
        day = render.day_words(row.arrived_ms)
        if self._watched and day != self._day:
            self._day = day
            self.say(day)
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
        line = render.message_line(row, peer, day=True, tail=False)
        self._print(line, "quiet", render.message_tail(row, peer))

    def start_over(self) -> None:
        """Another conversation is shown from here on."""
        self._day = ""

    def take_lines(self) -> list[Line]:
        """What to print."""
        lines, self._lines = self._lines, []
        return lines

    def _print(self, text: str, style: str, tail: str = "") -> None:
        self._lines.append(Line(text, style, tail))
        del self._lines[:-MAX_LINES]
