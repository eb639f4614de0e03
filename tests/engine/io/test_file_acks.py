"""What a slow flow brings is acknowledged at once."""

import socket

import pytest

from chatnet_engine.io import file_acks
from chatnet_engine.io.file_acks import MEASURED_S, SLOW_RATE, PromptAcks


class Recorder(socket.socket):
    """Counts what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.prompt = 0

    def setsockopt(self, *args: object) -> None:
        assert args == (socket.IPPROTO_TCP, file_acks.QUICKACK, 1)
        self.prompt += 1


def prompt_acks(*reads: tuple[float, int]) -> list[int]:
    """After each (when, bytes), how often it was asked for so far."""
    times = iter([0.0, *(when for when, _ in reads)])
    counts = []
    with Recorder() as sock:
        acks = PromptAcks(sock, lambda: next(times))
        for _, size in reads:
            acks.handle_read(size)
            counts.append(sock.prompt)
    return counts


needs_linux = pytest.mark.skipif(file_acks.QUICKACK is None, reason="no TCP_QUICKACK here")


@needs_linux
def test_what_begins_and_what_is_slow_is_acknowledged_at_once() -> None:
    assert prompt_acks((0.01, 1448), (0.2, 1448), (0.4, 1448)) == [1, 2, 3]


@needs_linux
def test_what_is_fast_is_left_to_the_kernel_until_it_is_slow_again() -> None:
    much = int(2 * SLOW_RATE * MEASURED_S)
    fast = (MEASURED_S, much), (MEASURED_S + 0.01, 1448)
    assert prompt_acks(*fast, (6 * MEASURED_S, 1448)) == [0, 0, 1]


def test_what_is_no_tcp_connection_is_left_alone() -> None:
    near, far = socket.socketpair()
    with near, far:
        PromptAcks(near).handle_read(1)
