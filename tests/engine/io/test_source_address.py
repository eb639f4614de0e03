"""A socket bound to every address answers from the one that was written to, in both families."""

import select
import socket
from collections.abc import Iterator

import pytest

from chatnet_engine.io.udp import UdpSocket, open_udp
from chatnet_engine.secure.events import ArrivedFrom, local_of

SECOND = "127.0.0.2"
NOT_OURS = "198.51.100.7"


@pytest.fixture(params=["", "0.0.0.0"])
def wildcard(request: pytest.FixtureRequest) -> Iterator[UdpSocket]:
    sock = open_udp(request.param, 0)
    yield sock
    sock.close()


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def arrived(sock: UdpSocket) -> list[tuple[bytes, tuple[str, int]]]:
    for _ in range(100):
        if batch := sock.receive(64):
            return batch
        select.select([sock.fileno()], [], [], 0.1)
    raise AssertionError("nothing came")


@pytest.mark.parametrize("count", [1, 5])
def test_answers_leave_from_where_they_were_asked(
    wildcard: UdpSocket, peer: socket.socket, count: int
) -> None:
    for dialled in (SECOND, "127.0.0.1", SECOND):
        peer.sendto(b"hello", (dialled, wildcard.local[1]))
        [(_, addr)] = arrived(wildcard)
        assert addr == peer.getsockname()
        assert local_of(addr) == dialled
        wildcard.send([(b"x" * 100, addr)] * count)
        for _ in range(count):
            data, source = peer.recvfrom(2000)
            assert (len(data), source) == (100, (dialled, wildcard.local[1]))
    assert wildcard.counters.unpinned == 0


@pytest.mark.parametrize("count", [1, 5])
def test_an_address_that_went_away_is_let_go(
    wildcard: UdpSocket, peer: socket.socket, count: int
) -> None:
    addr = ArrivedFrom(peer.getsockname(), NOT_OURS)
    wildcard.send([(b"x" * 100, addr)] * count)
    for _ in range(count):
        assert peer.recvfrom(2000) == (b"x" * 100, ("127.0.0.1", wildcard.local[1]))
    assert (wildcard.counters.unpinned, wildcard.counters.send_errors) == (count, 0)
    assert wildcard.counters.sent == count


def test_ipv6_says_where_it_came_to_as_well(wildcard: UdpSocket) -> None:
    if wildcard.family == socket.AF_INET:
        pytest.skip("this one speaks IPv4 alone")
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(b"hello", ("::1", wildcard.local[1]))
        except OSError:
            pytest.skip("this machine has no IPv6")
        [(_, addr)] = arrived(wildcard)
        assert local_of(addr) == "::1"
        sender.settimeout(5)
        wildcard.send([(b"back", addr)])
        assert sender.recvfrom(2000)[0] == b"back"
        wildcard.send([(b"back", ArrivedFrom(addr, "2001:db8::7"))])
        assert sender.recvfrom(2000)[0] == b"back"
        assert wildcard.counters.unpinned == 1


def test_a_batch_is_cut_where_the_source_changes(wildcard: UdpSocket, peer: socket.socket) -> None:
    where = peer.getsockname()
    sources = ["127.0.0.1", SECOND, SECOND, "127.0.0.3"]
    wildcard.send([(b"x" * 50, ArrivedFrom(where, source)) for source in sources])
    assert [peer.recvfrom(2000)[1][0] for _ in sources] == sources


def test_a_socket_with_one_address_needs_none_of_this(peer: socket.socket) -> None:
    sock = open_udp(SECOND, 0)
    peer.sendto(b"hello", (SECOND, sock.local[1]))
    [(_, addr)] = arrived(sock)
    assert local_of(addr) == ""
    sock.close()
