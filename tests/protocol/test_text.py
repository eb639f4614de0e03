"""What a message may hold, and what becomes of everything else."""

import re
import unicodedata

import pytest

from chatnet_protocol.text import UNSEEN, Policy, harmless, is_text, typed_text, valid_text


@pytest.mark.parametrize(
    ("text", "valid"),
    [("", True), ("\u00fc \U0001f600\0", True), ("a\udcffb", False), ("\ud83d", False)],
)
def test_text_is_what_utf_8_can_carry(text: str, valid: bool) -> None:
    assert is_text(text) is valid


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("gr\u00fc\u00dfe \U0001f600\0", "gr\u00fc\u00dfe \U0001f600\0"),
        ("a\udcfcb", "a\ufffdb"),
        ("half \ud83d", "half \ufffd"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("two halves \ud83d\ude00", "two halves \U0001f600"),
    ],
)
def test_any_string_is_made_valid(given: str, made: str) -> None:
    assert valid_text(given) == made
    assert is_text(made)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("one\r\ntwo\rthree\n\tfour", "one\ntwo\nthree\n\tfour"),
        ("\x1b[31mred\x07\x00\x7f\x9b", "[31mred"),
        ("family \U0001f468\u200d\U0001f469 \udc80", "family \U0001f468\u200d\U0001f469 \ufffd"),
    ],
)
def test_typed_text_has_no_control_characters(given: str, made: str) -> None:
    assert typed_text(given) == made


UNSEEN_ALONE = (
    "\u00ad\u034f\u115f\u180e\u200b\u200c\u200d\u2060\u2061\u2064\u206a\u3164\ufe0f\ufeff\uffa0"
    "\U0001d173\U000e0001\U000e0041\U000e007f\U000e0100"
)
KEPT = {
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "heart on fire": "\u2764\ufe0f\u200d\U0001f525",
    "keycap": "1\ufe0f\u20e3 #\ufe0f\u20e3",
    "flag of Scotland": "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "Persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "Hindi": "\u0915\u094d\u200d\u0937",
    "ideographic variant": "\u8fbb\U000e0101",
}


def hidden(text: str) -> list[str]:
    """What UNSEEN finds to make visible."""
    return [found.group() for found in re.finditer(UNSEEN, text) if not found.group(1)]


@pytest.mark.parametrize("character", UNSEEN_ALONE, ids=lambda one: f"{ord(one):04x}")
@pytest.mark.parametrize("around", ["pay{}pal", "{}", "{} a", "a {}", "a{}\n"])
def test_a_zero_width_character_is_found(character: str, around: str) -> None:
    assert hidden(around.format(character)) == [character]


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
def test_joiners_selectors_and_tags_where_they_belong_are_kept(text: str) -> None:
    assert hidden(f"a {text} b") == []


@pytest.mark.parametrize(
    "text",
    ["\u0645\u200c\u200c\u0645", "\U0001f468\u200d\u200d\U0001f469", "\u2764\ufe0f\ufe0f",
     "\U0001f3f4\U000e0067", "\U0001f468\U000e0067\U000e007f"],
)  # fmt: skip
def test_one_too_many_or_without_its_end_is_found(text: str) -> None:
    assert hidden(text)


def test_every_format_character_is_found_or_steers_the_direction() -> None:
    """The ones of direction and line have rules of their own."""
    steering = {0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)}
    drawn = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    notes = {*range(0xFFF9, 0xFFFC), *range(0x13430, 0x13440)}  # between letters, or controls
    every = {code for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf"}
    assert {code for code in every if not hidden(f"a{chr(code)}b")} <= steering | drawn | notes


HOSTILE = "a\nb\tc\r\x1b[2J\x9b\u202ed\u200be\u2028\ufff9\ufffe\ud800"
"""A line, a tab, controls, a turned direction, a hidden character, a separator, no characters."""


@pytest.mark.parametrize(
    ("policy", "line", "shown"),
    [
        (
            Policy.TERMINAL,
            False,
            "a\nb\tc\\x0d\\x1b[2J\\x9b\\u202ed\\u200be\\u2028\\ufff9\\ufffe\\ud800",
        ),
        (
            Policy.TERMINAL,
            True,
            "a\\x0ab\\x09c\\x0d\\x1b[2J\\x9b\\u202ed\\u200be\\u2028\\ufff9\\ufffe\\ud800",
        ),
        (Policy.SCREEN, False, "a\nb\tc\n[2J\u202ed\ufffde\u2028"),
        (Policy.SCREEN, True, "a b c[2J\ufffdd\ufffde "),
    ],
)
def test_what_others_wrote_is_made_harmless(policy: Policy, line: bool, shown: str) -> None:
    assert harmless(HOSTILE, policy, line=line) == shown


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("line", [False, True])
def test_harmless_text_stays_as_it_is(policy: Policy, line: bool) -> None:
    kept = "Grüße, 日本 \U0001f468\u200d\U0001f469 \U0001f3f4\U000e0067\U000e0062\U000e007f \ufffd"
    assert harmless(kept, policy, line=line) == kept
    assert harmless(harmless(HOSTILE, policy, line=line), policy, line=line) == harmless(
        HOSTILE, policy, line=line
    )
