"""An invite as one line: what is shown is taken, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_client.invite_line import (
    MAX_NAME_BYTES,
    Contact,
    code_in,
    own_addresses,
    parse_contact,
    plain_name,
    show_invite,
)
from chatnet_protocol.errors import CommandError

CODE = "i4km-sdeu-76we-kcjv"
PLACES = (("192.168.1.17", 5000), ("2001:db8::7", 5000))


def test_a_line_is_what_was_put_in() -> None:
    contact = Contact(PLACES, CODE, "Alice / Ø")
    line = show_invite(contact)
    assert line == f"chatnet:1/{CODE}/192.168.1.17:5000,[2001:db8::7]:5000/Alice%20%2F%20%C3%98"
    assert parse_contact(line) == contact


def test_a_line_broken_by_a_mail_is_still_one() -> None:
    line = show_invite(Contact(PLACES, CODE, "Alice"))
    assert parse_contact(f"  {line[:30]}\n  {line[30:]} \n") == Contact(PLACES, CODE, "Alice")


def test_an_address_alone_is_a_contact_without_a_code() -> None:
    assert parse_contact(" 10.0.0.7:5001 ") == Contact((("10.0.0.7", 5001),))
    assert parse_contact("[::1]:5001") == Contact((("::1", 5001),))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Paste an invite"),
        ("10.0.0.7", "no address with a port"),
        ("10.0.0.300:5", "no IPv4 address"),
        ("10.0.0.3:99999", "A port is"),
        ("chatnet:2/x/10.0.0.7:1/A", "another version"),
        (f"chatnet:1/{CODE}", "incomplete"),
        ("chatnet:1//10.0.0.7:1/A", "incomplete"),
        (f"chatnet:1/{CODE}/10.0.0.7:1/Achatnet:1/{CODE}/10.0.0.7:1/A", "two invites"),
        ("x" * 5000, "too long"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(text: str, words: str) -> None:
    with pytest.raises(CommandError) as error:
        parse_contact(text)
    assert words in error.value.detail


@given(st.text(max_size=300))
def test_whatever_is_pasted_is_a_contact_or_a_sentence(text: str) -> None:
    for line in (text, f"chatnet:1/{CODE}/10.0.0.7:5001/{text}"):
        try:
            contact = parse_contact(line)
        except CommandError:
            continue
        assert contact.addresses
        assert len(contact.name.encode()) <= MAX_NAME_BYTES
        assert contact.name.isprintable()


def test_a_name_cannot_hide_anything() -> None:
    assert plain_name("A\u202elice\n\x1b[31m") == "A lice [31m"
    assert len(plain_name("\N{PARTY POPPER}" * 40).encode()) <= MAX_NAME_BYTES


def test_the_code_is_found_in_a_line_and_else_is_the_text() -> None:
    assert code_in(f"chatnet:1/{CODE}/10.0.0.7:1/A\n") == CODE
    assert code_in(f" {CODE} ") == CODE


def test_a_bound_address_is_the_own_one_and_else_there_is_one_all_the_same() -> None:
    assert own_addresses("10.0.0.7", 5000) == (("10.0.0.7", 5000),)
    found = own_addresses("0.0.0.0", 5000)
    assert found
    assert all(host and port == 5000 for host, port in found)
