import select
import threading

from chatnet_engine.io.clock import read_now
from chatnet_engine.io.wakeup import WakeUp


def is_rung(wakeup: WakeUp) -> bool:
    return bool(select.select([wakeup], [], [], 0)[0])


def test_rings_from_a_thread_are_one_ring() -> None:
    wakeup = WakeUp()
    assert not is_rung(wakeup)
    wakeup.clear()

    def ring_often() -> None:
        for _ in range(100):
            wakeup.ring()

    thread = threading.Thread(target=ring_often)
    thread.start()
    assert select.select([wakeup], [], [], 5)[0]
    thread.join()
    wakeup.clear()
    assert not is_rung(wakeup)
    wakeup.close()


def test_a_full_pipe_neither_blocks_nor_raises_nor_does_a_closed_one() -> None:
    wakeup = WakeUp()
    for _ in range(70_000):
        wakeup.ring()
    assert is_rung(wakeup)
    wakeup.close()
    wakeup.ring()


def test_the_clock_never_goes_back_and_wall_time_is_in_this_century() -> None:
    first, second = read_now(), read_now()
    assert second.mono_s >= first.mono_s > 0
    assert first.wall_ms > 1_700_000_000_000
