import socket
from typing import Any

import pytest

from chatnet_engine.io.addresses import from_sockaddr, is_numeric, to_sockaddr

V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.mark.parametrize(
    ("sockaddr", "addr"),
    [
        (("10.0.0.7", 5), ("10.0.0.7", 5)),
        (("::ffff:10.0.0.7", 5, 0, 0), ("10.0.0.7", 5)),
        (("2001:db8::1", 5, 0, 0), ("2001:db8::1", 5)),
        (("fe80::1", 5, 0, 3), ("fe80::1%3", 5)),
        (("fe80::1%eth0", 5, 0, 3), ("fe80::1%eth0", 5)),
    ],
)
def test_from_sockaddr_shows_plain_ipv4_and_keeps_zones(
    sockaddr: tuple[Any, ...], addr: tuple[str, int]
) -> None:
    assert from_sockaddr(sockaddr) == addr


@pytest.mark.parametrize(
    ("addr", "family", "sockaddr"),
    [
        (("10.0.0.7", 5), V4, ("10.0.0.7", 5)),
        (("10.0.0.7", 5), V6, ("::ffff:10.0.0.7", 5, 0, 0)),
        (("::1", 5), V6, ("::1", 5, 0, 0)),
        (("fe80::1%3", 5), V6, ("fe80::1", 5, 0, 3)),
        (("::1", 5), V4, None),
        (("10.0.0.7%1", 5), V6, None),
        (("fe80::1%eth0", 5), V6, None),
        (("example.org", 5), V6, None),
        (("", 5), V4, None),
        (("10.0.0.7", 0), V4, None),
        (("10.0.0.7", 65536), V4, None),
        (("10.0.0.7\0", 5), V4, None),
    ],
)
def test_to_sockaddr_takes_numbers_that_the_socket_reaches(
    addr: tuple[str, int], family: socket.AddressFamily, sockaddr: tuple[Any, ...]
) -> None:
    assert to_sockaddr(addr, family) == sockaddr


def test_names_are_not_numeric() -> None:
    assert is_numeric("::1")
    assert is_numeric("127.0.0.1")
    assert not is_numeric("localhost")
