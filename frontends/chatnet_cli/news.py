"""What happens besides messages, as lines for people: links, transfers, failures, notices, and
conversations on their way back."""

from collections.abc import Iterator
from dataclasses import dataclass

from chatnet_cli import render
from chatnet_cli.hints import AS_VERBS, Hints
from chatnet_client.mirror import Mirror
from chatnet_client.words import is_open
from chatnet_client.words.messages import failure_words
from chatnet_client.words.notices import notice_words
from chatnet_client.words.numbers import limit_words
from chatnet_protocol.ipc.events import (
    Event,
    LinkChanged,
    MessageFailed,
    Notice,
    PeerRemoved,
    RestoreChanged,
    SessionChanged,
    TransferChanged,
)
from chatnet_protocol.ipc.reasons import Reason
from chatnet_protocol.ipc.rows import ENDED_TRANSFER_STATES, TransferRow
from chatnet_protocol.ipc.view import PeerView
from chatnet_protocol.limits import MAX_VIEW_TRANSFERS


@dataclass(frozen=True, slots=True)
class NewsLine:
    """One line about a peer (0: about the session)."""

    peer: int
    text: str
    is_error: bool = False
    is_for_all: bool = False
    """Whether it is worth telling while another peer is talked to."""


class News:
    """Remembers what was printed of each transfer and of each restore, to
    print steps and not every count."""

    def __init__(self, hints: Hints = AS_VERBS) -> None:
        self._hints = hints
        self._transfers: dict[bytes, tuple[str, str, Reason | None]] = {}
        """By transfer that has not ended: (state, by, reason) of its last line; as many as the
        view has."""
        self._printed: dict[int, tuple[str, str]] = {}
        """By peer: (mine, theirs) of its last RestoreRow; as many as there are peers."""

    def of(self, event: Event, mirror: Mirror) -> Iterator[NewsLine]:
        """What `event`, which the mirror has taken already, means to a person."""
        match event:
            case LinkChanged(row=link):
                peer = mirror.peer(link.peer)
                if peer is not None:
                    words = f"{render.peer_name(peer.info)} · {render.link_words(peer)}"
                    yield NewsLine(link.peer, words, is_for_all=True)
            case TransferChanged(row=transfer):
                yield from self._transfer(transfer, mirror)
            case MessageFailed(peer=number, no=no, reason=reason):
                words = f"message {no} was not sent: {render.escape_line(failure_words(reason))}"
                yield NewsLine(number, words, is_error=True)
            case Notice(peer=number, level=level):
                name = render.name_in(mirror.view, number)
                words = render.escape_line(notice_words(event, name))
                yield NewsLine(number, words, is_error=level == "error", is_for_all=True)
            case RestoreChanged(row=row):
                peer = mirror.peer(row.peer)
                if peer is not None:
                    yield from self._restore(peer)
            case SessionChanged(row=session):
                words = render.own_name_line(session.display_name)
                words = f"{words} · {render.inbox_line(session.inbox)}"
                words = f"{words} · {limit_words(session.limit_bytes_s)}"
                yield NewsLine(0, words, is_for_all=True)
            case PeerRemoved(peer=number):
                self._printed.pop(number, None)
            case _:
                pass

    def opening(self, peer: PeerView) -> Iterator[NewsLine]:
        """What is under way or waits for an answer when a conversation is opened."""
        if is_open(peer.restore):
            yield from self._restore(peer)

    def _transfer(self, row: TransferRow, mirror: Mirror) -> Iterator[NewsLine]:
        step = (row.state, row.by, row.reason)
        if self._transfers.get(row.id) == step:
            return
        if row.state in ENDED_TRANSFER_STATES:
            self._transfers.pop(row.id, None)
        else:
            self._transfers[row.id] = step
            if len(self._transfers) > MAX_VIEW_TRANSFERS:
                del self._transfers[next(iter(self._transfers))]
        name = render.name_in(mirror.view, row.peer)
        yield NewsLine(row.peer, render.transfer_step_line(row, name, self._hints))

    def _restore(self, peer: PeerView) -> Iterator[NewsLine]:
        row, number = peer.restore, peer.info.peer
        mine, theirs = self._printed.get(number, ("", ""))
        self._printed[number] = (row.mine, row.theirs)
        lines = [
            render.asking_line(peer, self._hints) if row.mine != mine else "",
            render.giving_line(peer, self._hints) if row.theirs != theirs else "",
        ]
        yield from (NewsLine(number, line, is_for_all=True) for line in lines if line)
