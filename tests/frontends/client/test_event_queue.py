"""Events between two threads: in order, bounded, one wake-up until they were taken."""

import threading

import pytest

from chatnet_client import event_queue as module
from chatnet_client.client_events import Live
from chatnet_client.event_queue import EventQueue


def test_one_wake_up_until_the_queue_was_found_empty() -> None:
    wakes: list[int] = []
    queue = EventQueue(lambda: wakes.append(1))
    queue.put(Live(1))
    queue.put(Live(2))
    assert [queue.take(), queue.take(), queue.take()] == [Live(1), Live(2), None]
    assert len(wakes) == 1
    queue.put(Live(3))
    assert len(wakes) == 2


def test_a_full_queue_makes_the_other_thread_wait_and_never_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_EVENTS_WAITING", 2)
    queue = EventQueue(lambda: None)
    for number in range(3):
        queue.put(Live(number))
    thread = threading.Thread(target=queue.put, args=(Live(3),))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    taken = [queue.take() for _ in range(3)]
    thread.join(10)
    assert [*taken, queue.take()] == [Live(number) for number in range(4)]


def test_closing_frees_the_thread_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_EVENTS_WAITING", 1)
    queue = EventQueue(lambda: None)
    queue.put(Live(1))
    thread = threading.Thread(target=queue.put, args=(Live(2),))
    thread.start()
    queue.close()
    thread.join(10)
    assert not thread.is_alive()
    assert queue.take() is None
