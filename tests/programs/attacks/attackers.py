"""Programs that do what no front end should: `python -m attacks.attackers KIND CONNECTION_FILE`.

Each goes on until it is killed, or until it has done what it came for; a connection that the
engine ends is opened again.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import zmq

import raw_zmtp as zmtp
from chatnet_protocol import codec
from chatnet_protocol.ipc.commands import Attach, Command, FetchHistory, FetchStatus, KeepAlive
from chatnet_protocol.ipc.envelope import Request
from chatnet_protocol.ipc.rows import ClientRole
from chatnet_protocol.ipc.session_files import ConnectionFile, decode_connection_file
from chatnet_protocol.version import IPC_VERSION

BATCH = 5000
PAUSE_S = 0.01


def by_a_process_of_its_own(act: Callable[[], None]) -> None:
    """Do it in a child, so that the engine cannot know it by its process id."""
    child = os.fork()
    if child == 0:
        with suppress(OSError):
            act()
        os._exit(0)
    os.waitpid(child, 0)


def hang_up(engine: ConnectionFile) -> None:
    """Requests until input would stop, a PING, and gone: what made libzmq abort."""
    ask = zmtp.frame(codec.pack(Request(1, FetchStatus())))
    burst = (ask * 40 + zmtp.command(b"PING", b"\0\0")) * 100
    with zmtp.join(engine.commands, b"DEALER") as raw:
        zmtp.send_some(raw, burst)


def subscribe_and_close(engine: ConnectionFile) -> None:
    """10^5 subscriptions and some that are too long, and gone."""
    with zmtp.join(engine.events, b"SUB") as raw:
        raw.sendall(b"".join(zmtp.frame(b"\1" + zmtp.unique(8)) for _ in range(100_000)))
        raw.sendall(zmtp.frame(b"\1" + bytes(100_000)) * 300)


def again(
    act: Callable[[ConnectionFile], None], pause_s: float
) -> Callable[[ConnectionFile], None]:
    """For ever, each time by another process."""

    def run(engine: ConnectionFile) -> None:
        while True:
            by_a_process_of_its_own(lambda: act(engine))
            time.sleep(pause_s)

    return run


def flood(command: Command) -> Callable[[ConnectionFile], None]:
    """One command over and over, by libzmq, whose replies are never read."""

    def run(engine: ConnectionFile) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        dealer = context.socket(zmq.DEALER)
        dealer.rcvhwm = 1
        dealer.connect(engine.commands)
        attach = Attach("flood", ClientRole.READ_ONLY, IPC_VERSION)
        dealer.send(codec.pack(Request(1, attach)))
        number = 2
        while True:
            dealer.send(codec.pack(Request(number, command)))
            number += 1

    return run


def _pour(endpoint: str, kind: bytes, data: bytes, identity: bytes = b"") -> None:
    while True:
        with suppress(OSError), zmtp.join(endpoint, kind, identity) as raw:
            while True:
                raw.sendall(data)
        time.sleep(PAUSE_S)


def pour(engine: ConnectionFile) -> None:
    """Small requests as fast as a socket takes them."""
    request = zmtp.frame(codec.pack(Request(1, FetchStatus())))
    _pour(engine.commands, b"DEALER", request * BATCH)


def pour_large(engine: ConnectionFile) -> None:
    """Requests of 256 KiB of nothing."""
    _pour(engine.commands, b"DEALER", zmtp.frame(bytes(256 * 1024)) * 16)


def subscribe(engine: ConnectionFile) -> None:
    """New subscriptions without end."""
    topics = b"".join(zmtp.frame(b"\1" + zmtp.unique(8)) for _ in range(100_000))
    _pour(engine.events, b"SUB", topics)


def multipart(engine: ConnectionFile) -> None:
    """One message that never ends."""
    _pour(engine.commands, b"DEALER", zmtp.frame(bytes(100_000), zmtp.MORE) * 16)


def same_identity(engine: ConnectionFile) -> None:
    """A second client under a taken identity, whose messages nobody takes from libzmq."""
    with zmtp.join(engine.commands, b"DEALER", b"the same"):
        _pour(engine.commands, b"DEALER", zmtp.frame(bytes(60_000)) * 16, b"the same")


def unread_pages(engine: ConnectionFile) -> None:
    """Asks for pages on many connections and reads none of them."""
    asks = b"".join(zmtp.frame(codec.pack(Request(n, FetchHistory()))) for n in range(2, 66))
    while True:
        open_ones = []
        with suppress(OSError):
            for _ in range(40):
                raw = zmtp.join(engine.commands, b"DEALER")
                open_ones.append(raw)
                attach = Attach("unread", ClientRole.READ_ONLY, IPC_VERSION)
                raw.sendall(zmtp.frame(codec.pack(Request(1, attach))) + asks)
            time.sleep(PAUSE_S)
        for raw in open_ones:
            raw.close()


def idle(engine: ConnectionFile) -> None:
    """1,000 connections that say nothing, kept, and opened again when they are ended."""
    kept = []
    while True:
        with suppress(OSError):
            for endpoint in (engine.commands, engine.events):
                kept.append(zmtp.connect(endpoint))
        if len(kept) >= 1000:
            time.sleep(0.5)
            for raw in kept[:500]:
                raw.close()
            del kept[:500]


KINDS: dict[str, Callable[[ConnectionFile], None]] = {
    "hang-up": again(hang_up, 0.02),
    "subscribe-and-close": again(subscribe_and_close, 0.02),
    "flood-status": flood(FetchStatus()),
    "flood-keepalive": flood(KeepAlive(0)),
    "flood-history": flood(FetchHistory()),
    "pour": pour,
    "pour-large": pour_large,
    "subscribe": subscribe,
    "multipart": multipart,
    "same-identity": same_identity,
    "unread-pages": unread_pages,
    "idle": idle,
}


def main(argv: list[str]) -> int:
    """Attack until killed, or until the one who started this is gone."""
    kind, path = argv
    parent = os.getppid()
    engine = decode_connection_file(Path(path).read_bytes())
    if os.getppid() == parent:
        KINDS[kind](engine)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
