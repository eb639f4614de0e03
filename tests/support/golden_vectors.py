"""The values behind protocol/vectors/{ipc,messages}.json, and how those files are written.

A vector is one value with its bytes: `{"name", "type", "value", "hex"}`, bytes inside the value as
`{"bytes": "hex"}`. Once the protocol is frozen a changed line here is a changed protocol; to write
the files anew after a deliberate change: `python tests/support/golden_vectors.py`.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "protocol" / "vectors"
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "protocol"))

from chatnet_protocol import codec  # noqa: E402
from chatnet_protocol.errors import ErrorCode  # noqa: E402
from chatnet_protocol.ipc import commands as cmd  # noqa: E402
from chatnet_protocol.ipc import envelope, rows, session_files, view  # noqa: E402
from chatnet_protocol.ipc import events as ev  # noqa: E402
from chatnet_protocol.ipc.offer import (  # noqa: E402
    LeftOut,
    ListedThing,
    Offer,
    OfferedFile,
    OfferedFolder,
    OfferedListing,
)
from chatnet_protocol.ipc.reasons import LinkReason, TransferReason, reason  # noqa: E402
from chatnet_protocol.ipc.trace import TraceRow  # noqa: E402
from chatnet_protocol.version import IPC_VERSION, WIRE_VERSION  # noqa: E402
from chatnet_protocol.wire import messages as wire  # noqa: E402
from chatnet_protocol.wire import restoring  # noqa: E402

Samples: TypeAlias = dict[str, msgspec.Struct]

BOOT = bytes.fromhex("b007b007b007b007")
KEY = bytes(range(0x20, 0x40))
OTHER_KEY = bytes(range(0x40, 0x60))
ID_1 = bytes.fromhex("0199a1b2c3d47000800000000000000a")
ID_2 = bytes.fromhex("0199a1b2c3e87000800000000000000b")
SENT_MS = 1_760_000_000_000
LISTING = OfferedListing(
    bytes(range(32)), 70_000, [ListedThing("photos", 1_200, 1 << 32, 3), ListedThing("ü.txt", 1, 0)]
)
OFFER = Offer(
    [
        OfferedFile(["plans", "house.pdf"], 1_048_576, SENT_MS, True),
        OfferedFile(["ü.txt"], 0, 0, False, 1),
    ],
    [OfferedFolder(["plans", "empty"])],
    2,
    [LeftOut("plans/pipe", "special")],
)

OWN_ROW = rows.MessageRow(
    no=41,
    id=ID_1,
    mine=True,
    kind=rows.MessageKind.TEXT,
    body="Grüße".encode(),
    sent_ms=SENT_MS,
    arrived_ms=SENT_MS,
    seq=21,
    ack=0,
    source="",
    lamport=40,
    place=41,
)
PEERS_ROW = rows.MessageRow(
    no=42,
    id=ID_2,
    mine=False,
    kind=rows.MessageKind.OFFER,
    body=codec.pack(OFFER),
    sent_ms=SENT_MS + 20,
    arrived_ms=SENT_MS + 31,
    seq=0,
    ack=21,
    source="192.168.233.128:12346",
    lamport=41,
    place=42,
)
RUN = rows.AckRange(seq=21, ack=21, count=2)
PEER = rows.PeerRow(
    peer=1,
    name="192.168.233.128:12346",
    host="192.168.233.128",
    port=12346,
    key=KEY,
    trust=rows.Trust.PINNED,
    display_name="Bob",
    address="192.168.233.128:12346",
    safety_number="12345 67890 12345 67890 12345 67890 12345 67890 12345 67890 12345 67890",
    refused_keys=[OTHER_KEY],
    auto_accept_set=True,
    blocked=True,
)
LINK = rows.LinkRow(
    peer=1,
    state=rows.LinkState.UP,
    since_ms=SENT_MS,
    address="192.168.233.128:12346",
    incarnation="0123456789abcdef-fedcba9876543210",
    links=1,
)
DIFFERENCES = rows.Differences(
    2, [LeftOut("plans/pipe", "special")], 1, [rows.Renamed("plans/a_", "a_ (1)")], "update-changed"
)
COMPARED = rows.Compared(12_000, 41_000, 1 << 30, 3 << 30)
TRANSFER = rows.TransferRow(
    id=ID_2,
    peer=1,
    no=42,
    mine=False,
    state=rows.TransferState.ACTIVE,
    name="plans",
    files=2,
    size_bytes=1_048_576,
    done_bytes=65_536,
    changed_ms=SENT_MS + 40,
    kind=rows.TransferKind.FOLDER,
    things=2,
    differences=DIFFERENCES,
    update=True,
    updates_allowed=True,
)
DELIVERY = cmd.Delivery(
    since_ms=SENT_MS - 1_000,
    attempts=2,
    packets=[
        rows.PacketRow(20_871, SENT_MS + 2, lost_ms=SENT_MS + 38, link=1),
        rows.PacketRow(20_874, SENT_MS + 38, acked_ms=SENT_MS + 51, link=1),
    ],
    packet_count=2,
    lost_count=1,
    acked_ms=SENT_MS + 51,
    stored_ms=SENT_MS + 54,
    shown_ms=SENT_MS + 1_200,
    address="192.168.1.24:5000",
)
CLIENT = rows.ClientRow(client=3, name="qt", role=rows.ClientRole.FULL, since_ms=SENT_MS)
SESSION = rows.SessionRow(
    name="12345",
    display_name="Alice",
    host="0.0.0.0",
    port=12345,
    key=OTHER_KEY,
    fingerprint="abcd-efgh-ijkl-mnop-qrst-uvwx",
    inbox="/home/alice/Downloads/ChatNet",
    log="/home/alice/.local/share/chatnet/sessions/12345/engine.log",
    version="0.1.0",
    limit_bytes_s=5_000_000,
)
RESTORE = rows.RestoreRow(1, rows.RestoreMine.RUNNING, rows.RestoreTheirs.ASKED, 250)
PEER_VIEW = view.PeerView(
    info=PEER,
    link=LINK,
    messages=[OWN_ROW, PEERS_ROW],
    last_no=42,
    last_seq=21,
    last_ack=21,
    sent_seq=20,
    delivered_seq=20,
    peer_shown=20,
    peer_read=19,
    my_shown=21,
    my_read=20,
    draft="so f",
    draft_revision=7,
    typing=True,
    restore=RESTORE,
)


def _named(values: list[msgspec.Struct]) -> Samples:
    return {type(value).__name__: value for value in values}


COMMANDS: Samples = _named(
    [
        cmd.Attach("qt", "full", IPC_VERSION, ["brief"], cmd.Cursor(BOOT, 99, 42)),
        cmd.Detach(),
        cmd.KeepAlive(101),
        cmd.FetchSnapshot(BOOT, 100, 0),
        cmd.FetchEvents(BOOT, 101),
        cmd.FetchHistory(
            peer=1, before_place=41, before_no=41, limit=50, search="hous", ids=[ID_2]
        ),
        cmd.SendMessage(ID_1, 1, "Grüße", 7, SENT_MS, ID_2),
        cmd.OfferFiles(ID_1, 1, ["/home/alice/plans", "/home/alice/ü.txt"], True),
        cmd.WithdrawMessage(ID_2, 1),
        cmd.DeleteMessage(ID_2, 1),
        cmd.AcceptTransfer(ID_2, "/home/alice/Desktop"),
        cmd.AllowUpdates(ID_2, False),
        cmd.RejectTransfer(ID_2),
        cmd.PauseTransfer(ID_2),
        cmd.ResumeTransfer(ID_2),
        cmd.CancelTransfer(ID_2),
        cmd.SetDraft(1, "so far", 7),
        cmd.MarkShown(1, 21),
        cmd.MarkRead(1, 21),
        cmd.SetTyping(1, True),
        cmd.AddPeer("192.168.233.128", 12346, "Bob", "abcd-efgh-ijkl-mnop"),
        cmd.MakeInvite(1),
        cmd.MakeBackup("/backup/today", True),
        cmd.RemovePeer(1),
        cmd.SetPeer(1, "Robert", 0, "192.168.233.129", 12347, True),
        cmd.SetSession("Alice B.", "/media/disk/received", 5_000_000),
        cmd.TrustPeer(1, "replace", OTHER_KEY),
        cmd.RetryPeer(1),
        cmd.AskRestore(1, True),
        cmd.AnswerRestore(1, True),
        cmd.FetchStatus(),
        cmd.FetchDelivery(1, seq=21, ack=21),
        cmd.FetchSpace(),
        cmd.CleanUp(),
        cmd.StopEngine("asked to stop"),
    ]
)
RESULTS: Samples = _named(
    [
        cmd.Done(),
        cmd.Attached(BOOT, 3, 100, 1, 101, 42, IPC_VERSION, ["brief"]),
        cmd.SnapshotPart(0, b"\x96\x9a"),
        cmd.EventsPage(envelope.join_publication(BOOT, 101, [codec.pack(ev.ClientDetached(2))])),
        cmd.HistoryPage([OWN_ROW, PEERS_ROW], [1, 1], True),
        cmd.Queued(41, 21),
        cmd.DraftSet(False, 8, "so few"),
        cmd.PeerAdded(1),
        cmd.Invited(2, "abcd-efgh-ijkl-mnop", SENT_MS),
        cmd.BackedUp("/backup/today", 41, 73728),
        cmd.Space(1, 4096, 2, 8192, 3, 12288, 1, 4096, 4, 16384),
        DELIVERY,
        cmd.Status({"port": 12345, "store": "ok"}, [{"peer": 1, "rtt_ms": 0.75}], [{"client": 3}]),
    ]
)
EVENTS: Samples = _named(
    [
        ev.MessagesAdded(1, 41, [OWN_ROW, PEERS_ROW]),
        ev.MessagesRestored(1, 41, [msgspec.structs.replace(OWN_ROW, place=12)], [PEERS_ROW]),
        ev.MessagesDelivered(1, 21, [RUN]),
        ev.MessageFailed(1, 41, "The peer was removed."),
        ev.CountersRaised(1, 20, 5),
        ev.MarksMoved(1, 21, 20, 19, 21, 20),
        ev.DraftChanged(1, 8, "so few", 3),
        ev.TypingChanged(1, True),
        ev.PeerChanged(PEER),
        ev.PeerRemoved(2, 1, [OWN_ROW]),
        ev.LinkChanged(LINK),
        ev.TransferChanged(TRANSFER),
        ev.RestoreChanged(RESTORE),
        ev.SessionChanged(SESSION),
        ev.ClientAttached(CLIENT),
        ev.ClientDetached(3),
        ev.Notice("warning", "history-gap", ["3"], 1),
        ev.EngineStopping("asked to stop"),
    ]
)
GAUGES: Samples = _named(
    [
        ev.LinkGauge(
            1,
            5,
            0.75,
            0.125,
            0.25,
            16384,
            1200,
            900,
            880,
            4,
            2048,
            1,
            2,
            True,
            3,
            1e6,
            1.5,
            1472,
            0.125,
            20.5,
        ),
        ev.TransferGauge(ID_2, 1, 6, 131_072, 5e6),
    ]
)
ROWS: Samples = {
    "MessageRow, own text": OWN_ROW,
    "MessageRow, the peer's offer": PEERS_ROW,
    "MessageRow, an answer": msgspec.structs.replace(OWN_ROW, reply_to=ID_2),
    "MessageRow, failed": msgspec.structs.replace(OWN_ROW, failed="withdrawn"),
    "AckRange": RUN,
    "PacketRow": DELIVERY.packets[0],
    "PeerRow": PEER,
    "LinkRow": LINK,
    "LinkRow, with a reason": msgspec.structs.replace(
        LINK, state=rows.LinkState.DIALLING, reason=reason(LinkReason.OTHER_VERSION, 2, 1)
    ),
    "TransferRow": TRANSFER,
    "TransferRow, with a reason": msgspec.structs.replace(
        TRANSFER,
        state=rows.TransferState.WAITING,
        reason=reason(TransferReason.NO_SPACE, "/home/bob/Downloads/ChatNet", 5_000_000),
    ),
    "TransferRow, compared": msgspec.structs.replace(
        TRANSFER,
        state=rows.TransferState.WAITING,
        reason=reason(TransferReason.COMPARING),
        compared=COMPARED,
    ),
    "Compared": COMPARED,
    "Differences": DIFFERENCES,
    "Renamed": rows.Renamed("plans/a_", "a_ (1)"),
    "RestoreRow": RESTORE,
    "ClientRow": CLIENT,
    "SessionRow": SESSION,
    "Cursor": cmd.Cursor(BOOT, 99, 42),
    "PeerView": PEER_VIEW,
    "View": view.View(SESSION, [PEER_VIEW], [TRANSFER], [CLIENT], 42),
}
FRAMES: Samples = {
    "Request, attaching for the first time": envelope.Request(
        1, cmd.Attach("qt", "full", IPC_VERSION)
    ),
    "Reply, attached": envelope.Reply(
        1, None, cmd.Attached(BOOT, 3, 100, 1, 101, 42, IPC_VERSION, [])
    ),
    "Request, a message": envelope.Request(2, cmd.SendMessage(ID_1, 1, "Grüße")),
    "Publication, that message": envelope.Publication(
        BOOT, 102, [ev.MessagesAdded(1, 41, [OWN_ROW])]
    ),
    "Reply, queued": envelope.Reply(2, None, cmd.Queued(41, 21)),
    "Publication, delivered": envelope.Publication(
        BOOT, 103, [ev.MessagesDelivered(1, 21, [rows.AckRange(21, 21, 1)])]
    ),
    "Reply, failed": envelope.Reply(
        7, envelope.Failure(ErrorCode.GONE, "Those events are gone; attach again."), None
    ),
    "Reply, no newer events": envelope.Reply(8, None, cmd.EventsPage(b"")),
    "Heartbeat": envelope.Heartbeat(BOOT, 103, 41),
    "GaugeFrame": envelope.GaugeFrame(BOOT, [ev.TransferGauge(ID_2, 1, 6, 131_072, 5e6)]),
    "TraceFrame": envelope.TraceFrame(
        BOOT,
        17,
        1_760_000_000_000,
        [
            TraceRow(
                1,
                "connectivity:path_assigned",
                {"address": "ipv4#5f1c02:12346", "rtt_ms": 24.5, "lost": 3},
            )
        ],
    ),
}
CONNECTION = session_files.ConnectionFile(
    session="12345",
    boot=BOOT.hex(),
    pid=4242,
    ipc_version=IPC_VERSION,
    product_version="0.1.0",
    events="ipc:///run/user/1000/chatnet/3f2a9c1d.ev",
    commands="ipc:///run/user/1000/chatnet/3f2a9c1d.cmd",
    port=12345,
)
MESSAGES: Samples = {
    "Message, a text": wire.Message(1, ID_1, 40, SENT_MS, "Grüße".encode()),
    "Message, an answer": wire.Message(1, ID_2, 41, SENT_MS, b"Yes", ID_1),
    "Message, an offer": wire.Message(2, ID_2, 41, SENT_MS + 20, codec.pack(OFFER)),
    "Message, of a kind not known yet": wire.Message(9, ID_1, 42, SENT_MS, b"\xff\x00"),
    "Offer": OFFER,
    "Offer, with a listing": Offer([], listing=LISTING),
    "OfferedListing": LISTING,
    "ListedThing": LISTING.things[0],
    "OfferedFile": OFFER.files[0],
    "OfferedFolder": OFFER.folders[0],
    "LeftOut": OFFER.left_out_named[0],
    "Hello, of a first link": wire.Hello(1, 0, 0, 0, 0),
    "Hello, of a later one": wire.Hello(21, 20, 20, 21, 41, "Alice", True),
    "Marks": wire.Marks(21, 20),
    "Typing": wire.Typing(True),
    "Line": wire.Line(205),
    "DisplayName": wire.DisplayName("Alice B."),
    "RestoreAsk, from the start": restoring.RestoreAsk(77, 0, b""),
    "RestoreAsk, from where it stopped": restoring.RestoreAsk(77, 42, ID_2),
    "RestorePage": restoring.RestorePage(
        *(77, 0, 42, ID_2, True),
        rows=[
            restoring.RestoredRow(
                *(True, 1, ID_1, 40, SENT_MS, SENT_MS + 30, 21), "Grüße".encode()
            ),
            restoring.RestoredRow(
                *(False, 2, ID_2, 41, SENT_MS + 20, SENT_MS + 20, 21), codec.pack(OFFER)
            ),
        ],
    ),
    "RestorePage, nothing more": restoring.RestorePage(77, 42, 42, ID_2, False, []),
    "RestoreRefuse": restoring.RestoreRefuse(77),
    "RestoreStop": restoring.RestoreStop(77),
}

IPC: Samples = {**COMMANDS, **RESULTS, **EVENTS, **GAUGES, **ROWS, **FRAMES}
TYPES: dict[str, Any] = {type(value).__name__: type(value) for value in (IPC | MESSAGES).values()}


def encode(value: msgspec.Struct) -> bytes:
    """The bytes of one sample, by the encoder that the product uses for it."""
    if isinstance(value, session_files.ConnectionFile):
        return session_files.encode_connection_file(value)
    if isinstance(value, wire.Message):
        return wire.encode_message(value)
    if isinstance(value, envelope.Publication):
        packed = [envelope.pack_event(event) for event in value.events]
        return envelope.join_publication(value.boot, value.first_seq, packed)
    return codec.pack(value)


_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "ConnectionFile": session_files.decode_connection_file,
    "Heartbeat": envelope.decode_heartbeat,
    "GaugeFrame": envelope.decode_gauges,
    "TraceFrame": envelope.decode_traces,
    "Hello": wire.decode_hello,
    "Line": wire.decode_line,
    "DisplayName": wire.decode_name,
    "Marks": wire.decode_marks,
    "Message": wire.decode_message,
    "Publication": envelope.decode_publication,
    "Reply": envelope.decode_reply,
    "Request": envelope.decode_request,
    "Typing": wire.decode_typing,
    "RestoreAsk": restoring.decode_restoring,
    "RestorePage": restoring.decode_restoring,
    "RestoreRefuse": restoring.decode_restoring,
    "RestoreStop": restoring.decode_restoring,
}


def decode(type_name: str, data: bytes) -> Any:
    """The value in `data`, by the decoder that the product uses for it."""
    if decoder := _DECODERS.get(type_name):
        return decoder(data)
    return codec.unpack(data, TYPES[type_name], 1 << 20)


def readable(value: object) -> Any:
    """JSON of a value: bytes as `{"bytes": hex}`."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, list | tuple):
        return [readable(item) for item in value]
    if isinstance(value, dict):
        return {key: readable(item) for key, item in value.items()}
    return value


def document(about: str, version: int, samples: Samples) -> str:
    """The text of one vector file."""
    vectors = [
        json.dumps(
            {
                "name": name,
                "type": type(value).__name__,
                "value": readable(msgspec.to_builtins(value, builtin_types=(bytes,))),
                "hex": encode(value).hex(),
            },
            ensure_ascii=False,
        )
        for name, value in samples.items()
    ]
    head = f'{{"about": {json.dumps(about)},\n"version": {version},\n"vectors": [\n'
    return head + ",\n".join(vectors) + "\n]}\n"


FILES: dict[str, tuple[str, int, Samples]] = {
    "ipc.json": (
        "Local IPC: every command, result, event, gauge, row and frame",
        IPC_VERSION,
        IPC | {"ConnectionFile": CONNECTION},
    ),
    "messages.json": (
        "Peer link: what channels 0 and 2, HELLO and STATE frames carry",
        WIRE_VERSION,
        MESSAGES,
    ),
}


if __name__ == "__main__":
    for name, content in FILES.items():
        (VECTORS / name).write_text(document(*content), encoding="utf-8")
        print(VECTORS / name)
