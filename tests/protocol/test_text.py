"""What a message may hold, and what becomes of everything else."""

import pytest

from chatnet_protocol.text import is_text, typed_text, valid_text


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
