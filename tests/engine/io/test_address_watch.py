"""Changes of this machine's addresses: what the kernel says, made by hand."""

import errno
import socket
import struct

import pytest

from chatnet_engine.io import address_watch
from chatnet_engine.io.address_watch import (
    DEL_ADDRESS,
    DEL_LINK,
    MIN_PAUSE_S,
    NEW_ADDRESS,
    NEW_LINK,
    NOT_YET_USABLE,
    RUNNING,
    AddressWatch,
    open_address_watch,
)


class KernelSocket:
    """Yields what it was given; a plain OSError number is raised."""

    def __init__(self) -> None:
        self.messages: list[bytes | int] = []
        self.sender = 0

    def recvfrom(self, size: int) -> tuple[bytes, tuple[int, int]]:
        if not self.messages:
            raise BlockingIOError
        message = self.messages.pop(0)
        if isinstance(message, int):
            raise OSError(message, "lost")
        return message, (self.sender, 0)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def address(kind: int, host: str, flags: int = 0, index: int = 2) -> bytes:
    packed = socket.inet_aton(host)
    attribute = struct.pack("=HH", 4 + len(packed), 2) + packed
    lifetime = struct.pack("=HH4s", 8, 6, b"abcd")
    return message(kind, struct.pack("=BBBBI", 2, 24, flags, 0, index) + lifetime + attribute)


def link(kind: int, flags: int, index: int = 2) -> bytes:
    return message(kind, struct.pack("=BxHiII", 0, 1, index, flags, 0))


@pytest.fixture
def kernel() -> KernelSocket:
    return KernelSocket()


@pytest.fixture
def watch(kernel: KernelSocket) -> AddressWatch:
    return AddressWatch(kernel)  # type: ignore[arg-type]


ONE = "192.0.2.1"


@pytest.mark.parametrize(
    ("messages", "changes"),
    [
        ([address(NEW_ADDRESS, ONE)], [True]),
        ([address(NEW_ADDRESS, ONE), address(NEW_ADDRESS, ONE)], [True, False]),
        ([address(NEW_ADDRESS, ONE), address(NEW_ADDRESS, "192.0.2.2")], [True, True]),
        ([address(NEW_ADDRESS, ONE), address(NEW_ADDRESS, ONE, index=3)], [True, True]),
        (
            [address(NEW_ADDRESS, ONE), address(DEL_ADDRESS, ONE), address(NEW_ADDRESS, ONE)],
            [True, True, True],
        ),
        ([address(NEW_ADDRESS, ONE, NOT_YET_USABLE), address(NEW_ADDRESS, ONE)], [False, True]),
        ([link(NEW_LINK, RUNNING), link(NEW_LINK, RUNNING | 0x100)], [True, False]),
        ([link(NEW_LINK, RUNNING), link(NEW_LINK, 1), link(DEL_LINK, RUNNING)], [True, True, True]),
        ([link(NEW_LINK, 0), link(DEL_LINK, RUNNING)], [True, False]),
        (
            [message(24, b"a routing_id" * 9), b"", b"short", message(NEW_ADDRESS, b"x")],
            [False] * 4,
        ),
        ([struct.pack("=IHHII", 3, NEW_LINK, 0, 0, 0)], [False]),
        ([errno.ENOBUFS], [True]),
        ([message(24, b"") + address(NEW_ADDRESS, ONE)], [True]),
    ],
)
def test_only_what_may_open_or_close_a_way_is_a_change(
    watch: AddressWatch, kernel: KernelSocket, messages: list[bytes | int], changes: list[bool]
) -> None:
    now_s = 100.0
    found = []
    for one in messages:
        kernel.messages.append(one)
        watch.handle_readable()
        found.append(watch.take_change(now_s))
        now_s += MIN_PAUSE_S
    assert found == changes


def test_a_burst_is_reported_at_once_and_once_more_a_second_later(
    watch: AddressWatch, kernel: KernelSocket
) -> None:
    assert watch.next_timeout() is None
    reported = []
    for tenth in range(25):
        now_s = 100 + tenth / 10
        if tenth < 8:
            kernel.messages.append(address(NEW_ADDRESS, f"192.0.2.{tenth}"))
        watch.handle_readable()
        if watch.take_change(now_s):
            reported.append(tenth)
        assert watch.next_timeout() in (None, 101.0)
    assert reported == [0, 10]


def test_what_another_process_says_is_nothing(watch: AddressWatch, kernel: KernelSocket) -> None:
    kernel.sender = 4711
    kernel.messages.append(address(NEW_ADDRESS, ONE))
    watch.handle_readable()
    assert not watch.take_change(100.0)


def test_what_is_remembered_is_bounded(
    watch: AddressWatch, kernel: KernelSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_watch, "MAX_KNOWN", 4)
    for number in range(20):
        kernel.messages += [
            address(NEW_ADDRESS, f"192.0.2.{number}"), link(NEW_LINK, RUNNING, number)
        ]  # fmt: skip
    watch.handle_readable()
    assert len(watch._addresses) <= 4
    assert len(watch._links) <= 4


def test_the_kernel_lets_us_watch_or_nothing_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = open_address_watch()
    watch.handle_readable()
    watch.close()

    def refuse(*args: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("chatnet_engine.io.address_watch.socket.socket", refuse)
    watch = open_address_watch()
    assert watch.fileno() == -1
    watch.handle_readable()
    assert not watch.take_change(100.0)
    watch.close()
