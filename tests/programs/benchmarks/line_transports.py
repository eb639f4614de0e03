"""Other people's transports without their sockets, for `benchmarks.line_node`."""

import datetime
import os
import ssl
import time
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.link import Link
from chatnet_engine.addresses import Addr

MESSAGE_BYTES = 100
KCP_INTERVAL_S = 0.01


class Transport(Protocol):
    """What is measured, without its socket."""

    is_open: bool
    """Messages leave at once from now on."""

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

    is_open = True

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

    is_open = True

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
        self.is_open = False
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
            elif isinstance(event, self._events.HandshakeCompleted):
                self.is_open = True
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
