"""A conversation on its way back: what the window says and offers, and that nothing jumps."""

import msgspec
import pytest

from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import AnswerRestore, AskRestore
from chatnet_protocol.ipc.rows import LinkRow, RestoreMine, RestoreRow, RestoreTheirs
from chatnet_qt.banner import Tone
from chatnet_qt.qt import Qt
from chatnet_qt.restore_strip import UNVERIFIED, restore_banner
from qtworld import (
    NOW_MS,
    MakeStage,
    Stage,
    message_id,
    peer_view,
    session_view,
    text_row,
    with_rows,
)


def asked(**fields: object) -> RestoreRow:
    return RestoreRow(1, **fields)  # type: ignore[arg-type]


def change(stage: Stage, **fields: object) -> None:
    stage.client.change(ev.RestoreChanged(asked(**fields)))
    stage.settle()


def words(stage: Stage) -> str:
    shown = stage.pane.restore_strip.shown
    return shown.words if shown else ""


def buttons(stage: Stage) -> list[str]:
    shown = stage.pane.restore_strip.shown
    return [words for _, words in shown.actions] if shown else []


def press(stage: Stage, text: str) -> None:
    found = stage.window.banner.buttons()
    next(button for button in found if button.text() == text).click()
    stage.settle()


def notice(stage: Stage) -> str:
    shown = stage.pane.notice_strip.shown
    return shown.words if shown else ""


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    return make_stage(session_view(peer_view()))


def test_nothing_is_said_while_nothing_is_missing(stage: Stage) -> None:
    assert stage.pane.restore_strip.shown is None


def test_a_gap_is_offered_to_be_filled(make_stage: MakeStage) -> None:
    peer = peer_view(restore=asked(mine=RestoreMine.POSSIBLE))
    stage = make_stage(session_view(peer))
    assert words(stage) == "Part of your conversation with Bob is missing here."
    assert buttons(stage) == ["Ask Bob for it", "Not now"]
    press(stage, "Ask Bob for it")
    assert stage.client.asked(AskRestore) == [AskRestore(1)]


def test_the_offer_can_be_put_off(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view(restore=asked(mine=RestoreMine.POSSIBLE))))
    press(stage, "Not now")
    assert stage.pane.restore_strip.shown is None
    assert stage.client.asked(AskRestore) == []
    change(stage, mine=RestoreMine.ASKING)
    assert "Bob has to consent" in words(stage), "another window asked"
    press(stage, "Stop asking")
    assert stage.client.asked(AskRestore) == [AskRestore(1, wanted=False)]
    change(stage, mine=RestoreMine.POSSIBLE)
    assert buttons(stage) == ["Ask Bob for it", "Not now"]


def test_asking_says_when_the_peer_is_away(stage: Stage) -> None:
    change(stage, mine=RestoreMine.ASKING)
    assert "as soon as" not in words(stage)
    stage.client.change(ev.LinkChanged(LinkRow(1, "silent", NOW_MS)))
    stage.settle()
    assert words(stage).endswith("The question is sent as soon as you are connected.")


def test_running_counts_and_the_end_is_told_once(stage: Stage) -> None:
    change(stage, mine=RestoreMine.RUNNING, restored=120)
    assert words(stage) == "Your conversation with Bob is being restored: 120 messages so far."
    change(stage, mine=RestoreMine.DONE, restored=121)
    assert stage.pane.restore_strip.shown is None
    assert notice(stage) == "Your conversation with Bob is restored: 121 messages."
    stage.pane.notice_strip.show_banner(None)
    change(stage, mine=RestoreMine.DONE, restored=121, theirs=RestoreTheirs.ASKED)
    assert notice(stage) == ""


def test_an_end_of_long_ago_is_no_news(make_stage: MakeStage) -> None:
    done = asked(mine=RestoreMine.DONE, theirs=RestoreTheirs.GIVEN, restored=5)
    stage = make_stage(session_view(peer_view(restore=done)))
    assert words(stage) == notice(stage) == ""


def test_a_refusal_is_told(stage: Stage) -> None:
    change(stage, mine=RestoreMine.ASKING)
    change(stage, mine=RestoreMine.REFUSED)
    assert notice(stage) == "Bob declined to send you the conversation."


