"""The values behind protocol/vectors/file_records.json, and how that file is written.

Control messages and record bodies: `{"name", "type", "value", "hex"}`. One whole connection from
fixed keys: what each side puts on the wire, as hex. To write the file anew after a deliberate
change: `python tests/support/file_vectors.py`.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[2]
PATH = ROOT / "protocol" / "vectors" / "file_records.json"
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "protocol"), str(ROOT / "engine")]

import blake3  # noqa: E402
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # noqa: E402
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305  # noqa: E402

from chatnet_engine.files.records import Sealer, nonce_packer  # noqa: E402
from chatnet_engine.secure.noise import Handshake, Protocol  # noqa: E402
from chatnet_protocol.version import WIRE_VERSION  # noqa: E402
from chatnet_protocol.wire import bulk, listing  # noqa: E402
from chatnet_protocol.wire import control as ct  # noqa: E402
from chatnet_protocol.wire import file_records as fr  # noqa: E402
from golden_vectors import readable  # noqa: E402

ID = bytes.fromhex("0199a1b2c3e87000800000000000000b")
HANDLE = bytes.fromhex("4142434445464748")
TOKEN = bytes(range(0x60, 0x80))
DIALLER_KEY = bytes(range(0x80, 0xA0))
LISTENER_KEY = bytes(range(0xA0, 0xC0))
FILE = b"Hello, file.\n"

SAMPLES: dict[str, msgspec.Struct] = {
    "Accept": ct.Accept(ID),
    "Listen": ct.Listen(ID, HANDLE, TOKEN, 12346, ct.Suite.AESGCM),
    "DialBack": ct.DialBack(ID),
    "Unreachable": ct.Unreachable(ID),
    "TransferStatus, paused": ct.TransferStatus(ID, True),
    "TransferStatus, not paused": ct.TransferStatus(ID, False),
    "TransferStatus, waiting": ct.TransferStatus(ID, False, "comparing"),
    "TransferStatus, comparing": ct.TransferStatus(
        ID, False, "comparing", (12_000, 41_000, 1 << 30, 3 << 30)
    ),
    "End, cancelled": ct.End(ID, ct.EndCode.CANCELLED),
    "Done": ct.Done(ID),
    "LinkStream": ct.LinkStream(ID, HANDLE, TOKEN, ct.Suite.CHACHA),
    "TcpOpen": ct.TcpOpen(ID),
    "Done, renamed": ct.Done(ID, 1, [("plans/a\u202eb", "a_b")]),
    "Done, beside an earlier folder": ct.Done(ID, not_updated="update-changed"),
    "Position": fr.Position(1, 65_536),
    "FileHeader": fr.FileHeader(1, 65_536),
    "Skip": fr.Skip(1, 3),
}
PAGE = [
    listing.ListedFolder(["plans"], [listing.ListedFile("house.pdf", 1 << 20, 1_700_000_000_000)]),
    listing.ListedFolder(["plans", "empty"], []),
    listing.ListedFolder([], [listing.ListedFile("run.sh", 7, 0, True)], 1),
]
"""One page of a listing."""


BULK: dict[str, bulk.BulkMessage] = {
    "DATA": bulk.BulkData(HANDLE, FILE),
    "ROOM": bulk.BulkRoom(HANDLE, len(FILE)),
    "END": bulk.BulkEnd(HANDLE),
}


def encode(value: Any) -> bytes:
    """By the encoder that the product uses."""
    if isinstance(value, fr.Position | fr.FileHeader | fr.Skip):
        return fr.encode_body(value)
    return ct.encode_control(value)


def decode(type_name: str, data: bytes) -> Any:
    """By the decoder that the product uses."""
    decoders: dict[str, Callable[[bytes], Any]] = {
        "Position": fr.decode_position,
        "FileHeader": fr.decode_header,
        "Skip": fr.decode_skip,
    }
    return decoders.get(type_name, ct.decode_control)(data)


def connection(suite: ct.Suite) -> dict[str, str]:
    """A sender that dials, a receiver that has the first 6 bytes: everything on the wire."""

    def side(initiator: bool, key: bytes) -> Handshake:
        return Handshake(
            Protocol(fr.noise_name(suite)),
            initiator=initiator,
            prologue=HANDLE,
            ephemeral=X25519PrivateKey.from_private_bytes(key),
            psk=TOKEN,
        )

    dialler, listener = side(True, DIALLER_KEY), side(False, LISTENER_KEY)
    first = dialler.write()
    listener.read(first)
    reply = listener.write()
    dialler.read(reply)
    cipher = "AESGCM" if suite is ct.Suite.AESGCM else "ChaChaPoly"
    make = AESGCM if suite is ct.Suite.AESGCM else ChaCha20Poly1305
    forth = Sealer(make(dialler.split()[0]), nonce_packer(cipher))
    back = Sealer(make(listener.split()[0]), nonce_packer(cipher))
    kind = fr.RecordType
    return {
        "suite": fr.noise_name(suite),
        "handle": HANDLE.hex(),
        "token": TOKEN.hex(),
        "dialler_ephemeral_private": DIALLER_KEY.hex(),
        "listener_ephemeral_private": LISTENER_KEY.hex(),
        "dialler_sends": (HANDLE + first).hex(),
        "listener_answers": reply.hex(),
        "receiver_start_0_6": back.seal(kind.START, fr.encode_body(fr.Position(0, 6))).hex(),
        "sender_file_0_6": forth.seal(kind.FILE, fr.encode_body(fr.FileHeader(0, 6))).hex(),
        "sender_data": forth.seal(kind.DATA, FILE[6:]).hex(),
        "sender_file_end": forth.seal(kind.FILE_END, blake3.blake3(FILE).digest()).hex(),
        "sender_end": forth.seal(kind.END).hex(),
        "receiver_verified_1_0": back.seal(kind.VERIFIED, fr.encode_body(fr.Position(1, 0))).hex(),
        "receiver_end": back.seal(kind.END).hex(),
    }


def document() -> str:
    """The text of the vector file."""
    vectors = [
        json.dumps(
            {
                "name": name,
                "type": type(value).__name__,
                "value": readable(msgspec.to_builtins(value, builtin_types=(bytes,))),
                "hex": encode(value).hex(),
            }
        )
        for name, value in SAMPLES.items()
    ]
    connections = [json.dumps(connection(suite), indent=1) for suite in ct.Suite]
    about = json.dumps(
        "Transfers: control messages of channel 1, bulk streams of channel 3, file connections"
    )
    return (
        f'{{"about": {about},\n"version": {WIRE_VERSION},\n"vectors": [\n'
        + ",\n".join(vectors)
        + '\n],\n"bulk": [\n'
        + ",\n".join(
            json.dumps({"name": name, "hex": bulk.encode_bulk(value).hex()})
            for name, value in BULK.items()
        )
        + f'\n],\n"listing_page": "{listing.encode_page(PAGE).hex()}"'
        + f',\n"file": "{FILE.hex()}",\n"connections": [\n'
        + ",\n".join(connections)
        + "\n]}\n"
    )


if __name__ == "__main__":
    PATH.write_text(document(), encoding="utf-8")
    print(PATH)
