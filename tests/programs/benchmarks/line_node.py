"""One end of a thin stream for `benchmarks.line`, with somebody else's transport.

    line_node TRANSPORT send|receive HOST PORT COUNT [IMPAIR]

Messages of 100 bytes, one each 50 ms, carry a number and the monotonic time at which they were
given to the transport. The receiver prints what each took in ms, as a JSON list in the order of
delivery, when it has all, or when nothing came for a while.
"""

import datetime
import json
import os
import select
import socket
import ssl
import struct
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.link import Link
from chatnet_engine.addresses import Addr
from chatnet_engine.io.impair import Impairment, parse_impair

MESSAGE_BYTES = 100
INTERVAL_S = 0.05
INTERVAL_NOISE_S = 0.005
"""So that nothing keeps step with a timer."""
START_S = 2.0
SILENCE_S = 15.0
"""Nothing came for so long: what is missing is lost."""
KCP_INTERVAL_S = 0.01
_HEAD = struct.Struct(">Qd")


class Transport(Protocol):
    """What is measured, without its socket."""

    def send(self, message: bytes, now: float) -> None:
        """A message for the other side."""

    def handle(self, data: bytes, addr: Addr, now: float) -> None:
        """A datagram has come."""

    def messages(self) -> list[bytes]:
        """What arrived since the last call."""

    def take(self, now: float) -> list[tuple[bytes, Addr]]:
        """The datagrams that leave now."""

    def next_s(self) -> float:
        """When `take` has something to do, at the latest."""


class Bare:
    """UDP and nothing else: what the line itself does."""

    def __init__(self, addr: Addr, *, sends: bool) -> None:
        self._addr = addr
        self._out: list[tuple[bytes, Addr]] = []
        self._in: list[bytes] = []

    def send(self, message: bytes, now: float) -> None:
        """See `Transport`."""
        self._out.append((message, self._addr))

    def handle(self, data: bytes, addr: Addr, now: float) -> None:
        """See `Transport`."""
        self._in.append(data)

    def messages(self) -> list[bytes]:
        """See `Transport`."""
        arrived, self._in = self._in, []
        return arrived

    def take(self, now: float) -> list[tuple[bytes, Addr]]:
        """See `Transport`."""
        out, self._out = self._out, []
        return out

    def next_s(self) -> float:
        """See `Transport`."""
        return float("inf")


class Kcp:
    """KCP as its authors set it for games ("turbo"), flushed after each input."""

    def __init__(self, addr: Addr, *, sends: bool) -> None:
        self._kcp: Any = import_module("kcp").KCP(
            7,
            max_transmission=1400,
            no_delay=True,
            update_interval=int(KCP_INTERVAL_S * 1000),
            resend_count=2,
            no_congestion_control=True,
            send_window_size=1024,
            receive_window_size=1024,
        )
        self._kcp.include_outbound_handler(lambda _, data: self._out.append(bytes(data)))
        self._addr = addr if sends else None
        self._out: list[bytes] = []
        self._tick_s = 0.0

    def send(self, message: bytes, now: float) -> None:
        """See `Transport`."""
        self._kcp.enqueue(message)
        self._tick_s = now

    def handle(self, data: bytes, addr: Addr, now: float) -> None:
        """See `Transport`."""
        self._addr = addr
        self._kcp.receive(data)
        self._tick_s = now

    def messages(self) -> list[bytes]:
        """See `Transport`."""
        arrived = []
        while self._kcp.get_next_packet_size() > 0:
            arrived.append(bytes(self._kcp.get_received()))
        return arrived

    def take(self, now: float) -> list[tuple[bytes, Addr]]:
        """See `Transport`."""
        if now >= self._tick_s:
            self._kcp.update(int(now * 1000) & 0x7FFFFFFF)
            self._kcp.flush()
            self._tick_s = now + KCP_INTERVAL_S
        out, self._out = self._out, []
        return [(data, self._addr) for data in out] if self._addr else []

    def next_s(self) -> float:
        """See `Transport`."""
        return self._tick_s


class Quic:
    """One stream of aioquic; messages of a fixed size follow each other."""

    def __init__(self, addr: Addr, *, sends: bool) -> None:
        self._events: Any = import_module("aioquic.quic.events")
        self._addr, self._sends = addr, sends
        self._quic: Any = None
        self._bytes = b""
        self._timer_s: float | None = None
        if sends:
            self._quic = self._connection()
            self._quic.connect(addr, now=time.monotonic())

    def _connection(self, **more: object) -> Any:
        configuration = import_module("aioquic.quic.configuration").QuicConfiguration(
            is_client=self._sends, alpn_protocols=["x"], idle_timeout=600.0
        )
        if self._sends:
            configuration.verify_mode = ssl.CERT_NONE
        else:
            configuration.load_cert_chain(*certificate())
        make = import_module("aioquic.quic.connection").QuicConnection
        return make(configuration=configuration, **more)

    def send(self, message: bytes, now: float) -> None:
        """See `Transport`."""
        self._quic.send_stream_data(0, message)

    def handle(self, data: bytes, addr: Addr, now: float) -> None:
        """See `Transport`."""
        if self._quic is None:
            buffer = import_module("aioquic.buffer").Buffer(data=data)
            header = import_module("aioquic.quic.packet").pull_quic_header(buffer, 8)
            self._quic = self._connection(original_destination_connection_id=header.destination_cid)
        self._quic.receive_datagram(data, addr, now=now)

    def messages(self) -> list[bytes]:
        """See `Transport`."""
        while self._quic is not None and (event := self._quic.next_event()) is not None:
            if isinstance(event, self._events.StreamDataReceived):
                self._bytes += event.data
        whole = len(self._bytes) // MESSAGE_BYTES * MESSAGE_BYTES
        arrived, self._bytes = self._bytes[:whole], self._bytes[whole:]
        return [arrived[at : at + MESSAGE_BYTES] for at in range(0, whole, MESSAGE_BYTES)]

    def take(self, now: float) -> list[tuple[bytes, Addr]]:
        """See `Transport`."""
        if self._quic is None:
            return []
        if self._timer_s is not None and now >= self._timer_s:
            self._quic.handle_timer(now=now)
        out = self._quic.datagrams_to_send(now=now)
        self._timer_s = self._quic.get_timer()
        return [(data, addr) for data, addr in out]

    def next_s(self) -> float:
        """See `Transport`."""
        return float("inf") if self._timer_s is None else self._timer_s


