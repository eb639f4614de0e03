"""Bodies of file records, and a whole connection from fixed keys."""

import json

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

import file_vectors as golden
from chatnet_engine.files.records import AEAD_TAG_BYTES, Opener, nonce_packer
from chatnet_engine.secure.noise import Handshake, Protocol
from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.limits import MAX_FILE_BYTES, MAX_LISTED_FILES
from chatnet_protocol.wire import file_records as fr
from chatnet_protocol.wire.control import Suite

DOCUMENT = json.loads(golden.PATH.read_text(encoding="utf-8"))


@pytest.mark.parametrize("suite", Suite)
def test_a_recorded_connection_opens(suite: Suite) -> None:
    """As the listener, which receives the file."""
    vector = DOCUMENT["connections"][list(Suite).index(suite)]
    assert vector == golden.connection(suite)
    first = bytes.fromhex(vector["dialler_sends"])
    assert len(first) == fr.FIRST_MESSAGE_BYTES
    assert first[:8].hex() == vector["handle"]
    key = bytes.fromhex(vector["listener_ephemeral_private"])
    handshake = Handshake(
        Protocol(vector["suite"]),
        initiator=False,
        prologue=first[:8],
        ephemeral=X25519PrivateKey.from_private_bytes(key),
        psk=bytes.fromhex(vector["token"]),
    )
    handshake.read(first[8:])
    reply = handshake.write()
    assert reply.hex() == vector["listener_answers"]
    assert len(reply) == fr.REPLY_BYTES
    cipher = "AESGCM" if suite is Suite.AESGCM else "ChaChaPoly"
    make = AESGCM if suite is Suite.AESGCM else ChaCha20Poly1305
    opener = Opener(make(handshake.split()[1]), nonce_packer(cipher), InvalidTag)
    names = ("sender_file_0_6", "sender_data", "sender_file_end", "sender_end")
    stream = b"".join(bytes.fromhex(vector[name]) for name in names)
    used, records = opener.open_from(memoryview(stream))
    assert used == len(stream)
    kinds = [kind for kind, _ in records]
    assert kinds == [2, 0, 3, 5]
    assert fr.decode_header(bytes(records[0][1])) == fr.FileHeader(0, 6)
    assert bytes(records[1][1]) == bytes.fromhex(DOCUMENT["file"])[6:]


def test_limits_hold_together() -> None:
    assert AEAD_TAG_BYTES == 16
    assert fr.MAX_SEALED_BYTES == 65_553
    assert fr.FIRST_MESSAGE_BYTES == 56


@given(st.integers(0, MAX_LISTED_FILES), st.integers(0, MAX_FILE_BYTES))
def test_positions_come_back(index: int, offset: int) -> None:
    position = fr.Position(index, offset)
    assert fr.decode_position(fr.encode_body(position)) == position


@pytest.mark.parametrize(
    "value", [[], [1], [-1, 0], [0, -1], [2_000_002, 0], [0, 2**53 + 1], ["0", 0], [0, 0.5], {}]
)
def test_wrong_bodies_are_refused(value: object) -> None:
    for decode in (fr.decode_position, fr.decode_header):
        with pytest.raises(DecodeError):
            decode(codec.pack_plain(value))


@given(st.integers(0, MAX_LISTED_FILES), st.integers(1, MAX_LISTED_FILES + 1))
def test_ranges_of_files_come_back(index: int, count: int) -> None:
    skip = fr.Skip(index, min(count, MAX_LISTED_FILES + 1 - index))
    assert fr.decode_skip(fr.encode_body(skip)) == skip


@pytest.mark.parametrize("value", [[], [1], [-1, 2], [0, 0], [1, -1], [2_000_000, 2], ["0", 1], {}])
def test_wrong_ranges_are_refused(value: object) -> None:
    with pytest.raises(DecodeError):
        fr.decode_skip(codec.pack_plain(value))


def test_a_header_names_a_file_and_not_the_end() -> None:
    end = fr.encode_body(fr.Position(MAX_LISTED_FILES + 1, 0))
    assert fr.decode_position(end).index == MAX_LISTED_FILES + 1
    with pytest.raises(DecodeError):
        fr.decode_header(end)
