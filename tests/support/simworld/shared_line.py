"""One direction of a line that flows share: a queue in front of a rate, packet by packet."""

from collections import deque
from collections.abc import Callable
from random import Random

from simworld.clock import Clock

UDP_IPV4_BYTES = 28
MBIT = 125_000.0
"""Bytes a second."""

Arrive = Callable[[], None]


class SharedLine:
    """First in, first out; what finds the queue full is dropped, what has left it may be lost.

    The rate may be changed while packets wait. Without a rate there is no queue.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        mbit: float = 0.0,
        queue_ms: float = 50.0,
        delay_s: float = 0.025,
        loss: float = 0.0,
        jitter_s: float = 0.0,
        largest_bytes: int = 1500,
        seed: int = 1,
    ) -> None:
        self.clock = clock
        self.bytes_per_s = mbit * MBIT
        self.queue_bytes = self.bytes_per_s * queue_ms / 1e3
        self.delay_s = delay_s
        self.loss = loss
        self.jitter_s = jitter_s
        self.largest_bytes = largest_bytes
        """Of an IP packet; larger ones vanish without a word."""
        self.carried_bytes = 0
        self.most_waiting_bytes = 0
        self.dropped = 0
        self._random = Random(f"line/{seed}")
        self._waiting: deque[tuple[int, Arrive]] = deque()
        self._waiting_bytes = 0

    def send(self, datagram_bytes: int, arrive: Arrive) -> None:
        """A UDP datagram; `arrive` is called when it comes out, if it does."""
        size_bytes = datagram_bytes + UDP_IPV4_BYTES
        if size_bytes > self.largest_bytes:
            self.dropped += 1
        elif not self.bytes_per_s:
            self._leave(size_bytes, arrive)
        elif self._waiting and self._waiting_bytes + size_bytes > self.queue_bytes:
            self.dropped += 1
        else:
            self._waiting.append((size_bytes, arrive))
            self._waiting_bytes += size_bytes
            self.most_waiting_bytes = max(self.most_waiting_bytes, self._waiting_bytes)
            if len(self._waiting) == 1:
                self._serve_next()

    def _serve_next(self) -> None:
        self.clock.after(self._waiting[0][0] / self.bytes_per_s, self._served)

    def _served(self) -> None:
        size_bytes, arrive = self._waiting.popleft()
        self._waiting_bytes -= size_bytes
        self._leave(size_bytes, arrive)
        if self._waiting:
            self._serve_next()

    def _leave(self, size_bytes: int, arrive: Arrive) -> None:
        self.carried_bytes += size_bytes
        if self.loss and self._random.random() < self.loss:
            return
        jitter_s = self._random.uniform(-self.jitter_s, self.jitter_s) if self.jitter_s else 0.0
        self.clock.after(max(self.delay_s + jitter_s, 0.0), arrive)
