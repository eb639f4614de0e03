import json
import warnings
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from noise.connection import Keypair, NoiseConnection

from chatnet_engine.secure.noise import CipherState, Handshake, NoiseError, Protocol
from chatnet_protocol.errors import LocalProtocolError

VECTORS = Path(__file__).parents[3] / "../shared/corpus/noise-vectors.json"
NAMES = [
    f"Noise_{pattern}_25519_{cipher}_SHA256"
    for pattern in ("NN", "XX", "NNpsk0", "XXpsk3")
    for cipher in ("ChaChaPoly", "AESGCM")
]


def load_vectors() -> list[dict[str, Any]]:
    return json.loads(VECTORS.read_text())["vectors"] if VECTORS.exists() else []


def private(data: bytes) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(data)


def corrupted(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def side_of(vector: dict[str, Any], role: str) -> Handshake:
    def key(name: str) -> X25519PrivateKey | None:
        value = vector.get(f"{role}_{name}")
        return None if value is None else private(bytes.fromhex(value))

    psks = vector.get(f"{role}_psks") or [None]
    ephemeral = key("ephemeral")
    assert ephemeral is not None
    return Handshake(
        Protocol(vector["protocol_name"]),
        initiator=role == "init",
        prologue=bytes.fromhex(vector[f"{role}_prologue"]),
        ephemeral=ephemeral,
        static=key("static"),
        psk=None if psks[0] is None else bytes.fromhex(psks[0]),
    )


@pytest.mark.skipif(not VECTORS.exists(), reason="the official vectors are not here")
def test_there_are_vectors_of_every_protocol_in_use() -> None:
    assert {v["protocol_name"] for v in load_vectors()} >= set(NAMES)


@pytest.mark.parametrize(
    "vector", load_vectors(), ids=lambda v: f"{v['protocol_name']} {v['from'].split('/')[-1]}"
)
def test_official_vectors(vector: dict[str, Any]) -> None:
    """Each handshake message is read corrupted first: that must change nothing."""
    initiator, responder = side_of(vector, "init"), side_of(vector, "resp")
    writer, reader = initiator, responder
    messages = [
        (bytes.fromhex(m["payload"]), bytes.fromhex(m["ciphertext"])) for m in vector["messages"]
    ]
    while not initiator.finished:
        payload, ciphertext = messages.pop(0)
        assert writer.write(payload) == ciphertext
        if ciphertext[-len(payload) :] != payload:
            with pytest.raises(NoiseError):
                reader.read(corrupted(ciphertext, len(ciphertext) - 1))
        assert reader.read(ciphertext) == payload
        writer, reader = reader, writer
    assert initiator.hash == responder.hash
    if "handshake_hash" in vector:
        assert initiator.hash.hex() == vector["handshake_hash"]
    cipher = Protocol(vector["protocol_name"]).cipher
    keys = {
        side: tuple(CipherState(cipher, key) for key in side.split())
        for side in (initiator, responder)
    }
    for payload, ciphertext in messages:
        assert keys[writer][0].encrypt(payload) == ciphertext
        assert keys[reader][1].decrypt(ciphertext) == payload
        writer, reader = reader, writer


def pair(name: str, rng: Random) -> tuple[Handshake, Handshake, NoiseConnection]:
    """Our two sides, and noiseprotocol in the initiator's place with the same keys."""
    secrets = {k: rng.randbytes(32) for k in ("ie", "re", "is", "rs", "psk")}
    protocol = Protocol(name)
    psk = secrets["psk"] if protocol.psk else None
    ours = [
        Handshake(
            protocol,
            initiator=initiator,
            prologue=b"chatnet",
            ephemeral=private(secrets[f"{letter}e"]),
            static=private(secrets[f"{letter}s"]) if "XX" in name else None,
            psk=psk,
        )
        for initiator, letter in ((True, "i"), (False, "r"))
    ]
    other = NoiseConnection.from_name(name.encode())
    other.set_as_initiator()
    other.set_prologue(b"chatnet")
    if psk is not None:
        other.set_psks(psks=[psk])
    other.set_keypair_from_private_bytes(Keypair.EPHEMERAL, secrets["ie"])
    if "XX" in name:
        other.set_keypair_from_private_bytes(Keypair.STATIC, secrets["is"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it warns of a given ephemeral key
        other.start_handshake()
    return ours[0], ours[1], other


@pytest.mark.parametrize("name", NAMES)
def test_same_messages_hash_and_keys_as_noiseprotocol(name: str) -> None:
    rng = Random(name)
    initiator, responder, other = pair(name, rng)
    turn = 0
    while not initiator.finished:
        payload = rng.randbytes(rng.randrange(40))
        if turn % 2 == 0:
            message = initiator.write(payload)
            assert message == bytes(other.write_message(payload))
            assert responder.read(message) == payload
        else:
            message = responder.write(payload)
            assert bytes(other.read_message(message)) == payload
            assert initiator.read(message) == payload
        turn += 1
    assert other.handshake_finished
    assert initiator.hash == other.get_handshake_hash()
    send, receive = (CipherState(Protocol(name).cipher, key) for key in initiator.split())
    assert send.encrypt(b"to them") == other.encrypt(b"to them")
    sealed = CipherState(Protocol(name).cipher, responder.split()[0]).encrypt(b"to us")
    assert other.decrypt(sealed) == receive.decrypt(sealed) == b"to us"


@pytest.mark.parametrize("name", NAMES)
def test_a_forged_message_before_each_genuine_one_changes_nothing(name: str) -> None:
    rng = Random(7)
    initiator, responder, _ = pair(name, rng)
    writer, reader = initiator, responder
    first = True
    while not initiator.finished:
        message = writer.write(b"payload")
        plain = first and "psk" not in name
        for at in range(0, len(message), 5):
            if not plain:
                with pytest.raises(NoiseError):
                    reader.fork().read(corrupted(message, at))
                with pytest.raises(NoiseError):
                    reader.read(corrupted(message, at))
        with pytest.raises(NoiseError):
            reader.read(message[:20])
        assert reader.read(message) == b"payload"
        writer, reader = reader, writer
        first = False
    assert initiator.hash == responder.hash
    assert initiator.split() == responder.split()[::-1]


def test_a_fork_leaves_the_original_open() -> None:
    initiator, responder, _ = pair(NAMES[2], Random(1))
    responder.read(initiator.write())
    answer = responder.write(b"who")
    assert initiator.fork().read(answer) == b"who"
    assert initiator.remote_static is None
    assert initiator.read(answer) == b"who"
    assert initiator.remote_static is not None


def test_another_psk_prologue_or_key_fails() -> None:
    initiator, responder, _ = pair("Noise_XXpsk3_25519_ChaChaPoly_SHA256", Random(2))
    responder.read(initiator.write())
    initiator.read(responder.write())
    message = initiator.write()
    with pytest.raises(NoiseError):
        responder.read(message, psk=bytes(32))
    assert responder.read(message) == b""


def test_a_public_key_of_small_order_is_refused() -> None:
    _, responder, _ = pair("Noise_NN_25519_ChaChaPoly_SHA256", Random(3))
    responder.read(bytes(32))
    with pytest.raises(NoiseError, match="small order"):
        responder.write()


def test_turns_are_kept() -> None:
    initiator, responder, _ = pair(NAMES[2], Random(4))
    with pytest.raises(LocalProtocolError):
        responder.write()
    with pytest.raises(LocalProtocolError):
        initiator.read(bytes(32))
    with pytest.raises(LocalProtocolError):
        initiator.split()
    with pytest.raises(NoiseError, match="too long"):
        responder.read(bytes(65536))


def test_the_longest_message_that_noise_allows_is_read() -> None:
    initiator, responder, _ = pair(NAMES[2], Random(6))
    payload = Random(6).randbytes(65535 - 32)
    message = initiator.write(payload)
    assert len(message) == 65535
    assert responder.read(message) == payload


def test_what_is_missing_is_said() -> None:
    key = private(bytes([1]) * 32)
    xx = Handshake(Protocol(NAMES[2]), initiator=False, prologue=b"", ephemeral=key)
    xx.read(key.public_key().public_bytes_raw())
    with pytest.raises(LocalProtocolError, match="static"):
        xx.write()
    psk = Handshake(Protocol(NAMES[4]), initiator=True, prologue=b"", ephemeral=key)
    with pytest.raises(LocalProtocolError, match="psk"):
        psk.write()


def test_a_static_key_is_needed_for_its_exchange() -> None:
    initiator, responder, _ = pair(NAMES[2], Random(5))
    responder.read(initiator.write())
    answer = responder.write()
    keyless = Handshake(
        Protocol(NAMES[2]), initiator=True, prologue=b"chatnet", ephemeral=private(bytes([5]) * 32)
    )
    keyless.write()
    with pytest.raises(NoiseError):
        keyless.read(answer)


@pytest.mark.parametrize(
    "name",
    [
        "Noise_IK_25519_ChaChaPoly_SHA256",
        "Noise_XX_448_ChaChaPoly_SHA256",
        "Noise_XX_25519_ChaChaPoly_BLAKE2s",
        "Noise_XX_25519_Salsa_SHA256",
        "Noise_XXpsk9_25519_ChaChaPoly_SHA256",
        "Noise_XXfallback_25519_ChaChaPoly_SHA256",
        "Noise_XXpsk0+psk3_25519_ChaChaPoly_SHA256",
        "nonsense",
    ],
)
def test_other_protocols_are_refused(name: str) -> None:
    with pytest.raises(LocalProtocolError):
        Protocol(name)


def test_a_forged_ciphertext_does_not_advance_the_nonce() -> None:
    send, receive = CipherState("AESGCM", bytes(32)), CipherState("AESGCM", bytes(32))
    sealed = send.encrypt(b"one", b"ad")
    for wrong in (corrupted(sealed, 0), sealed[:5]):
        with pytest.raises(NoiseError):
            receive.decrypt(wrong, b"ad")
    with pytest.raises(NoiseError):
        receive.decrypt(sealed, b"other")
    assert receive.decrypt(sealed, b"ad") == b"one"
    assert receive.decrypt(send.encrypt(b"two")) == b"two"


def test_no_nonce_is_used_twice() -> None:
    send, receive = CipherState("ChaChaPoly", bytes(32)), CipherState("ChaChaPoly", bytes(32))
    sealed = [send.encrypt(b"same") for _ in range(4)]
    assert len(set(sealed)) == 4
    assert [receive.decrypt(one) for one in sealed] == [b"same"] * 4
