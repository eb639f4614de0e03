"""Honest inputs of every harness: what the golden vectors and a short conversation are made of."""

import json
from pathlib import Path

import raw_zmtp as zmtp
from chatnet_engine.secure.invite import invite_code
from chatnet_protocol import codec
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import envelope
from chatnet_protocol.version import IPC_VERSION
from chatnet_protocol.wire.listing import ListedFile, ListedFolder, encode_page
from simworld.pair import Pair

VECTORS = Path(__file__).resolve().parents[3] / "protocol" / "vectors"
NAMES = ("plain.txt", "../../etc/passwd", "con", "a" * 300, "\u202egpj.exe", "-rf", "x\0y", " . ")
KNOWN = b"10.0.0.2:5002 " + b"a" * 52 + b" 1700001000 no\n# a comment\n"


def _hex_strings(value: object) -> list[bytes]:
    if isinstance(value, dict):
        return [found for item in value.values() for found in _hex_strings(item)]
    if isinstance(value, list):
        return [found for item in value for found in _hex_strings(item)]
    try:
        return [bytes.fromhex(value)] if isinstance(value, str) and len(value) > 2 else []
    except ValueError:
        return []


def vectors(name: str) -> list[bytes]:
    """Every byte string of a file of golden vectors."""
    path = VECTORS / f"{name}.json"
    return _hex_strings(json.loads(path.read_text())) if path.exists() else []


def conversation() -> dict[str, list[bytes]]:
    """Frames and datagrams of two engines that exchange a few words."""
    heard: dict[str, list[bytes]] = {"datagram": [], "ipc_frame": [], "engine_frame": []}
    pair = Pair(1)
    send = pair.network.send

    def tap(source: tuple[str, int], target: tuple[str, int], data: bytes) -> None:
        heard["datagram"].append(data)
        send(source, target, data)

    def record(kind: str, frame: bytes) -> None:
        heard["ipc_frame" if kind == "asked" else "engine_frame"].append(frame)

    pair.network.send = tap  # type: ignore[method-assign]
    pair.at_a.record = record
    pair.at_a.say("hello")
    for command in (
        cmd.Attach("x", "full", IPC_VERSION), cmd.FetchHistory(1), cmd.SetDraft(1, "d", 0),
        cmd.MarkRead(1, 1), cmd.AddPeer("host", 1), cmd.TrustPeer(1, "verified"),
        cmd.OfferFiles(b"i" * 16, 1, ["/x"]), cmd.CancelTransfer(b"i" * 16), cmd.FetchStatus(),
        cmd.FetchDelivery(1, seq=1), cmd.FetchSpace(), cmd.CleanUp(),
        cmd.FetchEvents(bytes(8), 1), cmd.FetchSnapshot(bytes(8), 1, 0), cmd.RemovePeer(2),
        cmd.SetPeer(1, "n", 1), cmd.SetSession("n", "/i", 5), cmd.KeepAlive(1), cmd.Detach(),
    ):  # fmt: skip
        heard["ipc_frame"].append(codec.pack(envelope.Request(7, command)))
    pair.run(3)
    return {name: found[:60] for name, found in heard.items()}


def local_clients(requests: list[bytes]) -> list[bytes]:
    """The first bytes of a SUB, a DEALER and a REQ, in pieces of several sizes."""
    ping = zmtp.command(b"PING", b"\0\0context")
    asked = b"".join(zmtp.frame(request) for request in requests[:3])
    delimited = b"".join(zmtp.frame(b"", zmtp.MORE) + zmtp.frame(r) for r in requests[:3])
    return [
        bytes([size]) + zmtp.GREETING + zmtp.ready(kind, b"me") + ping + said
        for size in (255, 7)
        for kind, said in (
            (b"SUB", zmtp.frame(b"\1E") + zmtp.command(b"SUBSCRIBE", b"H") + zmtp.frame(b"\0E")),
            (b"DEALER", asked),
            (b"REQ", delimited),
        )
    ]


LISTED = [
    ListedFolder(["top"], [ListedFile(name, 1) for name in ("a", "A", "a\u202e", "..", "con")]),
    ListedFolder(["top", "a/"], [ListedFile("x", 1, 7, True)]),
    ListedFolder([], [ListedFile("single", 3)], 1),
]


def honest() -> dict[str, list[bytes]]:
    """By harness."""
    heard = conversation()
    return {
        **heard,
        "datagram": heard["datagram"] + vectors("datagrams"),
        "handshake": [bytes(range(k, k + 60)) for k in range(0, 180, 30)],
        "inside_a_session": vectors("frames"),
        "application_message": vectors("frames") + vectors("messages"),
        "file_record": [*vectors("file_records"), bytes(200)],
        "listing_file": [encode_page(LISTED), encode_page(LISTED[:1]) + encode_page(LISTED[1:])],
        "file_name": [name.encode() for name in NAMES],
        "known_peers": [KNOWN, KNOWN * 3, b""],
        "local_bytes": local_clients(heard["ipc_frame"]),
        "engine_frame": heard["engine_frame"] + vectors("ipc"),
        "invite": [invite_code(bytes(range(16))).encode()],
    }
