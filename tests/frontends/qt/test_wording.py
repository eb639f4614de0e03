"""Words for facts, and the filter for what a peer wrote."""

from typing import Any

import msgspec
import pytest

from chatnet_client.mirror import Progress
from chatnet_protocol.ipc.reasons import TransferReason, reason
from chatnet_protocol.ipc.rows import Compared, LinkRow, LinkState, TransferRow, TransferState
from chatnet_qt import wording
from qtworld import NOW_MS, peer_view

DAY_MS = 86_400_000


def test_text_keeps_lines_tabs_and_emoji_and_loses_controls() -> None:
    assert wording.shown_text("a\r\nb\rc\td\x1b[31m\x00 👍🏽\x85") == "a\nb\nc\td[31m 👍🏽"


def test_zero_width_characters_are_visible_where_nothing_needs_them() -> None:
    mark = "\N{REPLACEMENT CHARACTER}"
    for hidden in "\u00ad\u200b\u2060\ufeff\u200d\U000e0041":
        assert wording.shown_text(f"pay{hidden}pal") == f"pay{mark}pal"
        assert wording.shown_name(f"pay{hidden}pal") == f"pay{mark}pal"
    for kept in (
        "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0645\u06cc\u200c\u062e\u0648",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    ):  # fmt: skip
        assert wording.shown_text(kept) == kept
        assert wording.shown_name(kept) == kept


def test_markup_stays_what_it_is() -> None:
    assert wording.shown_text("<b>x</b>&lt;") == "<b>x</b>&lt;"


def test_a_name_is_one_line_and_cannot_turn_its_direction() -> None:
    assert wording.shown_name("report\u202efdp.exe") == "report\N{REPLACEMENT CHARACTER}fdp.exe"
    assert wording.shown_name("a\nb\u2028c") == "a b c"
    assert wording.shown_name("\x00\ud800") == "(no name)"


def test_a_long_name_keeps_its_end() -> None:
    shown = wording.shown_name("x" * 500 + ".exe")
    assert len(shown) <= 120
    assert shown.endswith(".exe")


def test_a_long_text_is_cut_by_characters_or_lines() -> None:
    assert wording.cut_text("short") == ("short", False)
    cut, was_cut = wording.cut_text("x" * (wording.MAX_SHOWN_CHARACTERS + 1))
    assert (len(cut), was_cut) == (wording.MAX_SHOWN_CHARACTERS, True)
    cut, was_cut = wording.cut_text("x\n" * (wording.MAX_SHOWN_LINES + 5))
    assert (cut.count("\n") + 1, was_cut) == (wording.MAX_SHOWN_LINES, True)


def test_thousands_of_pictures_joined_to_one_are_cut() -> None:
    joiner = "\N{ZERO WIDTH JOINER}"
    cut, was_cut = wording.cut_text("so: " + f"\N{WOMAN}{joiner}" * 2000)
    assert was_cut
    assert len(cut) <= 4 + 4 * wording.MAX_JOINED
    family = joiner.join("\N{WOMAN}\N{MAN}\N{GIRL}\N{BOY}") * 500
    assert wording.cut_text(family) == (family, False)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (89, "89 s"),
        (120, "2 min"),
        (4800, "1 h 20 min"),
        (3600, "1 h"),
        (2e5, "2 days"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert wording.duration_words(seconds) == words


def test_days() -> None:
    assert wording.day_words(NOW_MS, NOW_MS) == "Today"
    assert wording.day_words(NOW_MS - DAY_MS, NOW_MS) == "Yesterday"
    assert wording.day_words(0, NOW_MS).endswith("1970")
    assert not wording.day_words(NOW_MS - 3 * DAY_MS, NOW_MS).endswith("2026")


def test_a_peer_is_called_as_typed_else_as_it_calls_itself() -> None:
    info = peer_view(name="10.0.0.7:5001").info
    assert wording.peer_name(info) == "10.0.0.7:5001"
    assert wording.peer_name(msgspec.structs.replace(info, display_name="B\nob")) == "B ob"
    assert wording.peer_name(msgspec.structs.replace(info, name="Robert")) == "Robert"
    assert wording.peer_name(msgspec.structs.replace(info, name="", address="")) == "peer 1"


def test_every_link_state_has_words() -> None:
    info = peer_view().info
    words = {wording.link_words(LinkRow(1, state, 0), info) for state in LinkState}
    assert len(words) == len(LinkState) - 1, "looking up a name is connecting too"
    assert wording.link_words(LinkRow(1, "something-new", 0), info) == "something-new"


def transfer(state: str, **more: Any) -> TransferRow:
    fields = {"mine": False, **more}
    return TransferRow(bytes(16), 1, 1, state=state, name="f", files=1, size_bytes=10, **fields)


def test_transfers_say_who_and_why() -> None:
    say = wording.transfer_words
    full = reason(TransferReason.DISK_FULL, "/in\nbox")
    failed = "Failed: The disk is full: /in box has no space for the rest."
    assert say(transfer("paused", by="me"), "Bob", True) == "Paused by you"
    assert say(transfer("paused", by="peer"), "Bob", True) == "Paused by Bob"
    assert say(transfer("failed", reason=full), "Bob", True) == failed
    assert say(transfer("offered", mine=True), "Bob", False) == "Offer not delivered yet"
    assert say(transfer("offered", mine=True), "Bob", True) == "Waiting for Bob to accept"
    assert say(transfer("failed", by="restored"), "Bob", True) == "The files are not here"
    assert say(transfer("failed", by="restored", mine=True), "Bob", True) == "Sent before the loss"
    assert all(say(transfer(state), "Bob", True) for state in TransferState)


def test_comparing_says_how_far_it_is_and_no_more() -> None:
    compared = Compared(2_000, 41_000, 1_100_000, 3_200_000_000)
    why = reason(TransferReason.COMPARING)
    row = transfer("waiting", reason=why, compared=compared)
    numbers = "2,000 of 41,000 files, 1.1 MB of 3.2 GB"
    words = wording.card_words(row, "Bob", True, Progress(0))
    assert words == f"Comparing with the earlier folder: {numbers}."
    assert len(wording.longest_card_words(row, "Bob")) > len(words)
    row = transfer("paused", by="me", reason=why, compared=compared)
    assert wording.card_words(row, "Bob", True, Progress(0)) == "Paused by you · 0 B of 10 B"


def test_progress_guesses_nothing_without_a_rate() -> None:
    assert wording.progress_words(Progress(5_000_000), 10_000_000) == "5.0 MB of 10.0 MB"
    words = wording.progress_words(Progress(5_000_000, 1_000_000), 10_000_000)
    assert words == "5.0 MB of 10.0 MB · 1.0 MB/s · 5 s left"
