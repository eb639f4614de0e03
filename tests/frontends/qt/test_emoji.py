"""Emoji by name: what is found, completed while one writes, and picked."""

import pytest

from chatnet_qt.emoji_completion import begun
from chatnet_qt.emoji_names import all_emoji, find_emoji, named
from chatnet_qt.message_text import emoji_in
from chatnet_qt.qt import QEvent, QKeyEvent, Qt, present
from qtworld import MakeStage, Stage, peer_view, session_view

SMILE = "\N{SMILING FACE WITH OPEN MOUTH AND SMILING EYES}"


def test_every_emoji_has_a_name_and_one_skin() -> None:
    every = all_emoji()
    assert 1000 < len(every) < 3000
    assert len({emoji.text for emoji in every}) == len(every)
    assert all(emoji.names and emoji.words for emoji in every)
    assert every[0].text == "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("words", "first"),
    [("smile", SMILE), ("thumbs up", "\N{THUMBS UP SIGN}"), ("thumbsup", "\N{THUMBS UP SIGN}"),
     ("TADA", "\N{PARTY POPPER}"), ("pizz", "\N{SLICE OF PIZZA}")],
)  # fmt: skip
def test_what_people_type_finds_it(words: str, first: str) -> None:
    assert find_emoji(words)[0].text == first


def test_what_nothing_is_called_finds_nothing() -> None:
    assert find_emoji("qqxqq") == []
    assert named("qqxqq") is None


@pytest.mark.parametrize(
    ("before", "name"),
    [("hi :smi", "smi"), (":sm", "sm"), ("(:heart", "heart"), ("10:30", None), ("::1", None),
     ("at 10:30:45", None), ("http://x", None), (":s", None), ("std::vec", None), (": smi", None)],
)  # fmt: skip
def test_a_name_begins_with_a_word_not_with_a_time_or_an_address(
    before: str, name: str | None
) -> None:
    found = begun(before)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("text", "parts"),
    [("plain", []), ("a \N{PARTY POPPER} b", ["\N{PARTY POPPER}"]), ("1 \u2192 2, 10 \u00a9", []),
     ("\u2764\ufe0f!", ["\u2764\ufe0f"]), ("\U0001f1e9\U0001f1ea.", ["\U0001f1e9\U0001f1ea"])],
)  # fmt: skip
def test_emoji_among_words_are_pictures_and_signs_are_letters(text: str, parts: list[str]) -> None:
    assert [text[at : at + length] for at, length in emoji_in(text)] == parts


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    return make_stage(session_view(peer_view()))


def press(stage: Stage, key: int, text: str = "") -> None:
    box = stage.pane.composer.box
    for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
        stage.app.sendEvent(box, QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier, text))


def type_in(stage: Stage, text: str) -> None:
    for letter in text:
        press(stage, 0, letter)


def test_enter_takes_what_is_offered_and_does_not_send(stage: Stage) -> None:
    type_in(stage, "well :smil")
    assert stage.pane.composer.completion.is_open
    press(stage, Qt.Key.Key_Return)
    assert stage.pane.composer.box.toPlainText().startswith("well ")
    assert ":" not in stage.pane.composer.box.toPlainText()
    assert not stage.pane.composer.completion.is_open


def test_arrows_choose_and_esc_leaves_the_text(stage: Stage) -> None:
    type_in(stage, ":heart")
    completion = stage.pane.composer.completion
    second = completion.model.at(1)
    press(stage, Qt.Key.Key_Down)
    press(stage, Qt.Key.Key_Tab)
    assert stage.pane.composer.box.toPlainText() == present(second).text
    type_in(stage, " :heart")
    press(stage, Qt.Key.Key_Escape)
    assert not completion.is_open
    assert stage.pane.composer.box.toPlainText().endswith(" :heart")


def test_a_whole_name_between_colons_becomes_the_emoji(stage: Stage) -> None:
    type_in(stage, ":smile:")
    assert stage.pane.composer.box.toPlainText() == SMILE


def test_the_picker_writes_where_the_cursor_is_and_remembers(stage: Stage) -> None:
    type_in(stage, "ab")
    box, picker = stage.pane.composer.box, stage.window.emoji
    box.moveCursor(box.textCursor().Left)
    stage.pane.composer.choose_emoji()
    picker.box.setText("tada")
    picker.box.returnPressed.emit()
    assert box.toPlainText() == "a\N{PARTY POPPER}b"
    assert not picker.isVisible()
    stage.pane.composer.choose_emoji()
    assert present(picker.model.at(0)).text == "\N{PARTY POPPER}"
    picker.hide()
