"""How messages are laid out and drawn: hostile text as text, everything inside its bubble."""

from typing import Any

import msgspec
import pytest

from chatnet_client.mirror import Progress
from chatnet_protocol.ipc.reasons import Reason, TransferReason, UpdateReason
from chatnet_protocol.ipc.rows import Differences, MessageKind, MessageRow, TransferState
from chatnet_qt.bubble import Bubble, offer_of, spoken
from chatnet_qt.bubble_actions import (
    ACTION_WORDS,
    LOUD,
    SHOW_ALL,
    actions_of,
    more_actions_of,
)
from chatnet_qt.bubble_layout import Numbers, failed_words, meta_words, wrapping
from chatnet_qt.bubble_painter import BubblePainter, Looks
from chatnet_qt.card_layout import place, state_words
from chatnet_qt.file_names import name_of
from chatnet_qt.icons import draw_tick
from chatnet_qt.qt import QApplication, QColor, QFontMetricsF, QImage, QPainter, QRectF, QTextLayout
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import Measures, measures_of, scaled
from qtworld import NOW_MS, offer_row, text_row, transfer_row
from screens.faults import wrong_parts


def bubble_of(row: MessageRow, state: str = "unread", **more: Any) -> Bubble:
    offer = offer_of(row) if row.kind == MessageKind.OFFER else None
    fields = {
        "text": "" if offer else row.text,
        "day": "",
        "is_first_new": False,
        "starts_group": True,
        "ends_group": True,
        "author": "Bob",
        "peer_name": "Bob",
        "offer": offer,
        **more,
    }
    return Bubble(row=row, state=state, **fields)


@pytest.fixture
def m(app: QApplication) -> Measures:
    return measures_of(app.font())


TEXTS = {
    "short": "ok",
    "long": "many words in one line " * 20,
    "unbroken": "x" * 700,
    "lines": "one\n\ttwo\n\nthree",
    "right to left": "שלום, מה שלומך היום? הכול בסדר.",
    "mixed": "👍🏽 très שלום bien 日本語",
    "huge": "word " * 13_000,
    "empty": "",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
@pytest.mark.parametrize("mine", [True, False], ids=["mine", "theirs"])
@pytest.mark.parametrize("width", [260.0, 600.0, 2000.0])
def test_everything_lies_inside_its_bubble(
    m: Measures, text: str, mine: bool, width: float
) -> None:
    row = text_row(1, text, mine=mine, ack=1_000_000)
    placed = place(bubble_of(row), width, m, Numbers.ALWAYS)
    assert QRectF(0, 0, width, placed.height).contains(placed.bubble)
    assert list(wrong_parts(placed, width)) == []


@pytest.mark.parametrize("state", list(TransferState))
@pytest.mark.parametrize("width", [260.0, 600.0])
def test_transfers_lie_inside_theirs(m: Measures, state: str, width: float) -> None:
    row = offer_row(1, "n" * 200, 10**12, ack=1)
    transfer = transfer_row(row, state, "n" * 200, 10**12, path="/x/y")
    bubble = bubble_of(row, transfer=transfer)
    placed = place(bubble, width, m, Numbers.NEVER)
    assert list(wrong_parts(placed, width)) == []
    assert sorted(action for _, action in placed.buttons) == sorted(actions_of(bubble))


REASONS = {
    "a sentence": "The other side no longer has these files as they were when they were offered.",
    "a path": "/home/ann/" + "deep/" * 30 + "second.bin cannot be read: no such file or directory",
    "an unbroken name": "x" * 280,
}


@pytest.mark.parametrize("width", [180.0, 260.0, 480.0, 1200.0])
@pytest.mark.parametrize("factor", [1.0, 2.0])
@pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS.keys())
def test_a_reason_is_there_to_its_last_word(
    app: QApplication, reason: str, factor: float, width: float
) -> None:
    m = measures_of(scaled(app.font(), factor))
    offer, text = offer_row(1, "a", 1, ack=1), text_row(1, "ok", mine=True)
    why = Reason(TransferReason.EARLIER, [reason])
    for state in (TransferState.FAILED, TransferState.WAITING):
        bubble = bubble_of(offer, transfer=transfer_row(offer, state, "a", 1, reason=why))
        placed = place(bubble, width, m, Numbers.ALWAYS)
        words = state_words(bubble)
        assert reason in words
        assert placed.state_box is not None
        assert_room(placed.state_box, words, m)
        icons = ("pause", "cancel")
        below = [box.top() for box, action in placed.buttons if action not in icons]
        below.append(placed.meta_box.bottom())
        assert placed.state_box.bottom() <= min(below)
    bubble = bubble_of(msgspec.structs.replace(text, failed=reason), state="failed")
    placed = place(bubble, width, m, Numbers.ALWAYS)
    assert placed.failed_box is not None
    assert reason in failed_words(bubble)
    assert_room(placed.failed_box, failed_words(bubble), m)
    assert list(wrong_parts(placed, width)) == []


