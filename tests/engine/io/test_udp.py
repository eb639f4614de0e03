import contextlib
import errno
import select
import socket
from collections.abc import Iterator, Sequence
from typing import cast

import pytest

from chatnet_engine.io import udp
from chatnet_engine.io.udp import UdpSocket, open_udp, segment_runs
from chatnet_engine.secure.events import ArrivedFrom
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.limits import MAX_DATAGRAM_BYTES

A, B = ("127.0.0.1", 1), ("127.0.0.1", 2)


class FailingSocket:
    """A socket whose sends fail as told, and which counts the calls."""

    family = socket.AF_INET

    def __init__(self, send: int = 0, sendmsg: int = 0) -> None:
        self.errors = {"sendto": send, "sendmsg": sendmsg}
        self.sent: list[bytes] = []
        self.segmented: list[list[bytes]] = []

    def setblocking(self, flag: bool) -> None: ...
    def setsockopt(self, *args: object) -> None: ...

    def getsockopt(self, *args: object) -> int:
        return 0

    def getsockname(self) -> tuple[str, int]:
        return ("127.0.0.1", 9)

    def sendto(self, data: bytes, sockaddr: tuple[str, int]) -> None:
        self._fail("sendto")
        self.sent.append(data)

    def sendmsg(
        self, run: Sequence[bytes], ancillary: object, flags: int, sockaddr: tuple[str, int]
    ) -> int:
        self._fail("sendmsg")
        self.segmented.append(list(run))
        return sum(map(len, run))

    def recvmsg_into(self, buffers: object, size: int) -> None:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")

    def _fail(self, call: str) -> None:
        if self.errors[call]:
            raise OSError(self.errors[call], "no")


def udp_on(sock: FailingSocket) -> UdpSocket:
    return UdpSocket(cast(socket.socket, sock))


@pytest.fixture
def pair() -> Iterator[tuple[UdpSocket, UdpSocket]]:
    ends = open_udp("127.0.0.1", 0), open_udp("127.0.0.1", 0)
    yield ends
    for end in ends:
        end.close()


def receive_all(end: UdpSocket, count: int) -> list[tuple[bytes, tuple[str, int]]]:
    got: list[tuple[bytes, tuple[str, int]]] = []
    while len(got) < count:
        assert select.select([end], [], [], 5)[0], f"only {len(got)} of {count} arrived"
        got += end.receive(256)
    return got


def test_datagrams_cross_with_the_senders_address(pair: tuple[UdpSocket, UdpSocket]) -> None:
    left, right = pair
    left.send([(b"one", right.local), (b"two", right.local)])
    assert receive_all(right, 2) == [(b"one", left.local), (b"two", left.local)]
    assert (left.counters.sent, right.counters.received) == (2, 2)
    assert right.receive(256) == []


@pytest.mark.parametrize("offload", [True, False])
def test_batches_arrive_whole_with_and_without_offload(offload: bool) -> None:
    left = open_udp("127.0.0.1", 0, offload=offload)
    right = open_udp("127.0.0.1", 0, offload=offload)
    batch = [bytes([number]) * 1200 for number in range(100)] + [b"short", b""]
    left.send([(data, right.local) for data in batch])
    got = receive_all(right, len(batch))
    assert [data for data, _ in got] == batch
    assert {addr for _, addr in got} == {left.local}
    assert left.counters.sent == len(batch)
    left.close()
    right.close()


def test_one_read_is_bounded(pair: tuple[UdpSocket, UdpSocket]) -> None:
    left, right = pair
    for number in range(40):
        left.send([(bytes([number]), right.local)])
    assert select.select([right], [], [], 5)[0]
    first = right.receive(10)
    assert 10 <= len(first) < 10 + udp.MAX_SEGMENTS
    rest = receive_all(right, 40 - len(first))
    assert [data[0] for data, _ in first + rest] == list(range(40))


def test_oversized_datagrams_are_counted_and_not_passed_on(
    pair: tuple[UdpSocket, UdpSocket],
) -> None:
    left, right = pair
    left.send([(bytes(MAX_DATAGRAM_BYTES + 1), right.local), (b"fits", right.local)])
    assert receive_all(right, 1) == [(b"fits", left.local)]
    assert right.counters.oversized == 1


def test_dual_stack_shows_ipv4_as_ipv4() -> None:
    both = open_udp("", 0)
    if both.family != socket.AF_INET6:
        pytest.skip("no IPv6 here")
    four, six = open_udp("127.0.0.1", 0), open_udp("::1", 0)
    four.send([(b"4", ("127.0.0.1", both.local[1]))])
    six.send([(b"6", ("::1", both.local[1]))])
    assert set(receive_all(both, 2)) == {(b"4", four.local), (b"6", six.local)}
    both.send([(b"back", four.local), (b"back", six.local)])
    port = both.local[1]
    assert receive_all(four, 1) == [(b"back", ("127.0.0.1", port))]
    assert receive_all(six, 1) == [(b"back", ("::1", port))]
    for end in (both, four, six):
        end.close()


