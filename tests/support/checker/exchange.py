"""Promise 1 between two histories: what one side wrote is at the other exactly once, in order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from checker.histories import Message, by_id

if TYPE_CHECKING:
    from checker.verdict import Side


def check_exchange(author: Side, reader: Side, *, at_rest: bool) -> Iterator[str]:
    """What `author` wrote and `reader` has."""
    written = author.now.own(reader.key)
    read = reader.now.got(author.key)
    ever_written = by_id([history.own(reader.key) for history in author.histories])
    ever_read = by_id([history.got(author.key) for history in reader.histories])
    yield from _invented(ever_written, ever_read, author)
    yield from _ticks(author, reader, written, ever_read)
    yield from _order(author, written, read, ever_written, ever_read)
    there = {message.id for message in read}
    forgotten = {
        message.id
        for history in author.histories[:-1]
        for message in history.own(reader.key)
        if not message.failed
    }
    for message in written:
        if message.failed:
            # What a lost history had sent, no later one can know of when it is asked to withdraw.
            if message.id in ever_read and message.id not in forgotten:
                yield f"message {message.seq} failed here and arrived there"
        elif message.settled and message.id not in ever_read:
            yield f"message {message.seq} was lost on the way"
        elif message.settled and message.id not in there and not reader.lost_memory:
            yield f"message {message.seq} vanished after its arrival"
        elif at_rest and not message.settled and message.peer in author.now.conversations:
            yield f"message {message.seq} still waits"
    if at_rest and not (author.lost_memory or reader.lost_memory):
        yield from _marks(author, reader)


def _invented(
    written: dict[bytes, list[Message]], read: dict[bytes, list[Message]], author: Side
) -> Iterator[str]:
    # To a peer that was removed and whose key another row has since: whose it was is not told.
    ownerless = {
        message.id
        for history in author.histories
        for message in history.messages
        if message.mine and not message.with_key
    }
    for message_id, copies in read.items():
        originals = written.get(message_id)
        if originals is None:
            if message_id in ownerless:
                continue
            yield f"a message arrived that nobody wrote, ACK {copies[-1].ack}"
            continue
        for copy in copies:
            if all(
                (o.kind, o.body, o.sent_ms, o.reply_to)
                != (copy.kind, copy.body, copy.sent_ms, copy.reply_to)
                for o in originals
            ):
                yield f"message {originals[-1].seq} arrived changed"
            elif not author.rolled_back and copy.lamport not in {o.lamport for o in originals}:
                yield f"message {originals[-1].seq} has another Lamport counter there"


def _ticks(
    author: Side, reader: Side, written: list[Message], read: dict[bytes, list[Message]]
) -> Iterator[str]:
    acks: set[int] = set()
    for message in sorted(written, key=lambda m: m.came_back):
        if message.failed and message.ack:
            yield f"message {message.seq} failed and has an ACK number"
        if message.failed or not message.settled or not message.ack:
            if message.settled and not message.failed:
                yield f"message {message.seq} is delivered without an ACK number"
            continue
        # When both histories were gone, nobody knew which ACK numbers had been given; those of
        # then and those of later may meet again in what comes back.
        # So may those of who was removed, when the other side lost its history meanwhile.
        forgotten = reader.lost_memory and (
            (message.came_back and author.lost_memory) or author.parted_from(reader)
        )
        if message.ack in acks and not forgotten:
            yield f"ACK {message.ack} stands for two messages"
        acks.add(message.ack)
        if message.ack not in {copy.ack for copy in read.get(message.id, [])}:
            yield f"message {message.seq} is said to be ACK {message.ack} there and is not"


def _order(
    author: Side,
    written: list[Message],
    read: list[Message],
    ever: dict[bytes, list[Message]],
    ever_read: dict[bytes, list[Message]],
) -> Iterator[str]:
    """By peer: one that was removed and one that was added are two conversations, and what waits
    for either leaves when it is linked. What an author lost and wrote again had another place.

    What its reader lost, and an author sends again that was taken back to when it still waited,
    arrives behind what that author's later history had sent: with another ACK number.
    """
    moved = {i for i, rows in ever.items() if len({(row.seq, row.lamport) for row in rows}) > 1}
    if author.rolled_back:
        moved |= {i for i, rows in ever_read.items() if len({row.ack for row in rows}) > 1}
    place = {m.id: (m.peer, m.seq) for m in written if m.id not in moved and not m.came_back}
    seen = [place[m.id] for m in read if m.id in place and not m.came_back]
    for earlier, later in pairwise(sorted(seen, key=lambda place: place[0])):
        if later <= earlier:
            yield f"message {later[1]} came after message {earlier[1]}"
            return


def _marks(author: Side, reader: Side) -> Iterator[str]:
    told = [c for c in author.now.conversations.values() if c.key == reader.key]
    said = [c for c in reader.now.conversations.values() if c.key == author.key]
    if not told or not said:
        return
    for here, there in (("peer_shown", "my_shown"), ("peer_read", "my_read")):
        if told[0].marks[here] != said[0].marks[there]:
            yield f"{here} is {told[0].marks[here]} here and {said[0].marks[there]} there"
