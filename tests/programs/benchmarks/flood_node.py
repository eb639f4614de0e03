"""One end of a flood for `benchmarks.flood`.

    flood_node receive|send TRANSPORT PORT COUNT SIZE [DATAGRAM_BYTES]

The receiver prints a line when it listens, and when it has all the seconds since the first.
"""

import asyncio
import select
import sys
import time
from importlib import import_module
from typing import Any

from benchmarks.line_transports import certificate
from benchmarks.link import Link
from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.io.udp import open_udp
from chatnet_protocol.limits import MESSAGE_OVERHEAD_BYTES
from chatnet_protocol.wire.messages import CHANNEL_CONVERSATION

HOST = "127.0.0.1"
READ_AT_ONCE = 64
"""Each turn of the engine is as short: ACKs leave while the next packets are being made."""
BATCH = 64
"""Messages that aioquic is given before it transmits."""
WAIT_S = 0.05


class Progress:
    """Of the receiver."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._seen = 0
        self._first_s = 0.0

    def add(self, messages: int) -> bool:
        """So much arrived; whether it is all."""
        now = time.monotonic()
        self._first_s = self._first_s or now
        self._seen += messages
        if self._seen < self._count:
            return False
        print(now - self._first_s, flush=True)
        return True


def link(role: str, port: int, count: int, size: int, config: ArqConfig) -> None:
    """The product's, in a loop like the engine's."""
    sends = role == "send"
    udp = open_udp(HOST, 0 if sends else port)
    end = Link((HOST, port), sends=sends, now=time.monotonic(), config=config)
    progress, body, left = Progress(count), bytes(size), count if sends else 0
    if not sends:
        print("listening", flush=True)
    while True:
        now = time.monotonic()
        wait_s = min(max(end.next_s() - now, 0.0), WAIT_S)
        select.select([udp], [], [], wait_s)
        end.handle_many(udp.receive(READ_AT_ONCE), time.monotonic())
        now = time.monotonic()  # an ACK says how long it took to handle what it acknowledges
        if (arrived := end.messages()) and progress.add(len(arrived)):
            end.take(now)
            return
        if left and end.is_open and end.connection:
            credit = end.connection.credit(CHANNEL_CONVERSATION) // (size + MESSAGE_OVERHEAD_BYTES)
            if (fits := min(credit, left)) > 0:
                end.send_many([body] * fits)
                left -= fits
        if leaving := end.take(now):
            udp.send(leaving)


async def quic(role: str, port: int, count: int, size: int) -> None:
    """aioquic's own server and client."""
    asyncio_quic: Any = import_module("aioquic.asyncio")
    make = import_module("aioquic.quic.configuration").QuicConfiguration
    events = import_module("aioquic.quic.events")
    if role == "receive":
        done, progress = asyncio.Event(), Progress(count * size)

        class Server(asyncio_quic.QuicConnectionProtocol):  # type: ignore[misc]
            def quic_event_received(self, event: object) -> None:
                if isinstance(event, events.StreamDataReceived) and progress.add(len(event.data)):
                    done.set()

        configuration = make(is_client=False, alpn_protocols=["x"], idle_timeout=600.0)
        configuration.load_cert_chain(*certificate())
        await asyncio_quic.serve(HOST, port, configuration=configuration, create_protocol=Server)
        print("listening", flush=True)
        await done.wait()
        return
    configuration = make(is_client=True, alpn_protocols=["x"], idle_timeout=600.0, verify_mode=0)
    async with asyncio_quic.connect(HOST, port, configuration=configuration) as client:
        stream = client._quic.get_next_available_stream_id()  # noqa: SLF001 (as its examples do)
        for _ in range(count // BATCH):
            for _ in range(BATCH):
                client._quic.send_stream_data(stream, bytes(size))  # noqa: SLF001
            client.transmit()
            await asyncio.sleep(0)
        await asyncio.sleep(600)


def main(args: list[str]) -> int:
    """Started by `benchmarks.flood` only."""
    role, transport = args[0], args[1]
    port, count, size = map(int, args[2:5])
    if transport == "quic":
        asyncio.run(quic(role, port, count // BATCH * BATCH, size))
        return 0
    config = ArqConfig()
    if len(args) > 5 and args[5]:
        payload = int(args[5]) - config.datagram_overhead_bytes
        config = ArqConfig(most_payload_bytes=payload)
    link(role, port, count, size, config)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
