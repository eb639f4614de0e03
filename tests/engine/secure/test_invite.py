import pytest

from chatnet_engine.secure.invite import invite_code, invite_psk, parse_invite
from chatnet_protocol.errors import DecodeError

SECRET = bytes(range(100, 110))


def test_a_code_reads_back_however_it_is_typed() -> None:
    code = invite_code(SECRET)
    assert code == "mrsw-mz3i-nfvg-w3dn"
    spaced = " " + code.upper().replace("-", " ") + "\n"
    assert parse_invite(code) == parse_invite(spaced) == SECRET


def test_digits_that_look_like_letters_are_those_letters() -> None:
    assert parse_invite("0001-1188-aaaa-aaaa") == parse_invite("oooi-iibb-aaaa-aaaa")


@pytest.mark.parametrize("text", ["", "abcd", "abcd-efgh-ijkl-mno9", "a" * 17, "ä" * 16])
def test_damaged_codes_are_refused_without_quoting_them(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_invite(text)
    assert str(caught.value) == "an invite code has 16 letters and digits (a-z, 2-7)"


def test_the_psk_is_stretched_and_depends_on_the_code() -> None:
    assert (
        invite_psk(SECRET).hex()
        == "8e14d5aaa21ab2b4080aa819b4c0f678df64a0ca0465aa1d514629270ee10843"
    )
    assert invite_psk(SECRET) != invite_psk(bytes(10))