def assert_room(box: QRectF, words: str, m: Measures) -> None:
    """All of it fits, and no word is broken that has room on a line of its own."""
    metrics = QFontMetricsF(m.small)
    layout = QTextLayout(words, m.small)
    layout.setTextOption(wrapping())
    layout.beginLayout()
    height, ends = 0.0, []
    while (line := layout.createLine()).isValid():
        line.setLineWidth(box.width())
        height += line.height()
        ends.append(line.textStart() + line.textLength())
    layout.endLayout()
    assert height <= box.height() + 1
    for end in ends[:-1]:
        word = words[:end].rsplit(" ", 1)[-1] + words[end:].split(" ", 1)[0]
        whole = words[end - 1] in " /-" or metrics.horizontalAdvance(word) > box.width()
        assert whole, f"{word!r} is broken"


@pytest.mark.parametrize("width", [180.0, 260.0, 600.0])
def test_progress_has_room_from_the_first_byte_to_the_last(m: Measures, width: float) -> None:
    row = offer_row(1, "a", 10**12, ack=1)
    for state in (TransferState.ACTIVE, TransferState.PAUSED):
        transfer = transfer_row(row, state, "a", 10**12, by="me")
        heights = set()
        for done in (0, 10**9 - 1, 999_900_000_000, 10**12):
            bubble = bubble_of(row, transfer=transfer, progress=Progress(done, 987_654_321.0, True))
            placed = place(bubble, width, m, Numbers.ALWAYS)
            heights.add(placed.height)
            assert placed.state_box is not None
            assert_room(placed.state_box, state_words(bubble), m)
        assert len(heights) == 1, "the bubble does not grow while bytes come"


def test_only_what_has_to_be_decided_is_loud() -> None:
    assert {action for action in ACTION_WORDS if action in LOUD} == {"accept"}


def test_what_can_be_done_depends_on_side_and_state() -> None:
    row = offer_row(1, "a", 1, ack=1)

    def actions(state: str, **more: Any) -> list[str]:
        return actions_of(bubble_of(row, transfer=transfer_row(row, state, "a", 1, **more)))

    assert actions("offered") == ["accept", "accept-to", "reject", "always"]
    assert actions("paused", by="me") == ["resume", "cancel"]
    assert actions("paused", by="peer") == ["cancel"]
    assert actions("done", path="/x") == ["open", "folder"]
    beside = Differences(0, not_updated=UpdateReason.NOT_ALLOWED)
    folder: dict[str, Any] = {"path": "/x", "kind": "folder", "differences": beside}
    assert actions("done", **folder) == ["open", "folder", "allow-updates"]
    assert actions("done", **folder, updates_allowed=True) == ["open", "folder"]
    assert actions("failed", path="/x") == ["fetch"]
    assert actions("failed", by="restored") == ["fetch"]
    assert actions("cancelled", by="me") == actions("rejected", by="me") == ["fetch"]
    assert actions("cancelled", by="peer") == []
    own = offer_row(1, "a", 1, mine=True)
    failed = transfer_row(own, "failed", "a", 1, path="/x")
    assert actions_of(bubble_of(own, transfer=failed)) == ["again"]
    assert actions_of(bubble_of(own)) == []


