"""The bottom of the terminal chat: a line for each transfer that moves, and one for the link."""

from collections.abc import Iterator

from chatnet_cli import render
from chatnet_client.mirror import Mirror
from chatnet_client.words.numbers import loss_words, rtt_words
from chatnet_protocol.ipc.rows import ENDED_TRANSFER_STATES, LinkState, RestoreMine
from chatnet_protocol.ipc.view import PeerView, message_state

MAX_TRANSFER_LINES = 3
"""More transfers at once are counted, so that the chat keeps its screen."""


def status_lines(mirror: Mirror, number: int, width: int) -> list[str]:
    """What stands below the line being written, each line at most `width` characters."""
    peer = mirror.peer(number)
    if peer is None:
        missing = "this peer was removed" if mirror.view else "connecting to the engine …"
        return [_cut(mirror.lost_reason or missing, width)]
    lines = [*_transfer_lines(mirror, number), _link_line(mirror, peer)]
    return [_cut(line, width) for line in lines]


def _link_line(mirror: Mirror, peer: PeerView) -> str:
    """Peer, link, what waits, how far the newest own message got."""
    words = [render.peer_name(peer.info)]
    if mirror.lost_reason:
        words.append("engine not running")
    else:
        words.append(render.state_words(peer.link))
        words += _link_numbers(mirror, peer)
    if peer.waiting:
        words.append(f"{peer.waiting} waiting")
    own = [row for row in peer.messages if row.mine]
    if own:
        words.append(f"last {render.ticks_words(message_state(own[-1], peer))}")
    if peer.restore.mine == RestoreMine.RUNNING:
        words.append(f"{peer.restore.restored} restored")
    if peer.typing:
        words.append("typing …")
    return " · ".join(words)


def _link_numbers(mirror: Mirror, peer: PeerView) -> Iterator[str]:
    """Statistics of a link that is up; those of one that was up are of no use."""
    gauge = mirror.link_gauge(peer.info.peer)
    if gauge is None or peer.link.state != LinkState.UP:
        return
    if gauge.rtt_ms:
        yield rtt_words(gauge.rtt_ms)
    if gauge.loss >= 0.005:
        yield loss_words(gauge.loss)


def _transfer_lines(mirror: Mirror, number: int) -> list[str]:
    assert mirror.view is not None
    lines = []
    name = render.name_in(mirror.view, number)
    for row in mirror.view.transfers:
        if row.peer == number and row.state not in ENDED_TRANSFER_STATES:
            lines.append(render.transfer_gauge_line(row, mirror.progress(row), name))
    shown = lines[-MAX_TRANSFER_LINES:]
    if len(lines) > len(shown):
        shown.append(f"and {len(lines) - len(shown)} more; /status lists them")
    return shown


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: max(0, width - 1)] + "…"
