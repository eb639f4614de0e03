"""Promise 2 between two histories: who lost messages, asked and was given them has them all."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING

from checker.histories import by_id

if TYPE_CHECKING:
    from checker.verdict import Side

Line = tuple[int, bytes, bytes, int, int, int, bytes, bytes]


def check_restored(one: Side, other: Side) -> Iterator[str]:
    """Delivered messages are the same on both sides, in the order of (counter, author, id)."""
    lost = [side for side in (one, other) if side.lost_memory]
    if one.parted_from(other):
        return  # only the conversation with a peer of the list is given back
    if not lost or any(not side.restored for side in lost):
        return
    again = _written_again(one) | _written_again(other)
    for here, there in zip_longest(_delivered(one, other, again), _delivered(other, one, again)):
        if here == there:
            continue
        if here and there and here[2] == there[2]:
            names = ("counter", "author", "id", "kind", "time", "ACK number", "text", "answered")
            what = [name for name, a, b in zip(names, here, there, strict=True) if a != b]
            yield f"after a restore {here[2].hex()[-6:]} has another {' and '.join(what)} there"
        elif there is None or (here and here < there):
            assert here
            yield f"after a restore {here[2].hex()[-6:]} is here and not there"
        else:
            yield f"after a restore {there[2].hex()[-6:]} is there and not here"
        return


def _written_again(author: Side) -> set[bytes]:
    """Messages that were lost, and that a front end sent once more: with another counter and time
    than the peer has, which knows the first."""
    written = by_id((m for m in history.messages if m.mine) for history in author.histories)
    return {i for i, rows in written.items() if len({(m.lamport, m.sent_ms) for m in rows}) > 1}


def _delivered(side: Side, other: Side, again: set[bytes]) -> list[Line]:
    """What both have, or should, as `side` has it; without the counter and the time of what was
    written `again`."""
    return sorted(
        (
            0 if m.id in again else m.lamport, side.key if m.mine else other.key, m.id, m.kind,
            0 if m.id in again else m.sent_ms, m.ack, m.body, m.reply_to,
        )
        for m in side.now.messages
        if m.with_key == other.key and not (m.mine and (m.failed or not m.settled))
    )  # fmt: skip