def test_a_peer_that_asks_is_answered(stage: Stage) -> None:
    change(stage, theirs=RestoreTheirs.ASKED)
    lost = "Bob has lost messages and asks you for a copy of your conversation."
    assert words(stage) == f"{lost} {UNVERIFIED}"
    assert stage.pane.restore_strip.shown
    assert stage.pane.restore_strip.shown.tone is Tone.WARNING
    press(stage, "Send it")
    press(stage, "Refuse")
    assert stage.client.asked(AnswerRestore) == [
        AnswerRestore(1, consent=True),
        AnswerRestore(1, consent=False),
    ]
    press(stage, "Compare…")
    dialogs = [type(child).__name__ for child in stage.pane.children()]
    assert "SafetyDialog" in dialogs
    change(stage, theirs=RestoreTheirs.GIVING)
    assert words(stage) == "Bob is receiving a copy of your conversation."
    change(stage, theirs=RestoreTheirs.GIVEN)
    assert notice(stage) == "Bob has received a copy of your conversation."


def test_a_verified_peer_needs_no_warning() -> None:
    peer = peer_view(restore=asked(theirs=RestoreTheirs.ASKED, mine=RestoreMine.RUNNING))
    peer.info = msgspec.structs.replace(peer.info, trust="verified")
    banner = restore_banner(peer, put_off=False)
    assert banner is not None
    assert (banner.tone, len(banner.actions)) == (Tone.INFO, 2)
    assert UNVERIFIED not in banner.words


def test_buttons_can_be_reached_by_keyboard_and_are_named(stage: Stage) -> None:
    change(stage, theirs=RestoreTheirs.ASKED)
    strip = stage.window.banner
    assert strip.accessibleName().startswith("Restoring the conversation: ")
    assert strip.buttons()
    for button in strip.buttons():
        assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
        assert button.text()


def test_in_a_narrow_window_the_words_keep_their_room(make_stage: MakeStage) -> None:
    peer = peer_view(restore=asked(theirs=RestoreTheirs.ASKED))
    stage = make_stage(session_view(peer), size=(330, 500))
    strip = stage.window.banner
    (send, *_) = strip.buttons()
    assert send.geometry().top() >= strip._label.geometry().bottom()
    assert strip._label.width() > strip.width() * 0.7
    stage.window.resize(1280, 500)
    stage.settle()
    assert send.geometry().left() >= strip._label.geometry().right()


def test_without_an_engine_nothing_is_offered(stage: Stage) -> None:
    change(stage, theirs=RestoreTheirs.ASKED)
    stage.client.lose()
    stage.settle()
    assert stage.pane.restore_strip.shown is None
    stage.client.change(ev.PeerRemoved(1))
    stage.settle()


def restored(no: int, lamport: int) -> object:
    row = text_row(no, f"restored {no}\n" * (no % 3 + 1), ack=lamport)
    return msgspec.structs.replace(row, lamport=lamport, place=0)


def test_what_comes_back_moves_nothing_that_is_read(make_stage: MakeStage) -> None:
    rows = [text_row(no, f"message {no}\nof two lines", ack=no + 200) for no in range(1, 41)]
    stage = make_stage(session_view(with_rows(peer_view(my_read=240), rows)))
    stage.pane.model.fetch_older()
    stage.settle()
    resets = []
    stage.pane.model.modelReset.connect(lambda: resets.append(1))
    stage.bar.setValue(stage.bar.maximum() // 2)
    stage.settle()
    view, model = stage.pane.view, stage.pane.model
    looked_at = model.message(view.visible_rows()[0]).id

    def top() -> int:
        return view.visualRect(model.index(model.row_of(looked_at))).top()

    before = top()
    for first in (41, 71, 101):
        page = [restored(no, no) for no in range(first, first + 30)]
        stage.client.change(ev.MessagesRestored(1, first, page))  # type: ignore[arg-type]
        stage.settle()
        assert top() == before
    assert resets == []
    assert model.rowCount() == 130
    assert [model.message(row).no for row in (0, 89, 90)] == [41, 130, 1]
    assert stage.pane.marker._sent_read <= 240


def test_at_the_end_the_end_stays(make_stage: MakeStage) -> None:
    rows = [text_row(no, f"message {no}", ack=no + 200) for no in range(1, 31)]
    stage = make_stage(session_view(with_rows(peer_view(my_read=230), rows)))
    page = [restored(no, no) for no in range(31, 61)]
    stage.client.change(ev.MessagesRestored(1, 31, page))  # type: ignore[arg-type]
    stage.settle()
    assert stage.pane.view.at_end
    assert stage.pane.model.message(stage.pane.view.visible_rows()[-1]).id == message_id(30)


def test_an_own_message_that_came_back_was_delivered(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(with_rows(peer_view(), [text_row(1, "new", ack=1)])))
    own = msgspec.structs.replace(text_row(2, "old", mine=True, ack=7), place=0)
    stage.client.change(ev.MessagesRestored(1, 2, [own]))
    stage.settle()
    assert stage.pane.model.bubble(stage.pane.model.row_of(own.id)).state == "delivered"
