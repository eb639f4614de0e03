"""What happens besides messages, as lines for people: links, transfers, failures, notices."""

from collections.abc import Iterator
from dataclasses import dataclass

from chatnet_cli import render
from chatnet_client.mirror import Mirror
from chatnet_protocol.ipc.events import (
    Event,
    LinkChanged,
    MessageFailed,
    Notice,
    TransferChanged,
)


@dataclass(frozen=True, slots=True)
class NewsLine:
    """One line about a peer (0: about the session)."""

    peer: int
    text: str
    is_error: bool = False
    is_for_all: bool = False
    """Whether it is worth telling while another peer is talked to."""


def news_of(event: Event, mirror: Mirror) -> Iterator[NewsLine]:
    """What `event`, which the mirror has taken already, means to a person."""
    match event:
        case LinkChanged(row=link):
            peer = mirror.peer(link.peer)
            if peer is not None:
                words = f"{render.peer_name(peer.info)} · {render.link_words(peer)}"
                yield NewsLine(link.peer, words, is_for_all=True)
        case TransferChanged(row=transfer):
            line = render.transfer_line(transfer, *mirror.progress(transfer))
            yield NewsLine(transfer.peer, line)
        case MessageFailed(peer=number, no=no, reason=reason):
            words = f"message {no} was not sent: {render.escape_line(reason)}"
            yield NewsLine(number, words, is_error=True)
        case Notice(peer=number, text=text, level=level):
            words = render.escape_line(text)
            yield NewsLine(number, words, is_error=level == "error", is_for_all=True)
        case _:
            pass
