import pytest

from chatnet_engine.secure.identity import (
    Identity,
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
