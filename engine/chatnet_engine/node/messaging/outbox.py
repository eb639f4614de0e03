"""Owns the own messages that are on their way to one peer: which wire number is which message.

Wire numbers start at 1 with each engine start (its incarnation) and go on over new links. Entries
leave at the low end only, once the peer has committed them, so that whatever a peer that lost its
history asks for again is still here. The rest of the queue stays in the store and comes in pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chatnet_engine.node.messaging.number_runs import OWN, NumberRuns
from chatnet_engine.store_ops.commit import OutboxRow
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.ipc.rows import AckRange
from chatnet_protocol.limits import KIB, MAX_MESSAGES_IN_WINDOW, RECEIVE_WINDOW_BYTES
from chatnet_protocol.wire.frames import Receipt
from chatnet_protocol.wire.messages import encode_message

PAGE_ROWS = 2048
"""Messages read from the store at once."""


@dataclass(slots=True)
class _Entry:
    seq: int
    data: bytes
    committed: bool = False


MAX_PAGE_BYTES = 512 * KIB
"""One read of the store, which nothing else can use meanwhile."""


class Outbox:
    """The window of one peer's outbox that is in memory."""

    def __init__(self, delivered_seq: int, window_bytes: int = RECEIVE_WINDOW_BYTES) -> None:
        self.page_bytes = min(window_bytes // 2, MAX_PAGE_BYTES)
        """Of texts read from the store at once."""
        self.base = 1
        """Wire number of the oldest entry, or the next number to be given."""
        self.loaded_seq = delivered_seq
        """Everything up to here is in memory or done with."""
        self.complete = False
        """Nothing in the store comes after `loaded_seq`."""
        self.loading = False
        """A page has been asked for."""
        self.acked = 0
        """Highest ACK number received, whether the store has it yet or not: HELLO carries it, so
        that a peer that lost its history does not give it again."""
        self.numbers = NumberRuns()
        """Wire numbers (of the space OWN) and sequence numbers, also of what has left."""
        self._entries: list[_Entry] = []
        self._handed = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def unsent(self) -> int:
        """How many entries the link has not been given yet."""
        return len(self._entries) - self._handed

    @property
    def next_number(self) -> int:
        """Wire number of the next entry to be added."""
        return self.base + len(self._entries)

    def wants_page(self, credit_bytes: int) -> bool:
        """Whether to read on in the store; `credit_bytes`: what the link's window takes now."""
        if self.complete or self.loading or self.unsent:
            return False
        return len(self) < MAX_MESSAGES_IN_WINDOW // 2 and credit_bytes > self.page_bytes // 2

    def extend(self, rows: Sequence[OutboxRow]) -> None:
        """Add the next messages of the store, in order."""
        self._number(rows)
        for row in rows:
            data = encode_message(row.message)
            self._entries.append(_Entry(row.seq, data))
        if rows:
            self.loaded_seq = rows[-1].seq

    def _number(self, rows: Sequence[OutboxRow]) -> None:
        if rows and rows[-1].seq - rows[0].seq == len(rows) - 1:
            self.numbers.add(OWN, self.next_number, rows[0].seq, len(rows))
            return
        for number, row in enumerate(rows, self.next_number):
            self.numbers.add(OWN, number, row.seq, 1)

    def restart(self, mark: int, receiver_is_new: bool) -> int:
        """Begin on a new link: the peer has committed numbers up to `mark`.

        Returns the first number to send. Raises RemoteProtocolError when the mark is above what
        was ever given out (a ghost ACK, RFC 9000 section 13.1), or below what the same peer
        incarnation has already receipted.
        """
        if mark >= self.next_number:
            raise RemoteProtocolError("HELLO tells of messages that were never sent")
        if mark < self.base - 1 and not receiver_is_new:
            raise RemoteProtocolError("HELLO takes back messages that were receipted")
        first = max(self.base, mark + 1)
        self._handed = first - self.base
        return first

    def take_unsent(self, credit_bytes: int, overhead_bytes: int) -> list[bytes]:
        """The next entries for the link that fit into `credit_bytes`."""
        out: list[bytes] = []
        end = min(len(self._entries), MAX_MESSAGES_IN_WINDOW)
        for index in range(self._handed, end):
            data = self._entries[index].data
            credit_bytes -= len(data) + overhead_bytes
            if credit_bytes < 0:
                break
            out.append(data)
        self._handed += len(out)
        return out

    def seq_of(self, number: int) -> int:
        """Running number of the own message with that wire number; 0 when it has left."""
        index = number - self.base
        return self._entries[index].seq if 0 <= index < len(self._entries) else 0

    def handle_receipts(self, receipts: Sequence[Receipt]) -> list[AckRange]:
        """The peer committed these: what the ledger has to store, in running numbers."""
        out: list[AckRange] = []
        for receipt in receipts:
            first = max(self.base, receipt.number - receipt.count + 1)
            for number in range(first, receipt.number + 1):
                index = number - self.base
                if index >= len(self._entries):
                    break
                entry = self._entries[index]
                if entry.committed:
                    continue
                entry.committed = True
                ack = receipt.ack - (receipt.number - number)
                last = out[-1] if out else None
                if last and (last.seq + 1, last.ack + 1) == (entry.seq, ack):
                    out[-1] = AckRange(entry.seq, ack, last.count + 1)
                else:
                    out.append(AckRange(entry.seq, ack, 1))
        self.acked = max(self.acked, *(run.ack for run in out), 0)
        gone = 0
        while gone < len(self._entries) and self._entries[gone].committed:
            gone += 1
        del self._entries[:gone]
        self.base += gone
        self._handed = max(0, self._handed - gone)
        return out
