"""Words stay whole at the edge of the screen."""

from prompt_toolkit.utils import get_cwidth

from chatnet_cli.wrapping import wrap

TAIL = "[ACK 3214 · 127.0.0.1:31002]"


def test_words_stay_whole_and_no_line_is_too_long() -> None:
    text = "17:12:03 bob: " + "the quick brown fox jumps over the lazy dog " * 12
    for width in (20, 33, 80, 200):
        lines = wrap(text, TAIL, width).split("\n")
        for line in lines:
            assert len(line) <= max(width, 4 + len(TAIL))
        assert " ".join(" ".join(lines).split()) == " ".join(f"{text}{TAIL}".split())


def test_what_fits_is_left_alone() -> None:
    assert wrap("12:00:00 bob: hello", "[ACK 1 · ::1]", 80) == "12:00:00 bob: hello  [ACK 1 · ::1]"
    assert wrap("a  b", "", 4) == "a  b"
    assert wrap("", "", 80) == ""


def test_the_tail_stays_in_one_piece_below() -> None:
    assert wrap("x" * 40, TAIL, 66) == "x" * 40 + f"\n    {TAIL}"
    assert wrap("x" * 36, TAIL, 66) == "x" * 36 + f"  {TAIL}"


def test_lines_of_a_text_are_broken_each() -> None:
    assert wrap("one two\n    three four", "", 9) == "one two\n    three\n    four"


def test_a_word_longer_than_a_line_is_left_to_the_terminal() -> None:
    url = "https://example.org/" + "x" * 30
    assert wrap(f"see {url} now", "", 20) == f"see {url} now"
    assert wrap(f"see {url}xxxx now", "", 20) == f"see {url}xxxx\n    now"


def test_wide_characters_take_two_columns() -> None:
    assert wrap("ab 你好 你好", "", 10, get_cwidth) == "ab 你好\n    你好"
