"""What may be told as a string."""

import pytest

from chatnet_protocol.text import is_text


@pytest.mark.parametrize(
    ("text", "told"),
    [("", True), ("\u00fc \U0001f600\0", True), ("a\udcffb", False), ("\ud83d", False)],
)
def test_text_is_what_utf_8_can_carry(text: str, told: bool) -> None:
    assert is_text(text) is told
