import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_protocol.errors import DecodeError
from chatnet_protocol.version import WIRE_VERSION
from chatnet_protocol.wire import datagrams
from chatnet_protocol.wire.datagrams import LinkIdentity, Mode

ROOT = Path(__file__).parents[3]
VECTORS = json.loads((ROOT / "protocol/vectors/datagrams.json").read_text())

indices = st.integers(0, 2**32 - 1)
modes = st.sampled_from(list(Mode))


def encode(vector: dict[str, Any]) -> bytes:
    index = vector["index"]
    if vector["type"] == "INIT":
        noise, cookie = bytes.fromhex(vector["noise"]), bytes.fromhex(vector["cookie"])
        covered = datagrams.init_covered(index, vector["mode"], noise, cookie)
        return datagrams.encode_init(covered, bytes.fromhex(vector["mac1"]))
    if vector["type"] == "RESP":
        return datagrams.encode_resp(index, vector["mode"], bytes.fromhex(vector["noise"]))
    if vector["type"] == "FIN":
        return datagrams.encode_fin(index, vector["mode"], bytes.fromhex(vector["noise"]))
    if vector["type"] == "COOKIE":
        return datagrams.encode_cookie(index, bytes.fromhex(vector["cookie"]))
    if vector["type"] == "VERSION":
        return datagrams.encode_version(index)
    return datagrams.DATA_HEADER.pack(datagrams.DATA, index, int(vector["number"], 16))


@pytest.mark.parametrize("vector", VECTORS["datagrams"], ids=lambda v: v["type"])
def test_golden_bytes(vector: dict[str, Any]) -> None:
    assert encode(vector).hex() == vector["hex"]
    assert datagrams.peek_index(bytes.fromhex(vector["hex"])) == vector["index"]


def test_golden_bytes_are_read_back() -> None:
    by_type = {v["type"]: (v, bytes.fromhex(v["hex"])) for v in VECTORS["datagrams"]}
    vector, data = by_type["INIT"]
    init = datagrams.decode_init(data)
    assert (init.index, init.mode, init.noise.hex()) == (
        vector["index"],
        vector["mode"],
        vector["noise"],
    )
    assert (init.cookie.hex(), init.mac1.hex()) == (vector["cookie"], vector["mac1"])
    assert init.covered == data[:72]
    assert init.ephemeral == init.noise[:32]
    for name, decode in (("RESP", datagrams.decode_resp), ("FIN", datagrams.decode_fin)):
        vector, data = by_type[name]
        answer = decode(data)
        assert (answer.index, answer.mode, answer.noise.hex()) == (
            vector["index"],
            vector["mode"],
            vector["noise"],
        )
    vector, data = by_type["COOKIE"]
    assert datagrams.decode_cookie(data).cookie.hex() == vector["cookie"]
    vector, data = by_type["DATA"]
    assert datagrams.DATA_HEADER.unpack_from(data) == (
        datagrams.DATA,
        vector["index"],
        int(vector["number"], 16),
    )
    assert datagrams.peek_version(by_type["VERSION"][1]) == by_type["VERSION"][0]["version"]


@pytest.mark.parametrize("vector", VECTORS["identities"], ids=lambda v: v["in"])
def test_golden_identities(vector: dict[str, Any]) -> None:
    identity = LinkIdentity(int(vector["incarnation"], 16), vector["port"], vector.get("index", 0))
    if vector["in"] == "RESP":
        data = datagrams.encode_resp_identity(identity)
        assert datagrams.decode_resp_identity(data + b"later fields") == identity
    else:
        data = datagrams.encode_fin_identity(identity)
        assert datagrams.decode_fin_identity(data + b"later fields") == identity
    assert data.hex() == vector["hex"]


@given(indices, st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16))
def test_init_round_trip(index: int, ephemeral: bytes, cookie: bytes) -> None:
    covered = datagrams.init_covered(index, Mode.XX, ephemeral, cookie)
    data = datagrams.encode_init(covered, bytes(16))
    assert len(data) == datagrams.MIN_INIT_BYTES
    init = datagrams.decode_init(data)
    assert (init.index, init.noise, init.cookie) == (index, ephemeral, cookie)


@given(indices, modes, st.binary(max_size=150))
def test_answers_round_trip(index: int, mode: Mode, noise: bytes) -> None:
    for encode_one, decode_one in (
        (datagrams.encode_resp, datagrams.decode_resp),
        (datagrams.encode_fin, datagrams.decode_fin),
    ):
        answer = decode_one(encode_one(index, mode, noise))
        assert (answer.index, answer.mode, answer.noise) == (index, mode, noise)


@given(st.binary(max_size=200))
def test_garbage_raises_only_decode_errors(data: bytes) -> None:
    for decode in (
        datagrams.decode_init,
        datagrams.decode_resp,
        datagrams.decode_fin,
        datagrams.decode_cookie,
        datagrams.decode_resp_identity,
        datagrams.decode_fin_identity,
    ):
        with suppress(DecodeError):
            decode(data)


COOKIE = datagrams.encode_cookie(1, bytes(16))
INIT = datagrams.encode_init(datagrams.init_covered(1, 0, bytes(32)), bytes(16))


@pytest.mark.parametrize(
    ("decode", "data"),
    [
        (datagrams.decode_init, INIT[:-1]),
        (datagrams.decode_init, INIT[:1] + bytes([WIRE_VERSION + 1]) + INIT[2:]),
        (datagrams.decode_init, INIT[:2] + b"\2" + INIT[3:]),
        (datagrams.decode_init, b"\2" + INIT[1:]),
        (datagrams.decode_resp, datagrams.encode_resp(1, 0, bytes(153))),
        (datagrams.decode_fin, datagrams.encode_fin(1, 0, bytes(153))),
        (datagrams.decode_fin, datagrams.encode_fin(1, 2, bytes(74))),
        (datagrams.decode_fin, datagrams.encode_resp(1, 0, bytes(74))),
        (datagrams.decode_cookie, COOKIE[:-1]),
        (datagrams.decode_cookie, COOKIE + b"\0"),
    ],
)
def test_wrong_datagrams_are_refused(decode: Any, data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


def test_a_longer_init_of_a_later_minor_padding_is_read() -> None:
    assert datagrams.decode_init(INIT + bytes(200)).index == 1


def test_the_prologue_binds_version_mode_and_index() -> None:
    assert datagrams.prologue(1, 0x01020304) == b"chatnet\x01\x01\x01\x00\x04\x03\x02\x01"
    assert datagrams.prologue(1, 5, version=2) != datagrams.prologue(1, 5, version=1)
