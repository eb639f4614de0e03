"""Web addresses in texts, and where they really lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_client.links import honest_host, links_in


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("http://wiki.example.org/Build_(nightly)", ["http://wiki.example.org/Build_(nightly)"]),
        ("(see http://a.example/x)", ["http://a.example/x"]),
        ("(http://a.example/b_(c)).", ["http://a.example/b_(c)"]),
        (
            "http://a.example/[1]], http://b.example/{x}}",
            ["http://a.example/[1]", "http://b.example/{x}"],
        ),
        ("http://[::1]:80/x", ["http://[::1]:80/x"]),
        ("HTTPS://A.example!?", ["HTTPS://A.example"]),
        ("**https://a.example/b_c_**", ["https://a.example/b_c"]),
        ("https://a.example/x?y=1&z=2#f...", ["https://a.example/x?y=1&z=2#f"]),
        ("https:// http://, https://)", []),
        ("https://@/x https://:80/", []),
        ("ftp://a.example javascript:alert(1) file:///etc/passwd www.a.example", []),
        ("https://a.example\\@b.example/x", ["https://a.example"]),
        ("https://a.example/\u202egpj.exe", ["https://a.example/"]),
    ],
)
def test_what_is_an_address(text: str, addresses: list[str]) -> None:
    found = links_in(text)
    assert [link.address for link in found] == addresses
    assert [text[link.start : link.start + link.length] for link in found] == addresses


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("example.org", "example.org"),
        ("EXAMPLE.org", "example.org"),
        ("b\u00fccher.de", "b\u00fccher.de"),
        ("\u0430pple.com", "xn--pple-43d.com"),
        ("\u0430\u0440\u0440\u04cf\u0435.com", "xn--80ak6aa92e.com"),
        ("\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444", "xn--e1afmkfd.xn--p1ai"),
        ("g\u03bfogle.com", "xn--gogle-rce.com"),
        ("\u0261oogle.com", "xn--oogle-qmc.com"),
        ("\u0131bm.com", "xn--bm-gpa.com"),
        ("\u4f8b\u3048.jp", "xn--r8jz45g.jp"),
        ("\u4f8b\u3048.\u30c6\u30b9\u30c8", "\u4f8b\u3048.\u30c6\u30b9\u30c8"),
        ("\uff45xample\u3002com", "example.com"),
        ("\u2488com.example", "1.com.example"),
        ("a\U0001f600.example", "xn--a-jv3s.example"),
        ("%61pple%2ecom", "apple.com"),
        ("%D0%B0pple.com", "xn--pple-43d.com"),
        ("a\u2100.example", "xn--a-qun.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
    ],
)
def test_a_host_is_shown_as_it_leads(host: str, shown: str) -> None:
    assert honest_host(host) == shown


@pytest.mark.parametrize(
    ("address", "host", "honest", "plain"),
    [
        ("https://a.example/x", "a.example", "https://a.example/x", True),
        ("https://a.example:8080", "a.example", "https://a.example:8080", True),
        (
            "https://\u0430pple.com/x?\u0430",
            "xn--pple-43d.com",
            "https://xn--pple-43d.com/x?\u0430",
            False,
        ),
        (
            "https://apple.com@evil.example/x",
            "evil.example",
            "https://apple.com@evil.example/x",
            False,
        ),
        (
            "https://apple.com:x@evil.example:1/",
            "evil.example",
            "https://apple.com:x@evil.example:1/",
            False,
        ),
        ("http://[::1]:80/", "[::1]", "http://[::1]:80/", True),
    ],
)
def test_an_address_says_where_it_leads(address: str, host: str, honest: str, plain: bool) -> None:
    (link,) = links_in(f"({address})")
    assert (link.address, link.host, link.honest, link.is_plain) == (address, host, honest, plain)


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    for link in links_in(f"{text} https://{text} https://a.example/{text}"):
        assert link.host
        assert link.honest
        assert honest_host(link.host) == link.host or not link.host.isascii()
