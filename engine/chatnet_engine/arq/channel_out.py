"""The sending side of one channel.

Owns the bodies that are not receipted, which of them are not acknowledged, what has to be sent
again, and the window. It knows nothing of packets but their numbers.
"""

from collections.abc import Sequence
from heapq import heappop, heappush

from chatnet_engine.arq.packets import DeliveryToken, SentFrame
from chatnet_engine.arq.ranges import RangeSet
from chatnet_engine.arq.redundancy import MAX_TRACKED, SMALL_MESSAGE_BYTES, EarlyCopies
from chatnet_protocol.errors import LocalProtocolError
from chatnet_protocol.limits import MAX_MESSAGE_BYTES, MESSAGE_OVERHEAD_BYTES
from chatnet_protocol.wire import frames

MIN_USEFUL_BYTES = 16
"""With less space than this a packet is full."""
MIN_PART_BYTES = 64
"""A message is not cut for the sake of less space than this ..."""
UNCUT_BYTES = 128
"""... and one of up to this size not at all, nor any small one of a thin stream: copies need them
whole."""


class SendChannel:
    """Messages numbered from `first_number`, sent in order, resent by need, freed by receipt.

    Tokens are (first, count) for whole messages and (number, offset, end) for a part of one.
    """

    def __init__(
        self, channel: int, first_number: int, window_bytes: int, window_messages: int
    ) -> None:
        self.channel = channel
        self.receipted = first_number - 1
        self.sent_upto = first_number - 1
        self.resent_bytes = 0
        self._window_bytes = window_bytes
        self._window_messages = window_messages
        self._next = first_number
        self._next_offset = 0
        self._end = first_number
        self._sendable = first_number
        self._used_bytes = 0
        self._bodies: dict[int, bytes] = {}
        self._unacked: set[int] = set()
        self._parts: dict[int, RangeSet] = {}
        self._again: list[tuple[int, int, int]] = []
        self._again_set: set[tuple[int, int, int]] = set()
        self.copies = EarlyCopies()

    @property
    def has_new(self) -> bool:
        """Whether something was never sent and may be."""
        return self._next < self._sendable

    @property
    def has_again(self) -> bool:
        """Whether something may have to be sent again."""
        return bool(self._again)

    @property
    def waits(self) -> bool:
        """Whether either is so."""
        return self._next < self._sendable or bool(self._again)

    @property
    def unreceipted(self) -> int:
        """Messages sent in full that the peer has not committed yet, as far as is known."""
        return self.sent_upto - self.receipted

    def credit(self) -> int:
        """Window bytes left; a message takes its length and MESSAGE_OVERHEAD_BYTES."""
        return self._window_bytes - self._used_bytes

    def queue(self, messages: Sequence[bytes]) -> int:
        """Take messages in; returns the number of the first. Raises LocalProtocolError.

        Tiny ones beyond the message count of the window wait here.
        """
        sizes = list(map(len, messages))
        if not sizes:
            raise LocalProtocolError("no message to queue")
        if min(sizes) == 0 or max(sizes) > MAX_MESSAGE_BYTES:
            raise LocalProtocolError(f"a message has 1 to {MAX_MESSAGE_BYTES} bytes")
        cost = sum(sizes) + MESSAGE_OVERHEAD_BYTES * len(sizes)
        if cost > self.credit():
            raise LocalProtocolError("over the window")
        first = self._end
        self._bodies.update(enumerate(messages, first))
        self._end = first + len(sizes)
        self._used_bytes += cost
        self._update_sendable()
        return first

    def pull(self, space: int, packet: int, now: float) -> list[SentFrame]:
        """Frames for a packet with `space` bytes: what was lost, then what was never sent."""
        pulled: list[SentFrame] = []
        while self._again and space >= MIN_USEFUL_BYTES:
            frame = self.pull_again(space, packet, now)
            if frame is None:
                break
            pulled.append(frame)
            space -= len(frame[0])
        while self._next < self._sendable and space >= MIN_USEFUL_BYTES:
            frame = self.pull_new(space, packet, now)
            if frame is None:
                break
            pulled.append(frame)
            space -= len(frame[0])
            number, whole = self._next, len(frame[1]) == 2
            if whole and number < self._sendable and len(self._bodies[number]) <= UNCUT_BYTES:
                break  # the next one is not cut, and did not fit
        return pulled

    def pull_new(self, space: int, packet: int, now: float) -> SentFrame | None:
        """The next frame of what was never sent, in at most `space` bytes."""
        first = number = self._next
        end = self._sendable
        if number >= end:
            return None
        bodies = self._bodies
        if self._next_offset == 0:
            left = space - frames.messages_head_bytes(number)
            likely = left // (len(bodies[number]) + 2)  # if all are as long as the first
            batch = list(map(bodies.__getitem__, range(number, min(number + likely, end))))
            left -= sum(map(len, batch)) + 2 * len(batch)
            while left < 0:
                left += len(batch.pop()) + 2
            number += len(batch)
            while number < end and (left := left - len(bodies[number]) - 2) >= 0:
                batch.append(bodies[number])
                number += 1
            if batch:
                self._next = number
                self.sent_upto = number - 1
                self._unacked.update(range(first, number))
                if self._thin:
                    self._track(first, batch, packet, now)
                return self._run(first, batch)
        size = len(bodies[number])
        pulled = self._part(number, self._next_offset, size, space)
        if pulled is None:
            return None
        self._unacked.add(number)
        if number not in self._parts:
            self._parts[number] = RangeSet()
        self._next_offset = pulled[1][2]
        if self._next_offset == size:
            self.sent_upto = number
            self._next = number + 1
            self._next_offset = 0
        return pulled

    def pull_again(self, space: int, packet: int, now: float) -> SentFrame | None:
        """The next frame of what has to be sent again, oldest first."""
        again = self._again
        while again:
            number, offset, end = again[0]
            if number not in self._unacked:
                self._again_set.discard(heappop(again))
                continue
            pulled = self._whole_again(space, packet, now)
            if pulled is not None:
                return pulled
            part_end = end
            received = self._parts.get(number)
            if received is not None:
                gaps = received.missing(offset, end - 1)
                if not gaps:
                    self._again_set.discard(heappop(again))
                    continue
                offset, part_end = gaps[0][0], gaps[0][1] + 1
            pulled = self._part(number, offset, part_end, space)
            if pulled is None:
                return None
            self._again_set.discard(heappop(again))
            self._parts.setdefault(number, RangeSet())
            sent_end = pulled[1][2]
            self.resent_bytes += sent_end - offset
            if sent_end < end:
                self._send_again(number, sent_end, end)
            return pulled
        return None

    def pull_copies(
        self, space: int, packet: int, now: float, *, every: bool, spare: bool
    ) -> list[SentFrame]:
        """Copies of small messages in flight that fit into this packet."""
        chosen = []
        for number in self.copies.riders(packet, now, every=every, spare=spare):
            space -= len(self._bodies[number]) + 2 + frames.messages_head_bytes(number)
            if space < 0:
                break
            chosen.append(number)
        pulled: list[SentFrame] = []
        run: list[bytes] = []
        first = 0
        for number in sorted(chosen):
            if number != first + len(run):
                if run:
                    pulled.append(self._run(first, run))
                first, run = number, []
            run.append(self._bodies[number])
            self.copies.on_ride(number, packet, now)
            self.resent_bytes += len(run[-1])
        if run:
            pulled.append(self._run(first, run))
        return pulled

    def on_acked(self, token: DeliveryToken) -> None:
        """A packet with this content arrived."""
        if len(token) == 2:
            numbers = range(token[0], token[0] + token[1])
            self._unacked.difference_update(numbers)
            self._forget(numbers)
            return
        number, offset, end = token
        received = self._parts.get(number)
        if received is None:
            return
        received.add(offset, end - 1)
        if received.lows[0] == 0 and received.highs[0] == len(self._bodies[number]) - 1:
            self._unacked.discard(number)
            self._forget(range(number, number + 1))

    def on_lost(self, token: DeliveryToken, packet: int) -> None:
        """A packet with this content was declared lost; a later copy in flight is waited for."""
        if len(token) == 3:
            self._send_again(*token)
            return
        for number in self._unacked.intersection(range(token[0], token[0] + token[1])):
            if not self.copies.on_the_way(number, packet):
                self._send_again(number, 0, len(self._bodies[number]))

    def on_probe(self, token: DeliveryToken) -> None:
        """Send this content again even if copies are in flight."""
        if len(token) == 3:
            self._send_again(*token)
            return
        for number in self._unacked.intersection(range(token[0], token[0] + token[1])):
            self._send_again(number, 0, len(self._bodies[number]))

    def on_receipt(self, number: int) -> None:
        """The peer needs nothing up to `number` any more: free it and open the window."""
        if number <= self.receipted:
            return
        done = range(self.receipted + 1, number + 1)
        freed_bytes = sum(map(len, map(self._bodies.pop, done)))
        self._used_bytes -= freed_bytes + MESSAGE_OVERHEAD_BYTES * len(done)
        self.receipted = number
        self._update_sendable()
        self._unacked.difference_update(done)
        self._forget(done)

    def _update_sendable(self) -> None:
        self._sendable = min(self._end, self.receipted + self._window_messages + 1)

    def _forget(self, numbers: range) -> None:
        self.copies.forget(numbers)
        if self._parts:
            for number in numbers:
                self._parts.pop(number, None)

    def _track(self, first: int, bodies: list[bytes], packet: int, now: float) -> None:
        small = [n for n, body in enumerate(bodies, first) if len(body) <= SMALL_MESSAGE_BYTES]
        self.copies.on_sent(small, packet, now)

    def _run(self, first: int, bodies: list[bytes]) -> SentFrame:
        return frames.encode_messages(self.channel, first, bodies), (first, len(bodies))

    def _send_again(self, number: int, offset: int, end: int) -> None:
        entry = (number, offset, end)
        if number in self._unacked and entry not in self._again_set:
            self._again_set.add(entry)
            heappush(self._again, entry)

    def _whole_again(self, space: int, packet: int, now: float) -> SentFrame | None:
        """As many whole messages as follow each other; None when a part is next."""
        first = self._again[0][0]
        left = space - frames.messages_head_bytes(first)
        batch: list[bytes] = []
        while self._again:
            entry = self._again[0]
            number, offset, end = entry
            if number not in self._unacked or number < first + len(batch):
                self._again_set.discard(heappop(self._again))
                continue
            body = self._bodies[number]
            left -= len(body) + 2
            if left < 0 or number != first + len(batch) or end - offset != len(body):
                break
            self._again_set.discard(heappop(self._again))
            self.resent_bytes += len(body)
            batch.append(body)
        if not batch:
            return None
        self._track(first, batch, packet, now)
        return self._run(first, batch)

    @property
    def _thin(self) -> bool:
        return len(self._unacked) + self._sendable - self._next <= MAX_TRACKED

    def _part(self, number: int, offset: int, end: int, space: int) -> SentFrame | None:
        body = self._bodies[number]
        space = space - frames.message_head_bytes(number)
        if end - offset > space:
            if space < SMALL_MESSAGE_BYTES:
                uncut_bytes = SMALL_MESSAGE_BYTES if self._thin else UNCUT_BYTES
                if space < (MIN_PART_BYTES if len(body) > uncut_bytes else uncut_bytes):
                    return None
            end = offset + space
        frame = frames.encode_message(self.channel, number, offset, len(body), body[offset:end])
        return frame, (number, offset, end)
