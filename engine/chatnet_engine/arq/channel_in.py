"""The receiving side of one channel.

Owns what arrived out of order, what is in order and not yet taken, and the peer's use of the window
as this side knows it (a message of which a part came uses its whole size; kept is only what came).
Everything here may come twice.
"""

from chatnet_engine.arq.held import Held
from chatnet_engine.arq.reassembly import Partial
from chatnet_protocol.errors import LocalProtocolError, RemoteProtocolError
from chatnet_protocol.limits import MESSAGE_OVERHEAD_BYTES


class ReceiveChannel:
    """Delivers messages in order from `start`; before it, keeps what comes within the limits."""

    def __init__(self, limit_bytes: int, window_messages: int, held: Held) -> None:
        self.duplicates = 0
        self.started = False
        self.receipted = 0
        self.next_number = 0
        self.ready: list[bytes] = []
        self.ready_at = 0.0
        self._held = held
        self._limit_bytes = limit_bytes
        self._window_messages = window_messages
        self._early: dict[int, bytes] = {}
        self._partial: dict[int, Partial] = {}
        self._used_bytes = 0
        self._unreceipted: list[tuple[int, int]] = []

    @property
    def held_messages(self) -> int:
        """Messages buffered out of order, whole or in part."""
        return len(self._early) + len(self._partial)

    def start(self, next_number: int, now: float) -> None:
        """Deliver from here; whatever was kept below is a repetition."""
        if self.started:
            raise LocalProtocolError("receiving has started already")
        for number in [n for n in self._early if n < next_number]:
            size_bytes = len(self._take_early(number))
            self._used_bytes -= size_bytes + MESSAGE_OVERHEAD_BYTES
            self.duplicates += 1
        for number in [n for n in self._partial if n < next_number]:
            self._drop_partial(number)
        self.started = True
        self.next_number = next_number
        self.receipted = next_number - 1
        self._deliver_early(now)

    def check(self, last_number: int, total_bytes: int, count: int, part_of: int | None) -> None:
        """Raises RemoteProtocolError when these `count` messages, `total_bytes` in all and ending
        at `last_number`, cannot come from a sender that keeps to the window. `part_of` names the
        message when they are a part of it."""
        if self.started:
            if last_number > self.receipted + self._window_messages:
                raise RemoteProtocolError("message number beyond the window")
            if last_number < self.next_number:
                return
        if part_of is not None:
            if part_of in self._early:
                return
            partial = self._partial.get(part_of)
            if partial is not None:
                if partial.total != total_bytes:
                    raise RemoteProtocolError("parts of one message disagree about its size")
                return
        if self._used_bytes + total_bytes + count * MESSAGE_OVERHEAD_BYTES > self._limit_bytes:
            raise RemoteProtocolError("more bytes than the window holds")

    def accept(self, first_number: int, messages: list[bytes], now: float) -> None:
        """Whole messages with consecutive numbers, already checked."""
        number = first_number
        if self.started and number == self.next_number and not self._early and not self._partial:
            self._used_bytes += self._deliver(messages, now)
            return
        for body in messages:
            self._keep(number, body)
            number += 1
        if self.started:
            self._deliver_early(now)

    def accept_part(self, number: int, offset: int, total: int, data: bytes, now: float) -> None:
        """A part of one message, already checked."""
        if (self.started and number < self.next_number) or number in self._early:
            self.duplicates += 1
            return
        partial = self._partial.get(number)
        if partial is None:
            partial = self._partial[number] = Partial(total)
            self._use(total, 1)
        before = partial.held_bytes
        body = partial.add(offset, total, data)
        self._held.add(partial.held_bytes - before)
        if body is not None:
            self._held.add(-partial.held_bytes)
            del self._partial[number]
            self._put_early(number, body)
            if self.started:
                self._deliver_early(now)

    def take_ready(self) -> tuple[int, list[bytes]]:
        """Number of the first message in order since the last call, and the messages."""
        taken, self.ready = self.ready, []
        return self.next_number - len(taken), taken

    def on_receipt(self, number: int) -> None:
        """This side has receipted everything up to `number`."""
        if not self.started or number >= self.next_number:
            raise LocalProtocolError("a receipt for messages that did not arrive")
        self.receipted = max(self.receipted, number)
        unreceipted = self._unreceipted
        done = 0
        while done < len(unreceipted) and unreceipted[done][0] <= number:
            self._used_bytes -= unreceipted[done][1]
            done += 1
        del unreceipted[:done]

    def _keep(self, number: int, body: bytes) -> None:
        if (self.started and number < self.next_number) or number in self._early:
            self.duplicates += 1
            return
        self._drop_partial(number)
        self._put_early(number, body)
        self._use(len(body), 1)

    def _put_early(self, number: int, body: bytes) -> None:
        self._early[number] = body
        self._held.add(len(body) + MESSAGE_OVERHEAD_BYTES)

    def _take_early(self, number: int) -> bytes:
        body = self._early.pop(number)
        self._held.add(-len(body) - MESSAGE_OVERHEAD_BYTES)
        return body

    def _use(self, size_bytes: int, count: int) -> None:
        self._used_bytes += size_bytes + count * MESSAGE_OVERHEAD_BYTES

    def _drop_partial(self, number: int) -> None:
        partial = self._partial.pop(number, None)
        if partial is not None:
            self._used_bytes -= partial.total + MESSAGE_OVERHEAD_BYTES
            self._held.add(-partial.held_bytes)

    def _deliver_early(self, now: float) -> None:
        early = self._early
        number = self.next_number
        if number not in early:
            return
        messages = []
        while number in early:
            messages.append(self._take_early(number))
            number += 1
        self._deliver(messages, now)

    def _deliver(self, messages: list[bytes], now: float) -> int:
        """What they count against the window."""
        self.ready += messages
        self.ready_at = now
        self.next_number += len(messages)
        cost = sum(map(len, messages)) + len(messages) * MESSAGE_OVERHEAD_BYTES
        self._unreceipted.append((self.next_number - 1, cost))
        return cost
