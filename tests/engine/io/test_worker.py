import threading

import pytest

from chatnet_engine.io.worker import Worker


class Doubler:
    def __init__(self) -> None:
        self.closed_in: str | None = None

    def answer(self, request: int) -> int:
        if request == 13:
            raise ValueError("thirteen")
        return request * 2

    def close(self) -> None:
        self.closed_in = threading.current_thread().name


class Wakeup:
    def __init__(self) -> None:
        self._rung = threading.Semaphore(0)

    def __call__(self) -> None:
        self._rung.release()

    def wait(self) -> None:
        assert self._rung.acquire(timeout=60)


def test_answers_come_in_order_and_are_counted() -> None:
    wakeup, handler = Wakeup(), Doubler()
    worker = Worker("doubler", lambda: handler, wakeup)
    for number in range(5):
        worker.ask(number)
    assert worker.pending == 5
    for _ in range(5):
        wakeup.wait()
    assert worker.take_answers() == [0, 2, 4, 6, 8]
    assert worker.pending == 0
    assert worker.take_answers() == []
    assert worker.stop(5)
    assert handler.closed_in == "doubler"


def test_what_was_asked_is_answered_before_the_end() -> None:
    worker = Worker("doubler", Doubler, Wakeup())
    for number in range(5):
        worker.ask(number)
    assert worker.stop(5)
    assert worker.take_answers() == [0, 2, 4, 6, 8]


def test_a_broken_invariant_comes_out_after_the_answers_before_it() -> None:
    wakeup = Wakeup()
    worker = Worker("doubler", Doubler, wakeup)
    worker.ask(1)
    worker.ask(13)
    wakeup.wait()
    wakeup.wait()
    assert worker.take_answers() == [2]
    with pytest.raises(ValueError, match="thirteen"):
        worker.take_answers()
    assert worker.stop(5)


def test_stop_gives_up_on_a_thread_that_hangs() -> None:
    release = threading.Event()

    class Stuck(Doubler):
        def answer(self, request: int) -> int:
            release.wait(5)
            return request

    worker = Worker("stuck", Stuck, Wakeup())
    worker.ask(1)
    assert not worker.stop(0.01)
    release.set()
