"""Owns what is known of the messages that others answer, in one conversation. Pure.

A message names the one it answers by its id (`MessageRow.reply_to`). That one may be among the
rows at hand, further up in the history, not there, or there later, when it comes back after a loss.
The program that uses this

- calls `want` with the rows at hand whenever they have changed;
- asks what `take_command` gives, and hands the page of its answer (or None) to `handle_page`;
- hands every event to `handle_event`;
- shows `find(row)` above a row that answers one.
"""

from collections.abc import Iterable, Sequence

import msgspec

from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.events import (
    Event,
    MessageFailed,
    MessagesAdded,
    MessagesRestored,
    PeerRemoved,
)
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_protocol.limits import MAX_HISTORY_IDS

MAX_KNOWN = 2000
"""Messages looked up; beyond it all are forgotten, and those at hand looked up again."""


class Quotes:
    """The messages of one peer's conversation that others answer."""

    def __init__(self, peer: int) -> None:
        self.peer = peer
        self._known: dict[bytes, MessageRow | None] = {}
        """By id; None: it is not here."""
        self._wanted: dict[bytes, None] = {}
        self._asked: tuple[bytes, ...] = ()

    def find(self, row: MessageRow) -> MessageRow | None:
        """The message that `row` answers; None: it is not here, was withdrawn, or is not known."""
        found = self._known.get(row.reply_to)
        return found if found is not None and not found.failed else None

    def is_known(self, row: MessageRow) -> bool:
        """Whether it was looked up which message `row` answers."""
        return row.reply_to in self._known

    def want(self, rows: Sequence[MessageRow]) -> None:
        """Know the messages that these answer: from among them, or by asking."""
        missing = {row.reply_to for row in rows if row.reply_to} - self._known.keys()
        missing -= self._wanted.keys()
        if not missing:
            return
        if len(self._known) + len(missing) > MAX_KNOWN:
            self._known.clear()
        for row in rows:
            if row.id in missing:
                self._known.setdefault(row.id, row)
        self._wanted.update(dict.fromkeys(sorted(missing - self._known.keys())))

    def take_command(self) -> FetchHistory | None:
        """What to ask, one question at a time; None: nothing, or an answer is not here yet."""
        if self._asked or not self._wanted:
            return None
        self._asked = tuple(self._wanted)[:MAX_HISTORY_IDS]
        return FetchHistory(self.peer, ids=list(self._asked))

    def handle_page(self, page: HistoryPage | None) -> set[bytes]:
        """The answer, None if there is none; the ids that are known now, here or not."""
        asked, self._asked = self._asked, ()
        for message_id in asked:
            self._wanted.pop(message_id, None)
        if page is None:
            return set()
        for row in page.rows:
            if row.id in asked:
                self._known.setdefault(row.id, row)
        if not page.more:
            for message_id in asked:
                self._known.setdefault(message_id, None)
        return set(asked)

    def handle_event(self, event: Event) -> set[bytes]:
        """The ids of which something else is known now."""
        match event:
            case MessagesAdded(peer=self.peer) | MessagesRestored(peer=self.peer):
                return self._replace(event.rows)
            case MessageFailed(peer=self.peer, no=no, reason=reason):
                rows = [row for row in self._known.values() if row and row.no == no]
                return self._replace(msgspec.structs.replace(row, failed=reason) for row in rows)
            case PeerRemoved(into=self.peer):
                changed = set(self._known)
                self.reset()
                return changed
            case _:
                return set()

    def reset(self) -> None:
        """Another view: what was missing may have come."""
        self._known.clear()
        self._wanted.clear()
        self._asked = ()

    def _replace(self, rows: Iterable[MessageRow]) -> set[bytes]:
        changed = {row.id: row for row in rows if row.id in self._known or row.id in self._asked}
        self._known.update(changed)
        return set(changed)