def _link(addr: Addr, *, sends: bool) -> Link:
    return Link(addr, sends=sends, now=time.monotonic())


TRANSPORTS: dict[str, Any] = {"link": _link, "udp": Bare, "kcp": Kcp, "quic": Quic}


class Took:
    """What each message took, and when the receiver is through."""

    def __init__(self, count: int) -> None:
        self.ms: list[float] = []
        self._count = count
        self._last_s = time.monotonic() + START_S

    def add(self, message: bytes) -> None:
        """One has arrived."""
        self._last_s = time.monotonic()
        self.ms.append((self._last_s - _HEAD.unpack_from(message)[1]) * 1e3)

    def is_over(self) -> bool:
        """Whether there are all, or none for a long time."""
        return len(self.ms) >= self._count or time.monotonic() > self._last_s + SILENCE_S


def due_times(count: int) -> Iterator[tuple[int, float]]:
    """(number, when it is sent) of each message."""
    start_s, random = time.monotonic() + START_S, Random(1)
    for number in range(count):
        noise_s = random.uniform(-INTERVAL_NOISE_S, INTERVAL_NOISE_S)
        yield number, start_s + number * INTERVAL_S + noise_s


def message(number: int) -> bytes:
    """With the time that it is now."""
    return _HEAD.pack(number, time.monotonic()).ljust(MESSAGE_BYTES, b".")


def over_udp(transport: Transport, sock: socket.socket, count: int, impair: Impairment) -> Took:
    """Run one end; a sender (`count` above 0) goes on until it is killed."""
    took = Took(-count)
    due = due_times(max(count, 0))
    upcoming = next(due, None)
    while count > 0 or not took.is_over():
        now = time.monotonic()
        while upcoming is not None and upcoming[1] <= now:
            transport.send(message(upcoming[0]), now)
            upcoming = next(due, None)
        for data, addr in impair.admit(transport.take(now), now):
            sock.sendto(data, addr)
        held_s = impair.next_timeout()
        wakes = [transport.next_s(), now + 1.0, upcoming[1] if upcoming else now + 1.0]
        wait_s = min([*wakes, held_s] if held_s is not None else wakes) - time.monotonic()
        if select.select([sock], [], [], max(wait_s, 0.0))[0]:
            data, source = sock.recvfrom(65536)
            transport.handle(data, source, time.monotonic())
        for each in transport.messages():
            took.add(each)
    return took


def over_tcp(role: str, addr: Addr, count: int) -> Took:
    """The kernel's, as it is set here, without Nagle's algorithm."""
    took, waiting = Took(count), b""
    if role == "receive":
        with socket.create_server(addr) as server:
            server.settimeout(START_S + SILENCE_S)
            try:
                sock = server.accept()[0]
            except TimeoutError:
                return took  # no connection on such a line
        sock.settimeout(SILENCE_S)
        while not took.is_over():
            try:
                waiting += sock.recv(65536)
            except TimeoutError:
                return took
            while len(waiting) >= MESSAGE_BYTES:
                took.add(waiting[:MESSAGE_BYTES])
                waiting = waiting[MESSAGE_BYTES:]
        return took
    sock = socket.create_connection(addr)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for number, due_s in due_times(count):
        time.sleep(max(0.0, due_s - time.monotonic()))
        sock.sendall(message(number))
    while True:
        time.sleep(1.0)


def certificate() -> tuple[Path, Path]:
    """Files with a certificate that nobody checks, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "line")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    folder = Path(os.environ["CHATNET_LINE_FOLDER"])
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    paths[1].write_bytes(secret)
    return paths


def main(args: list[str]) -> int:
    """Started by `benchmarks.line` only."""
    name, role, host, port, count = args[0], args[1], args[2], int(args[3]), int(args[4])
    sends = role == "send"
    if name == "tcp":
        took = over_tcp(role, (host, port), count)
    else:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("", 0) if sends else (host, port))
        impair = Impairment(parse_impair(args[5] if len(args) > 5 else "loss=0", seed=1))
        transport = TRANSPORTS[name]((host, port), sends=sends)
        took = over_udp(transport, sock, count if sends else -count, impair)
    print(json.dumps(took.ms), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
