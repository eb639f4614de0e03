"""What each stage of a message costs, measured alone on full batches."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from chatnet_engine.arq.connection import Connection
from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.schema import open_file
from chatnet_engine.store_ops import commit as c
from chatnet_protocol import codec
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc.events import MessagesAdded, PeerChanged
from chatnet_protocol.ipc.rows import AckRange, MessageRow, PeerRow, SessionRow
from chatnet_protocol.ipc.view import View
from chatnet_protocol.wire.messages import Message, decode_message, encode_message

BATCH = 256
ROUNDS = 40
BODY = b"x" * 100
PER_PACKET = 8
"""Messages of this size in one full datagram."""


def run(root: Path) -> Iterator[str]:
    """Microseconds of CPU per message of 100 bytes, batches of 256, one stage after the other."""
    ledger = Ledger(open_file(str(root / "stages.db")))
    ledger.apply(c.Commit(0, [c.StorePeer(PeerRow(0, "bob", "h", 1))]))
    stages: dict[str, Callable[[int], None]] = {
        "A: request decoded": _requests(),
        "A: queued in the ledger, with its fsync": _queue(ledger),
        "A: encoded for the wire": _encode(),
        "A+B: ARQ, both ends": _arq(),
        "A+B: sealed and opened": _cipher(),
        "B: decoded and checked": _decode(),
        "B: accepted by the ledger, with its fsync": _accept(ledger),
        "B: receipts stored": _receipts(ledger),
        "B: event packed, view applied": _publish(),
        "client: event decoded, view applied": _client(),
    }
    total = 0.0
    for name, stage in stages.items():
        start = time.process_time()
        for turn in range(ROUNDS):
            stage(turn)
        each = (time.process_time() - start) / ROUNDS / BATCH * 1e6
        total += each
        yield f"{name:42} {each:6.2f} us"
    yield f"{'all stages':42} {total:6.2f} us"


def _message_id(turn: int, index: int) -> bytes:
    return (turn * BATCH + index + 1).to_bytes(16)


def _rows(turn: int) -> list[MessageRow]:
    first = turn * BATCH + 1
    return [
        MessageRow(n, n.to_bytes(16), False, 1, BODY, 1, 2, 0, n, "10.0.0.1:5001", n, n)
        for n in range(first, first + BATCH)
    ]


def _requests() -> Callable[[int], None]:
    frames = [
        codec.pack(envelope.Request(n, cmd.SendMessage(n.to_bytes(16), 1, BODY.decode())))
        for n in range(BATCH)
    ]

    def stage(turn: int) -> None:
        for frame in frames:
            envelope.decode_request(frame)

    return stage


def _queue(ledger: Ledger) -> Callable[[int], None]:
    def stage(turn: int) -> None:
        rows = [c.NewMessage(_message_id(turn, n), 1, BODY, 1) for n in range(BATCH)]
        ledger.apply(c.Commit(1, [c.QueueMessages(1, rows, 1, True)]))

    return stage


def _encode() -> Callable[[int], None]:
    def stage(turn: int) -> None:
        for index in range(BATCH):
            encode_message(Message(1, _message_id(turn, index), index + 1, 1, BODY))

    return stage


def _arq() -> Callable[[int], None]:
    random = Random(1).randbytes
    a, b = Connection(now=0.0, random=random), Connection(now=0.0, random=random)
    for end in (a, b):
        end.start_sending(1)
        end.start_receiving(1)
    data = [encode_message(Message(1, _message_id(0, n), n + 1, 1, BODY)) for n in range(BATCH)]
    clock = [0.0]

    def stage(turn: int) -> None:
        waiting = list(data)
        while waiting or a.unacked:
            clock[0] += 0.001
            if waiting:
                a.queue(0, waiting)
                waiting = []
            for source, target in ((a, b), (b, a)):
                for packet in source.take_packets(clock[0], 64):
                    target.handle_packet(packet.number, packet.payload, clock[0])
            b.take_events()
        last = (turn + 1) * BATCH
        b.receipt(last, last, BATCH)
        for packet in b.take_packets(clock[0], 64):
            a.handle_packet(packet.number, packet.payload, clock[0])
        a.take_events()

    return stage


def _cipher() -> Callable[[int], None]:
    cipher = ChaCha20Poly1305(os.urandom(32))
    payload, header = os.urandom(1168), os.urandom(16)

    def stage(turn: int) -> None:
        for index in range(BATCH // PER_PACKET):
            nonce = (turn * BATCH + index).to_bytes(12)
            cipher.decrypt(nonce, cipher.encrypt(nonce, payload, header), header)

    return stage


def _decode() -> Callable[[int], None]:
    data = [encode_message(Message(1, _message_id(0, n), n + 1, 1, BODY)) for n in range(BATCH)]

    def stage(turn: int) -> None:
        for each in data:
            decode_message(each)

    return stage


def _accept(ledger: Ledger) -> Callable[[int], None]:
    def stage(turn: int) -> None:
        rows = [
            c.Message(1, _message_id(turn, n), turn * BATCH + n + 1, 1, BODY) for n in range(BATCH)
        ]
        op = c.AcceptMessages(1, 7, turn * BATCH + 1, rows, "10.0.0.1:5001", 1)
        ledger.apply(c.Commit(1, [op]))

    ledger.apply(c.Commit(1, [c.ApplyHello(1, 7, 1, 0, 0, 0, "bob")]))
    return stage


def _receipts(ledger: Ledger) -> Callable[[int], None]:
    def stage(turn: int) -> None:
        last = (turn + 1) * BATCH
        ledger.apply(c.Commit(1, [c.StoreReceipts(1, [AckRange(last, last, BATCH)])]))

    return stage


def _view() -> View:
    view = View(SessionRow("s", "me", "h", 1, b"", "", ""))
    view.apply(PeerChanged(PeerRow(1, "bob", "h", 1)))
    return view


def _publish() -> Callable[[int], None]:
    view = _view()

    def stage(turn: int) -> None:
        rows = _rows(turn)
        event = MessagesAdded(1, rows[0].no, rows)
        view.apply(event)
        envelope.join_publication(b"bootboot", turn + 1, [envelope.pack_event(event)])

    return stage


def _client() -> Callable[[int], None]:
    view = _view()
    rows = _rows(0)
    packed = envelope.pack_event(MessagesAdded(1, 1, rows))
    frame = envelope.join_publication(b"bootboot", 1, [packed])

    def stage(turn: int) -> None:
        for event in envelope.decode_publication(frame).events:
            view.apply(event)

    return stage
