import json
from pathlib import Path
from typing import Any

import pytest

from chatnet_engine.secure.admission import mac1, mac1_key
from chatnet_engine.secure.handshake import (
    MAX_COOKIES,
    MAX_RESP_ADDRS,
    AuthenticatedHandshake,
    HalfOpen,
    Initiation,
)
from chatnet_engine.secure.identity import Identity
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.wire import datagrams
from chatnet_protocol.wire.datagrams import LinkIdentity

ROOT = Path(__file__).parents[3]
VECTORS = json.loads((ROOT / "protocol/vectors/datagrams.json").read_text())["handshakes"]
HERE, THERE = ("10.0.0.1", 1), ("10.0.0.2", 2)
ALICE = Identity.from_private_bytes(bytes([1]) * 32)
BOB = Identity.from_private_bytes(bytes([2]) * 32)
PSK = bytes([7]) * 32


def initiation(psk: bytes | None = None, index: int = 5) -> Initiation:
    return Initiation(
        peer=1, identity=ALICE, index=index, ephemeral=bytes([3]) * 32, psk=psk, now=0.0
    )


def half_open(attempt: Initiation, index: int = 9) -> HalfOpen:
    init = datagrams.encode_init(attempt.covered(THERE), bytes(16))
    return HalfOpen(
        init=datagrams.decode_init(init),
        addr=HERE,
        identity=BOB,
        own=LinkIdentity(incarnation=2**64 - 1, port=65535, index=index),
        ephemeral=bytes([4]) * 32,
        known=False,
        now=0.0,
    )


def finished(attempt: Initiation, answerer: HalfOpen) -> AuthenticatedHandshake:
    proof = attempt.read_resp(datagrams.decode_resp(answerer.resp), THERE)
    proof.finish(attempt.mode, LinkIdentity(incarnation=77, port=1234))
    return proof


def with_change(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["pattern"])
def test_golden_handshake(vector: dict[str, Any]) -> None:
    """Every byte of a handshake from fixed keys: what another implementation must produce."""
    ours, theirs = vector["initiator"], vector["responder"]
    psk = None if vector["psk"] is None else bytes.fromhex(vector["psk"])
    alice = Identity.from_private_bytes(bytes.fromhex(ours["static_private"]))
    bob = Identity.from_private_bytes(bytes.fromhex(theirs["static_private"]))
    attempt = Initiation(
        peer=1,
        identity=alice,
        index=ours["index"],
        ephemeral=bytes.fromhex(ours["ephemeral_private"]),
        psk=psk,
        now=0.0,
    )
    key = mac1_key(bob.public if psk else None)
    assert key.hex() == vector["mac1_key"]
    covered = attempt.covered(THERE)
    init = datagrams.encode_init(covered, mac1(key, covered))
    assert init.hex() == vector["init"]
    assert datagrams.prologue(vector["mode"], ours["index"]).hex() == vector["prologue"]
    answerer = HalfOpen(
        init=datagrams.decode_init(init),
        addr=HERE,
        identity=bob,
        own=LinkIdentity(int(theirs["incarnation"], 16), theirs["port"], theirs["index"]),
        ephemeral=bytes.fromhex(theirs["ephemeral_private"]),
        known=True,
        now=0.0,
    )
    assert answerer.resp.hex() == vector["resp"]
    proof = attempt.read_resp(datagrams.decode_resp(answerer.resp), THERE)
    assert proof.key == bob.public
    assert proof.identity == LinkIdentity(
        int(theirs["incarnation"], 16), theirs["port"], theirs["index"]
    )
    proof.finish(attempt.mode, LinkIdentity(int(ours["incarnation"], 16), ours["port"]))
    assert proof.fin.hex() == vector["fin"]
    invites = {} if psk is None else {4: psk}
    answer = answerer.read_fin(datagrams.decode_fin(proof.fin), proof.fin, HERE, invites)
    assert answer.key == alice.public
    assert answer.invite == (None if psk is None else 4)
    sender, receiver = proof.session(1, 0.0), answer.session(1, 0.0)
    assert sender.hash.hex() == receiver.hash.hex() == vector["handshake_hash"]
    assert sender.link == receiver.link[::-1]
    data = vector["data"]
    sealed = sender.seal(int(data["number"], 16), bytes.fromhex(data["payload"]))
    assert sealed.hex() == data["datagram"]
    assert receiver.open(sealed) == bytes.fromhex(data["payload"])
    confirm = receiver.seal_control(datagrams.CONFIRM_NUMBER, b"")
    assert confirm.hex() == vector["confirm"]
    assert sender.open(confirm) == b""
    refuse = vector["refuse"]
    payload = bytes.fromhex(refuse["payload"])
    assert receiver.seal_control(datagrams.REFUSE_NUMBER, payload).hex() == refuse["datagram"]


