import pytest

from chatnet_engine.secure.identity import (
    Identity,
    checked_key_text,
    decode_private_key,
    encode_private_key,
    parse_checked_key,
    parse_public_key,
    public_key_text,
)
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ids import fingerprint

ALICE = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2d7f9d1d1f0b0c0d0e0f10111213")


def test_the_same_bytes_give_the_same_key() -> None:
    one, two = Identity.from_private_bytes(ALICE), Identity.from_private_bytes(ALICE)
    assert one.public == two.public
    assert len(one.public) == 32


@pytest.mark.parametrize("size", [0, 31, 33])
def test_other_lengths_are_refused(size: int) -> None:
    with pytest.raises(DecodeError, match=r"^an identity key has 32 bytes$"):
        Identity.from_private_bytes(bytes(size))


def test_repr_shows_the_fingerprint_and_no_secret() -> None:
    identity = Identity.from_private_bytes(ALICE)
    assert repr(identity) == f"Identity({fingerprint(identity.public)})"
    assert ALICE.hex() not in repr(identity)


def test_public_keys_survive_their_text_form() -> None:
    public = Identity.from_private_bytes(ALICE).public
    text = public_key_text(public)
    assert len(text) == 52
    assert parse_public_key(text) == parse_public_key(text.upper()) == public


@pytest.mark.parametrize("text", ["", "a" * 51, "a" * 53, "a" * 51 + "b", "1" * 52, "ä" * 52])
def test_damaged_public_keys_are_refused(text: str) -> None:
    with pytest.raises(DecodeError, match=r"^a public key has 52 base-32 characters$"):
        parse_public_key(text)


def test_a_private_key_on_disk_carries_its_check() -> None:
    data = encode_private_key(ALICE)
    assert len(data) == 40
    assert decode_private_key(data) == (ALICE, True)
    assert decode_private_key(ALICE) == (ALICE, False), "as it was before there was a check"
    for bit in range(8 * len(data)):
        spoiled = bytearray(data)
        spoiled[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DecodeError):
            decode_private_key(bytes(spoiled))


@pytest.mark.parametrize("size", [0, 1, 31, 33, 39, 41])
def test_a_cut_private_key_is_refused(size: int) -> None:
    with pytest.raises(DecodeError):
        decode_private_key((encode_private_key(ALICE) + b"x")[:size])


def test_a_public_key_in_known_peers_carries_its_check() -> None:
    public = Identity.from_private_bytes(ALICE).public
    text = checked_key_text(public)
    assert len(text) == 59
    assert parse_checked_key(text) == parse_checked_key(text.upper()) == public
    assert parse_checked_key(public_key_text(public)) == public
    data = text.encode()
    for bit in range(8 * len(data)):
        spoiled = bytearray(data)
        spoiled[bit // 8] ^= 1 << bit % 8
        try:
            found = parse_checked_key(spoiled.decode("latin-1"))
        except DecodeError:
            continue
        assert found == public, "upper case is the same key"
    with pytest.raises(DecodeError):
        parse_checked_key(text[:-1])
