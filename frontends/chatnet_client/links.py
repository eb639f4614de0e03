"""Web addresses in a text, and where each of them really leads. Pure.

A host name may be written with letters that look like others (U+0430 for a). It is shown in its
ASCII form (RFC 3490, `xn--...`) unless all of it is of one script whose letters are not taken for
ASCII ones. Nothing here trusts the text: it may be a peer's.
"""

import re
import unicodedata

from msgspec import Struct

_LINK = re.compile(
    r"https?://[^\s<>\"'\\`\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd]+", re.I
)
_AUTHORITY = re.compile(r"(https?://)([^/?#]*)(.*)", re.I | re.S)
_TRAILING = ".,;:!?…*_"
"""Ends of a sentence or of emphasis, not of an address."""
_PAIRS = {")": "(", "]": "[", "}": "{"}
_DOTS = re.compile("[.\u3002\uff0e\uff61]")
"""What separates the labels of a host name (RFC 3490, section 3.1)."""
_WRITTEN_TOGETHER = (
    frozenset({"CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"CJK", "HANGUL"}),
    frozenset({"CJK", "BOPOMOFO"}),
)
"""Scripts of one language."""
_LOOKALIKE_SCRIPTS = frozenset({"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"})
"""Whole words of these can look like ASCII ones."""
MAX_PLAIN_HOST = 60
"""The end of a longer one, which says whose it is, may be cut off on screen."""
_DELIMITERS = re.compile(r"[/?#@:%\[\]\\\s]")
MAX_LABEL_CHARACTERS = 63


class Link(Struct, frozen=True):
    """One web address in a text."""

    start: int
    length: int
    address: str
    """As it is written."""

    @property
    def host(self) -> str:
        """The host that is meant, without user name and port; see `honest_host`."""
        return honest_host(_split(self.address)[2])

    @property
    def honest(self) -> str:
        """The address with its host as `honest_host` shows it."""
        scheme, user, host, port, rest = _split(self.address)
        return f"{scheme}{user}{honest_host(host)}{port}{rest}"

    @property
    def is_plain(self) -> bool:
        """Whether it leads where a reader would think: nothing in it is easily taken for another
        host."""
        _scheme, user, host, _port, _rest = _split(self.address)
        return not user and honest_host(host) == host.lower() and len(host) <= MAX_PLAIN_HOST


def links_in(text: str) -> list[Link]:
    """Web addresses in the order in which they stand; nothing but http and https is one."""
    found = []
    for match in _LINK.finditer(text):
        address = _without_trailing(match.group())
        if _split(address)[2]:
            found.append(Link(match.start(), len(address), address))
    return found


def link_of(address: str) -> Link:
    """An address that `links_in` found."""
    return Link(0, len(address), address)


def honest_host(host: str) -> str:
    """`host` so that it cannot be taken for another: its ASCII form where letters of several
    scripts, or ones that look like ASCII, are in it."""
    if host.isascii() and "%" not in host:
        return host.lower()
    from urllib.parse import unquote  # few texts have a link, fewer one like this

    name = ".".join(map(_normal_label, _DOTS.split(unquote(host))))
    return name if _is_clear(name) else ".".join(map(_ascii_label, name.split(".")))


def _without_trailing(address: str) -> str:
    """Without the punctuation around it: a closing bracket belongs to the address if it closes
    one inside it."""
    while address:
        last = address[-1]
        if last in _PAIRS:
            if address.count(last) <= address.count(_PAIRS[last]):
                break
        elif last not in _TRAILING:
            break
        address = address[:-1]
    return address


def _split(address: str) -> tuple[str, str, str, str, str]:
    """(scheme with ://, user with @, host, port with :, the rest)."""
    match = _AUTHORITY.match(address)
    if match is None:
        return "", "", "", "", address
    scheme, authority, rest = match[1], match[2], match[3]
    user, at, place = authority.rpartition("@")
    port = re.search(r":[0-9]*$", place)
    host = place[: port.start()] if port else place
    return scheme, user + at, host, port.group() if port else "", rest


def _normal_label(label: str) -> str:
    """As a browser looks it up (RFC 3491), unless that would make other parts of an address."""
    normal = unicodedata.normalize("NFKC", label).lower()
    return label.lower() if _DELIMITERS.search(normal) else normal


def _is_clear(name: str) -> bool:
    scripts = set()
    for character in name:
        if character in "-._" or (character.isascii() and character.isdigit()):
            continue
        if not (character.isalpha() or unicodedata.category(character) in ("Mn", "Mc")):
            return False
        script = _script(character)
        if script == "LATIN" and ord(character) > 0x17F:
            return False  # the letters of phonetics and the like: ɑ, ɡ
        if script == "LATIN" and character in "ıſ":
            return False
        scripts.add(script)
    if scripts & _LOOKALIKE_SCRIPTS:
        return False
    scripts.discard("COMBINING")
    return len(scripts) <= 1 or any(scripts <= together for together in _WRITTEN_TOGETHER)


def _script(character: str) -> str:
    """The first word of its name: LATIN, CYRILLIC, CJK ..."""
    return unicodedata.name(character, "?").partition(" ")[0].partition("-")[0]


def _ascii_label(label: str) -> str:
    if label.isascii():
        return label
    try:
        encoded = label.encode("punycode").decode("ascii")
        return f"xn--{encoded[:MAX_LABEL_CHARACTERS]}"
    except UnicodeError:
        return "?"