def test_what_is_done_or_long_ago_can_be_fetched_again_from_the_menu() -> None:
    row, own = offer_row(1, "a", 1, ack=1), offer_row(1, "a", 1, mine=True)

    def more(row: MessageRow, state: str = "", **fields: Any) -> list[str]:
        transfer = transfer_row(row, state, "a", 1, **fields) if state else None
        return more_actions_of(bubble_of(row, transfer=transfer))

    assert more(row, "done", path="/x") == more(row) == ["fetch"]
    assert more(row, "failed") == [], "it has a button"
    assert more(row, "done", path="/x", kind="folder") == ["fetch", "allow-updates"]
    allowed = more(row, "done", path="/x", kind="folder", updates_allowed=True)
    assert allowed == ["fetch", "forbid-updates"]
    assert more(row, "cancelled", by="peer") == more(row, "active") == []
    assert more(own, "failed", by="restored") == more(own) == []
    assert more(text_row(1, "x", ack=1)) == []


def test_a_text_too_long_for_a_bubble_can_be_seen_whole(m: Measures) -> None:
    placed = place(bubble_of(text_row(1, "line\n" * 500, ack=1)), 600, m, Numbers.ALWAYS)
    assert [action for _, action in placed.buttons] == [SHOW_ALL]
    assert placed.height < 3000


def test_ack_number_and_source_stand_beside_what_was_received(m: Measures) -> None:
    theirs = bubble_of(text_row(1, "x", ack=1042))
    placed = place(theirs, 600, m, Numbers.ALWAYS)
    assert placed.numbers == "ACK 1042 · 10.0.0.7:5001"
    assert placed.always
    assert placed.numbers_box is not None
    assert placed.numbers_box.left() > placed.bubble.right()
    assert placed.bubble.top() < placed.numbers_box.center().y() < placed.bubble.bottom()


def test_where_there_is_no_room_beside_they_stand_below(m: Measures) -> None:
    long = bubble_of(text_row(1, "many words " * 30, ack=1042))
    placed = place(long, 300, m, Numbers.ALWAYS)
    assert placed.numbers_box is not None
    assert placed.numbers_box.top() > placed.bubble.bottom()
    assert placed.numbers_box.bottom() <= placed.height
    hover = place(long, 300, m, Numbers.HOVER)
    assert hover.numbers_box is None
    assert hover.height < placed.height


def test_numbers_can_wait_for_the_mouse_or_stay_away(m: Measures) -> None:
    theirs = bubble_of(text_row(1, "x", ack=1042))
    assert not place(theirs, 600, m, Numbers.HOVER).always
    assert place(theirs, 600, m, Numbers.HOVER).numbers_box is not None
    assert place(theirs, 600, m, Numbers.NEVER).numbers_box is None
    mine = place(bubble_of(text_row(1, "x", mine=True, ack=7)), 600, m, Numbers.ALWAYS)
    assert mine.numbers == "ACK 7"
    assert not mine.always
    assert mine.numbers_box is not None
    assert mine.numbers_box.right() < mine.bubble.left()


def test_a_message_written_on_another_day_says_so() -> None:
    row = msgspec.structs.replace(text_row(1, "x", ack=1), sent_ms=NOW_MS - 3 * 86_400_000)
    assert meta_words(bubble_of(row)).startswith("Written ")
    assert ", arrived " in meta_words(bubble_of(row))


@pytest.mark.parametrize(
    "text", ["\N{THUMBS UP SIGN}", "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f"]
)
def test_a_few_emoji_alone_are_large_and_without_a_bubble(m: Measures, text: str) -> None:
    placed = place(bubble_of(text_row(1, text, ack=1)), 600, m, Numbers.ALWAYS)
    assert placed.bare
    assert placed.blocks[0].layout.font() == m.emoji
    assert list(wrong_parts(placed, 600)) == []


