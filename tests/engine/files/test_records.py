"""Sealed records: what is changed, moved, left out or too long never comes out."""

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from chatnet_engine.files import records
from chatnet_engine.files.records import Opener, Sealer, nonce_packer
from chatnet_protocol.errors import DecodeError, LocalProtocolError
from chatnet_protocol.limits import FILE_RECORD_BYTES
from chatnet_protocol.wire.file_records import MAX_SEALED_BYTES, RecordType

KEY = bytes(range(32))
BODIES = [b"first", b"", b"x" * FILE_RECORD_BYTES, b"last"]


def sealer(cipher: str = "ChaChaPoly") -> Sealer:
    make = ChaCha20Poly1305 if cipher == "ChaChaPoly" else AESGCM
    return Sealer(make(KEY), nonce_packer(cipher))


def opener(cipher: str = "ChaChaPoly") -> Opener:
    make = ChaCha20Poly1305 if cipher == "ChaChaPoly" else AESGCM
    return Opener(make(KEY), nonce_packer(cipher), InvalidTag)


def sealed() -> list[bytes]:
    one = sealer()
    return [one.seal(RecordType.DATA, body) for body in BODIES]


def open_all(data: bytes, one: Opener | None = None) -> list[tuple[int, bytes]]:
    one = one or opener()
    out: list[tuple[int, bytes]] = []
    view = memoryview(data)
    while True:
        used, got = one.open_from(view)
        out += [(kind, bytes(body)) for kind, body in got]
        view = view[used:]
        if not got:
            return out


@pytest.mark.parametrize("cipher", ["ChaChaPoly", "AESGCM"])
def test_what_is_sealed_comes_out(cipher: str) -> None:
    one = sealer(cipher)
    data = b"".join(one.seal(RecordType.DATA, body) for body in BODIES)
    assert open_all(data, opener(cipher)) == [(RecordType.DATA, body) for body in BODIES]


def test_nonces_are_those_of_noise() -> None:
    assert nonce_packer("ChaChaPoly")(1) == bytes(4) + b"\1" + bytes(7)
    assert nonce_packer("AESGCM")(1) == bytes(11) + b"\1"


@given(st.lists(st.integers(1, 200), max_size=20))
def test_records_come_out_however_the_stream_is_cut(cuts: list[int]) -> None:
    data = b"".join(sealed()[:2])
    one, rest, got = opener(), b"", []
    for cut in [*cuts, len(data)]:
        rest, data = rest + data[:cut], data[cut:]
        used, some = one.open_from(memoryview(rest))
        got += [bytes(body) for _, body in some]
        rest = rest[used:]
    assert got == BODIES[:2]


def test_a_part_of_a_record_is_nothing_yet() -> None:
    data = sealed()[0]
    for length in range(len(data)):
        assert opener().open_from(memoryview(data[:length])) == (0, [])


def test_any_changed_bit_is_refused() -> None:
    data = sealed()[0]
    for at in range(4, len(data)):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises(DecodeError):
            open_all(bytes(changed))


@pytest.mark.parametrize("order", [[1], [0, 0], [0, 2], [1, 0]])
def test_records_left_out_repeated_or_swapped_are_refused(order: list[int]) -> None:
    data = sealed()
    with pytest.raises(DecodeError):
        open_all(b"".join(data[index] for index in order))


@pytest.mark.parametrize("size", [0, 16, MAX_SEALED_BYTES + 1, 2**32 - 1])
def test_impossible_lengths_are_refused_before_the_bytes_come(size: int) -> None:
    with pytest.raises(DecodeError):
        opener().open_from(memoryview(size.to_bytes(4, "big")))


def test_nothing_follows_the_last_record() -> None:
    one, reader = sealer(), opener()
    assert open_all(one.seal(RecordType.END), reader) == [(RecordType.END, b"")]
    assert reader.ended
    with pytest.raises(DecodeError):
        open_all(one.seal(RecordType.DATA, b"more"), reader)


def test_unknown_types_are_refused() -> None:
    one = sealer()
    out = memoryview(bytearray(100))
    end = one.seal_into(memoryview(b"\x63body"), out)
    with pytest.raises(DecodeError):
        open_all(bytes(out[:end]))


def test_a_key_seals_only_so_many_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_RECORDS", 2)
    one, reader = sealer(), opener()
    data = one.seal(RecordType.DATA) + one.seal(RecordType.DATA)
    with pytest.raises(LocalProtocolError):
        one.seal(RecordType.DATA)
    assert len(open_all(data, reader)) == 2
    with pytest.raises(DecodeError):
        open_all(data, reader)


def test_too_long_records_are_not_sealed() -> None:
    with pytest.raises(LocalProtocolError):
        sealer().seal(RecordType.DATA, bytes(FILE_RECORD_BYTES + 1))
