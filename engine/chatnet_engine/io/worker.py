"""One thread that answers requests in order, beside the pump.

The event loop asks and takes answers without ever waiting; a wake-up announces that there are some.
What the thread raises is a broken invariant: it comes out of `take_answers` in the pump, loudly.
"""

import collections
import logging
import queue
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

logger = logging.getLogger(__name__)

Q_contra = TypeVar("Q_contra", contravariant=True)
A_co = TypeVar("A_co", covariant=True)
Q = TypeVar("Q")
A = TypeVar("A")


class Handler(Protocol[Q_contra, A_co]):
    """What sits in the thread: made there, used there, closed there."""

    def answer(self, request: Q_contra) -> A_co: ...
    def close(self) -> None: ...


class Worker(Generic[Q, A]):
    """`open_handler` runs in the thread, because a database connection belongs to its thread."""

    def __init__(
        self, name: str, open_handler: Callable[[], Handler[Q, A]], ring: Callable[[], None]
    ) -> None:
        self._open_handler = open_handler
        self._ring = ring
        self._requests: queue.SimpleQueue[Q | None] = queue.SimpleQueue()
        self._answers: collections.deque[A] = collections.deque()
        self._failure: BaseException | None = None
        self.pending = 0
        """Asked and not taken yet."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ask(self, request: Q) -> None:
        """The caller bounds how many it asks at a time, by `pending`."""
        self.pending += 1
        self._requests.put(request)

    def take_answers(self) -> list[A]:
        """Answers in the order of the requests. Raises what the thread died of."""
        answers = []
        while self._answers:
            answers.append(self._answers.popleft())
        self.pending -= len(answers)
        if self._failure is not None and not answers:
            raise self._failure
        return answers

    def stop(self, timeout_s: float) -> bool:
        """Answer what was asked and end; whether the thread did within the time."""
        self._requests.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            handler = self._open_handler()
            try:
                while (request := self._requests.get()) is not None:
                    self._answers.append(handler.answer(request))
                    self._ring()
            finally:
                handler.close()
        except BaseException as error:  # noqa: BLE001 (handed over to the pump, which raises it)
            self._failure = error
            self._ring()