def test_segment_runs_cut_at_address_size_and_count() -> None:
    big, small = b"b" * 10, b"s" * 4
    batch = [(big, A), (big, A), (small, A), (big, A), (big, B), (small, B), (small, B)]
    assert list(segment_runs(batch)) == [
        ([big, big, small], A),
        ([big], A),
        ([big, small], B),
        ([small], B),
    ]
    many = [(big, A)] * (udp.MAX_SEGMENTS + 1)
    assert [len(run) for run, _ in segment_runs(many)] == [udp.MAX_SEGMENTS, 1]
    large = [(bytes(1400), A)] * udp.MAX_SEGMENTS
    assert all(len(run) * 1400 <= udp.MAX_SEGMENTED_BYTES for run, _ in segment_runs(large))
    assert list(segment_runs([])) == []
    assert list(segment_runs([(b"", A), (b"", A)])) == [([b""], A), ([b""], A)]


@pytest.mark.parametrize(
    "code",
    [
        errno.EMSGSIZE,
        errno.ECONNREFUSED,
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.ENOBUFS,
        errno.EPERM,
        errno.EAGAIN,
    ],
)
def test_r24_every_send_error_is_loss(code: int) -> None:
    end = udp_on(FailingSocket(send=code, sendmsg=code))
    end.send([(b"data", A)])
    end.send([(b"data", A), (b"data", A)])
    assert (end.counters.sent, end.counters.send_errors) == (0, 3)


@pytest.mark.parametrize("code", [errno.EIO, errno.EINVAL])
def test_segmentation_that_a_device_refuses_falls_back(code: int) -> None:
    sock = FailingSocket(sendmsg=code)
    end = udp_on(sock)
    end.send([(b"one", A), (b"two", A)])
    assert sock.sent == [b"one", b"two"]
    assert end.counters.sent == 2
    assert end.can_segment == (code == errno.EINVAL)


def test_addresses_that_cannot_be_reached_are_counted() -> None:
    end = udp_on(FailingSocket())
    end.send([(b"data", ("::1", 1)), (b"data", ("::1", 1)), (b"data", ("a.name", 1))])
    assert end.counters.unsendable == 3


def test_a_receive_error_ends_the_read_only() -> None:
    end = udp_on(FailingSocket())
    assert end.receive(8) == []
    assert end.counters.receive_errors == 1


def test_address_caches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "ADDRESS_CACHE", 4)
    sock = FailingSocket()
    end = udp_on(sock)
    for number in range(1, 20):
        end.send([(b"x", ("127.0.0.1", number))])
        end._learn_addr(("127.0.0.1", number), b"")
    assert len(sock.sent) == 19
    assert len(end._sockaddrs) <= 4
    assert len(end._addrs) <= 4


def test_a_busy_port_is_one_sentence(pair: tuple[UdpSocket, UdpSocket]) -> None:
    port = pair[0].local[1]
    with pytest.raises(CommandError) as caught:
        open_udp("127.0.0.1", port)
    assert caught.value.code == ErrorCode.BUSY
    assert caught.value.detail == (
        f"UDP port {port} on 127.0.0.1 is in use by another program; choose another port."
    )
    with pytest.raises(CommandError, match="in use by another program"):
        open_udp("", port)


@pytest.mark.parametrize(
    ("bind", "sentence"),
    [
        ("nonsense", "is no IP address to bind to"),
        ("127.0.0.300", "is no IPv4 address"),
        ("127.0.0.1:5000", "only the host belongs here"),
        ("[::1]:5000", "only the host belongs here"),
        ("fe80::1%none", "has no network interface 'none'"),
        ("192.0.2.1", "is not an address of this machine"),
    ],
)
def test_an_address_that_cannot_be_bound_is_one_sentence(bind: str, sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        open_udp(bind, 0)


def test_a_machine_without_ipv6_gets_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(
        family: socket.AddressFamily, sockaddr: tuple[str, int], *, dual_stack: bool = False
    ) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "no IPv6")
        return real(family, sockaddr)

    real = udp._bind
    monkeypatch.setattr(udp, "_bind", refuse)
    end = open_udp("", 0)
    assert end.family == socket.AF_INET
    assert end.local[0] == "0.0.0.0"
    end.close()
    with pytest.raises(CommandError, match="has no IPv6"):
        open_udp("::", 0)


@pytest.mark.parametrize(
    ("bind", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("[::ffff:127.0.0.1]", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[::1%lo]", "::1"),
        (" [::] ", "::"),
    ],
)
def test_an_address_to_bind_to_is_taken_in_every_form(bind: str, host: str) -> None:
    with contextlib.closing(open_udp(bind, 0)) as end:
        assert end.local[0].partition("%")[0] == host


def test_the_largest_datagram_passes_the_loopback_device_whole(
    pair: tuple[UdpSocket, UdpSocket],
) -> None:
    left, right = pair
    large = bytes(MAX_DATAGRAM_BYTES)
    left.send([(b"small", right.local), (large, right.local), (b"small", right.local)])
    got = [len(data) for data, _ in receive_all(right, 3)]
    assert sorted(got) == [5, 5, MAX_DATAGRAM_BYTES]
    assert left.counters.send_errors == 0


@pytest.mark.parametrize("local", ["", "127.0.0.1"])
def test_a_datagram_that_the_way_out_does_not_carry_is_lost_and_counted_once(local: str) -> None:
    refused = FailingSocket(send=errno.EMSGSIZE, sendmsg=errno.EMSGSIZE)
    end = UdpSocket(refused)  # type: ignore[arg-type]
    end.send([(bytes(9000), ArrivedFrom(B, local) if local else B)])
    assert (end.counters.send_errors, end.counters.unpinned, end.counters.sent) == (1, 0, 0)