def test_code_is_in_a_fixed_font_and_keeps_its_lines(m: Measures) -> None:
    text = "look:\n```\nif x:\n    y()\n```\nand `z`"
    placed = place(bubble_of(text_row(1, text, ack=1)), 600, m, Numbers.ALWAYS)
    words, code, rest = placed.blocks
    assert code.layout.font() == m.code
    assert code.layout.text().split("\N{LINE SEPARATOR}") == ["if x:", "    y()"]
    assert code.ground is not None
    assert placed.bubble.contains(code.ground)
    assert (words.layout.text(), rest.layout.text()) == ("look:", "and z")
    assert rest.codes == ((4, 1),)


def test_a_file_cannot_hide_its_ending() -> None:
    assert name_of(bubble_of(offer_row(1, "report\u202efdp.exe", 1))).endswith("fdp.exe")
    assert "\u202e" not in name_of(bubble_of(offer_row(1, "report\u202efdp.exe", 1)))


def test_the_layout_holds_every_character_of_hostile_text(m: Measures) -> None:
    text = "<b>x</b> <img src=http://a.example/x.png> &amp; <table width=2000000000>"
    placed = place(bubble_of(text_row(1, text, ack=1)), 600, m, Numbers.ALWAYS)
    layout = placed.blocks[0].layout
    assert layout.text() == text
    lines = (layout.lineAt(number) for number in range(layout.lineCount()))
    assert sum(line.textLength() for line in lines) == len(text)


def test_a_text_that_was_taken_back_does_not_look_like_a_failure(
    app: QApplication, m: Measures
) -> None:
    """Nothing of it is red, and its sentence does not speak of a failure."""
    row = text_row(1, "what I did not want to say", mine=True)
    red = colours_of(app.palette()).danger

    def is_red(failed: str, state: str) -> bool:
        bubble = bubble_of(msgspec.structs.replace(row, failed=failed), state)
        placed = place(bubble, 600, m, Numbers.NEVER)
        image = QImage(600, round(placed.height), QImage.Format.Format_RGB32)
        image.fill(QColor("white"))
        painter = QPainter(image)
        BubblePainter(painter, colours_of(app.palette()), m, Looks()).paint(bubble, placed)
        painter.end()
        pixels = ((x, y) for x in range(600) for y in range(image.height()))
        return any(image.pixelColor(x, y) == red for x, y in pixels)

    assert is_red("too-large", "failed")
    assert not is_red("withdrawn", "withdrawn")
    taken_back = bubble_of(msgspec.structs.replace(row, failed="withdrawn"), "withdrawn")
    assert failed_words(taken_back) == "Withdrawn before it was sent"
    assert "ot sent" not in spoken(taken_back)


TICKS = ["queued", "sent", "delivered", "shown", "read", "failed", "withdrawn"]


@pytest.mark.parametrize("state", TICKS)
def test_no_two_states_look_alike_in_one_colour(app: QApplication, state: str) -> None:
    def picture(which: str) -> QImage:
        image = QImage(40, 40, QImage.Format.Format_ARGB32)
        image.fill(0xFFFFFFFF)
        painter = QPainter(image)
        draw_tick(painter, QRectF(5, 5, 24, 24), QColor("#333333"), which)
        painter.end()
        return image

    others = set(TICKS) - {state}
    assert all(picture(state) != picture(other) for other in others)


@pytest.mark.parametrize(
    ("text", "words"),
    [("Hello", "Hello. ACK"), ("Hello.", "Hello. ACK"), ("Really?", "Really? ACK")],
)
def test_a_sentence_is_spoken_with_one_full_stop(text: str, words: str) -> None:
    assert words in spoken(bubble_of(text_row(1, text, ack=1)))
