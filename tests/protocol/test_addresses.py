"""Addresses as text: what is printed is taken, and what is no address is refused in a sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_protocol.addresses import parse_address, parse_host, show_address, split_address
from chatnet_protocol.errors import CommandError, ErrorCode

LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
ZONES = st.from_regex(r"[a-z0-9]{1,15}", fullmatch=True)
LINK_LOCAL = st.builds("{}%{}".format, st.ip_addresses(network="fe80::/64").map(str), ZONES)
HOSTS = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(network="2000::/3").map(str),
    st.sampled_from(["::1", "::", "bücher.example", "a.example."]),
    LINK_LOCAL,
    st.lists(LABELS, min_size=1, max_size=4).map(".".join),
)
PORTS = st.integers(1, 65535)


@given(HOSTS, PORTS)
def test_every_address_that_is_printed_is_taken(host: str, port: int) -> None:
    printed = show_address(host, port)
    assert parse_address(printed) == parse_address(f" {printed} ") == (host, port)
    assert split_address(printed) is not None
    assert parse_host(host) == host


@given(st.one_of(st.text(max_size=40), st.from_regex(r"[0-9a-fx.:%\[\] /]{0,40}", fullmatch=True)))
def test_any_text_is_an_address_in_one_form_or_refused_in_a_sentence(text: str) -> None:
    refused: CommandError | None = None
    try:
        host, port = parse_address(text)
    except CommandError as error:
        refused = error
    else:
        assert parse_address(show_address(host, port)) == (host, port)
    assert refused is None or (refused.code is ErrorCode.INVALID and refused.detail.endswith("."))


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        ("[::1]", "::1"),
        (" ::1 ", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("[fe80::1%2]", "fe80::1%2"),
        ("192.0.2.1", "192.0.2.1"),
        ("a.example", "a.example"),
        ("10.0.0.7.example", "10.0.0.7.example"),
        ("3com", "3com"),
    ],
)
def test_a_typed_host_has_one_form(typed: str, host: str) -> None:
    assert parse_host(typed) == host


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("10.0.0.300", "no IPv4 address"),
        ("10.1", "no IPv4 address"),
        ("5000", "no IPv4 address"),
        ("0x7f000001", "no IPv4 address"),
        ("a.1", "no IPv4 address"),
        ("::g", "no IPv6 address"),
        ("::1:5000:", "no IPv6 address"),
        ("10.0.0.7:5001", "has a port behind it"),
        ("[::1]:5001", "has a port behind it"),
        ("fe80::1", "by which interface"),
        ("fe80::1%", "no IPv6 address"),
        ("fe80::1%a b", "no network interface"),
        ("", "no host name"),
        ("[]", "no host name"),
        ("[host]", "no host name"),
        ("a b", "no host name"),
        ("a\0", "no host name"),
        ("user@host", "no host name"),
        ("udp://host", "no IPv6 address"),
        ("host/24", "no host name"),
        ("h" * 254, "at most 253 characters"),
    ],
)
def test_what_no_lookup_could_find_is_refused(typed: str, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        parse_host(typed)


@pytest.mark.parametrize(
    "typed", ["host", "::1", "[::1]", "host:", "host:x", "host:0", "host:65536", ":1", "host:٣"]
)
def test_an_address_has_a_host_and_a_port(typed: str) -> None:
    with pytest.raises(CommandError, match=r"\.$"):
        parse_address(typed)