@pytest.mark.parametrize("psk", [None, PSK])
def test_a_forged_answer_changes_nothing(psk: bytes | None) -> None:
    attempt = initiation(psk)
    answerer = half_open(attempt)
    invites = {1: PSK}
    for at in range(8, len(answerer.resp), 7):
        with pytest.raises(DecodeError):
            attempt.read_resp(datagrams.decode_resp(with_change(answerer.resp, at)), THERE)
    proof = finished(attempt, answerer)
    for at in range(8, len(proof.fin), 7):
        forged = with_change(proof.fin, at)
        with pytest.raises(DecodeError):
            answerer.read_fin(datagrams.decode_fin(forged), forged, HERE, invites)
    answer = answerer.read_fin(datagrams.decode_fin(proof.fin), proof.fin, HERE, invites)
    assert answer.key == ALICE.public
    assert (answer.identity.incarnation, answer.identity.port) == (77, 1234)


@pytest.mark.parametrize("at", [2, 4, 5, 6, 7])
def test_mode_and_index_are_bound(at: int) -> None:
    """A RESP whose header was changed on the way does not authenticate, or finds nobody."""
    attempt = initiation()
    changed_init = with_change(datagrams.encode_init(attempt.covered(THERE), bytes(16)), at)
    try:
        answerer = HalfOpen(
            init=datagrams.decode_init(changed_init),
            addr=HERE,
            identity=BOB,
            own=LinkIdentity(1, 2, 3),
            ephemeral=bytes([4]) * 32,
            known=False,
            now=0.0,
        )
    except DecodeError:
        return
    with pytest.raises(DecodeError):
        attempt.read_resp(datagrams.decode_resp(answerer.resp), THERE)


def test_an_answer_of_another_mode_is_refused() -> None:
    plain, secret = initiation(), initiation(PSK)
    with pytest.raises(DecodeError):
        plain.read_resp(datagrams.decode_resp(half_open(secret).resp), THERE)
    answerer = half_open(plain)
    fin = finished(plain, answerer).fin
    changed = fin[:2] + b"\1" + fin[3:]
    with pytest.raises(DecodeError):
        answerer.read_fin(datagrams.decode_fin(changed), changed, HERE, {})


def test_the_sender_of_a_refused_invite_is_nobody() -> None:
    attempt = initiation(PSK)
    answerer = half_open(attempt)
    fin = finished(attempt, answerer).fin
    with pytest.raises(DecodeError, match="invite"):
        answerer.read_fin(datagrams.decode_fin(fin), fin, HERE, {1: bytes(32)})


def test_cookies_are_kept_by_address_and_bounded() -> None:
    attempt = initiation()
    assert attempt.take_cookie(THERE, bytes([1]) * 16)
    assert not attempt.take_cookie(THERE, bytes([1]) * 16)
    assert attempt.covered(THERE)[-16:] == bytes([1]) * 16
    assert attempt.covered(HERE)[-16:] == datagrams.NO_COOKIE
    taken = [attempt.take_cookie(THERE, bytes([n]) * 16) for n in range(2, 40)]
    assert taken.count(True) == MAX_COOKIES - 1


def test_one_init_is_answered_to_a_few_addresses() -> None:
    answerer = half_open(initiation())
    answered = [answerer.answers(("10.0.0.1", n), n) for n in range(1, 10)]
    assert answered == [True] * MAX_RESP_ADDRS + [False] * (9 - MAX_RESP_ADDRS)
    assert answerer.answered_at == MAX_RESP_ADDRS
    assert answerer.answers(HERE, 99.0)
    assert answerer.answered_at == 99.0
