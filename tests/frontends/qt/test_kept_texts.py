"""Texts that wait in the window: shown at once, sent once and in order, never lost."""

import errno
from pathlib import Path

import msgspec
import pytest

from chatnet_client.kept import KeptTexts, MemoryKeeper
from chatnet_client.kept_file import KeptFile
from chatnet_client.kept_records import KeptText
from chatnet_protocol.ipc.commands import Queued, SendMessage
from chatnet_qt.message_actions import JUST_NOW
from chatnet_qt.qt import present
from qtworld import MakeStage, Stage, peer_view, session_view, text_row, with_rows


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    stage = make_stage(session_view(with_rows(peer_view(), [text_row(1, "first", ack=1)])))
    stage.client.answers_messages = False
    return stage


def write(stage: Stage, text: str) -> None:
    stage.pane.composer.box.setPlainText(text)
    stage.pane.composer.send()
    stage.settle()


def shown(stage: Stage) -> list[tuple[str, str]]:
    model = stage.pane.model
    bubbles = [model.bubble(row) for row in range(model.rowCount())]
    return [(bubble.text, bubble.state if bubble.row.mine else "") for bubble in bubbles]


def test_a_text_without_an_engine_shows_at_once_as_waiting(stage: Stage) -> None:
    stage.client.lose()
    stage.settle()
    write(stage, "one")
    write(stage, "two")
    assert shown(stage)[-2:] == [("one", "waiting"), ("two", "waiting")]
    assert stage.pane.composer.box.toPlainText() == ""
    assert "2 messages kept" in present(stage.window.engine_strip.shown).words


def test_a_waiting_text_becomes_the_message_that_it_is(stage: Stage) -> None:
    stage.client.lose()
    stage.settle()
    write(stage, "one")
    write(stage, "two")
    view = session_view(with_rows(peer_view(), [text_row(1, "first", ack=1)]))
    stage.client.reset(view, b"boot2")
    stage.settle()
    (command,) = stage.client.asked(SendMessage)
    row = msgspec.structs.replace(text_row(2, "one", mine=True, seq=1), id=command.id)
    stage.arrive(row)
    assert [text for text, _ in shown(stage)] == ["first", "one", "two"]
    assert shown(stage)[-1] == ("two", "waiting")
    stage.client.answer(Queued(no=2, seq=1))
    stage.settle()
    assert [command.text for command in stage.client.asked(SendMessage)] == ["one", "two"]
    assert shown(stage)[-2][1] != "waiting"


def test_a_waiting_text_goes_back_into_the_box_below_what_is_written(stage: Stage) -> None:
    stage.client.lose()
    stage.settle()
    write(stage, "one")
    write(stage, "two")
    stage.pane.composer.box.setPlainText("new")
    (_, second) = stage.session.waiting(1)
    stage.pane.message_actions.withdraw(second.text.id)
    stage.settle()
    assert stage.pane.composer.box.toPlainText() == "new\ntwo"
    assert shown(stage)[-1] == ("one", "waiting")


def test_one_that_is_being_handed_over_cannot_be_taken_back(stage: Stage) -> None:
    write(stage, "one")
    (waiting,) = stage.session.waiting(1)
    stage.pane.message_actions.withdraw(waiting.text.id)
    assert present(stage.pane.notice_strip.shown).words == JUST_NOW


def test_what_is_refused_stays_with_its_reason(stage: Stage) -> None:
    write(stage, "one")
    stage.client.answer(error="The peer is unknown.")
    stage.settle()
    assert shown(stage)[-1] == ("one", "failed")
    bubble = stage.pane.model.bubble(stage.pane.model.rowCount() - 1)
    assert bubble.row.failed == "The peer is unknown."
    menu = stage.pane.message_actions.menu_for(bubble.row.id)
    words = [action.text() for action in present(menu).actions()]
    assert any("Withdraw" in word for word in words)
    assert not any("Send again" in word for word in words)


def test_arrivals_stand_above_what_waits(stage: Stage) -> None:
    stage.client.lose()
    stage.settle()
    write(stage, "mine")
    stage.arrive(text_row(2, "theirs", ack=2))
    assert [text for text, _ in shown(stage)] == ["first", "theirs", "mine"]


def test_a_text_is_in_the_file_before_the_box_is_cleared(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    box = stage.pane.composer.box

    def add(
        self: KeptTexts, peer: int, text: str, draft_revision: int = 0, reply_to: bytes = b""
    ) -> str:
        seen.append(box.toPlainText())
        return ""

    monkeypatch.setattr(KeptTexts, "add", add)
    write(stage, "one")
    assert seen == ["one"]
    assert box.toPlainText() == ""


def test_a_full_disk_leaves_the_text_in_the_box_with_a_sentence(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: MemoryKeeper, text: KeptText) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(MemoryKeeper, "append", full)
    write(stage, "one")
    assert stage.pane.composer.box.toPlainText() == "one"
    assert "No space left on device" in present(stage.pane.notice_strip.shown).words
    assert not stage.client.asked(SendMessage)


def test_closing_loses_nothing(make_stage: MakeStage, tmp_path: Path) -> None:
    stage = make_stage(session_view(peer_view()), keeper=KeptFile(str(tmp_path)))
    stage.client.lose()
    stage.settle()
    write(stage, "one")
    stage.window.close()
    stage.session.close()
    later = make_stage(session_view(peer_view()), keeper=KeptFile(str(tmp_path)))
    (command,) = later.client.asked(SendMessage)
    assert command.text == "one"
    assert later.session.unconfirmed == 0
