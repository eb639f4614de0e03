"""Writing, attaching, sending; the draft that all front ends share."""

from pathlib import Path

import pytest

from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import OfferFiles, SendMessage, SetDraft, SetTyping
from chatnet_protocol.limits import MAX_TEXT_BYTES
from chatnet_qt.attachments import MAX_ATTACHED
from chatnet_qt.controls import IconButton
from chatnet_qt.qt import QEvent, QImage, QKeyEvent, QMimeData, Qt, QUrl, present
from qtworld import ME, MakeStage, Stage, peer_view, session_view, text_row, with_rows


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    return make_stage(session_view(peer_view()))


def press(stage: Stage, key: int, text: str = "", shift: bool = False) -> None:
    modifier = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    box = stage.pane.composer.box
    box.keyPressEvent(QKeyEvent(QEvent.Type.KeyPress, key, modifier, text))


def write(stage: Stage, text: str) -> None:
    stage.pane.composer.box.setPlainText(text)


def draft(stage: Stage, text: str, revision: int, client: int = 99) -> None:
    stage.client.change(ev.DraftChanged(peer=1, revision=revision, text=text, client=client))
    stage.settle()


def test_enter_sends_and_empties_the_box(stage: Stage) -> None:
    write(stage, "hello")
    press(stage, Qt.Key.Key_Return)
    (command,) = stage.client.asked(SendMessage)
    assert (command.peer, command.text) == (1, "hello")
    assert stage.pane.composer.box.toPlainText() == ""


def test_shift_enter_is_a_new_line_and_the_box_grows(stage: Stage) -> None:
    write(stage, "one")
    low = stage.pane.composer.box.height()
    stage.pane.composer.box.moveCursor(stage.pane.composer.box.textCursor().End)
    press(stage, Qt.Key.Key_Return, shift=True)
    assert stage.pane.composer.box.toPlainText() == "one\n"
    assert stage.pane.composer.box.height() > low
    assert not stage.client.asked(SendMessage)
    write(stage, "x\n" * 500)
    assert stage.pane.composer.box.height() < 300


def test_nothing_is_not_sent(stage: Stage) -> None:
    assert not stage.pane.composer.send_button.isEnabled()
    write(stage, "  \n ")
    stage.pane.composer.send()
    assert not stage.client.asked(SendMessage)


def test_what_is_too_long_stays_in_the_box(stage: Stage) -> None:
    write(stage, "é" * (MAX_TEXT_BYTES // 2 + 1))
    stage.pane.composer.send()
    assert not stage.client.asked(SendMessage)
    assert "64 KiB" in present(stage.pane.notice_strip.shown).words
    assert stage.pane.composer.box.toPlainText()


def test_markup_is_sent_and_kept_as_text(stage: Stage) -> None:
    pasted = QMimeData()
    pasted.setHtml("<b>bold</b>")
    pasted.setText("<i>text</i>")
    stage.pane.composer.box.insertFromMimeData(pasted)
    stage.pane.composer.send()
    assert stage.client.asked(SendMessage)[0].text == "<i>text</i>"


def test_it_works_while_the_engine_is_away(stage: Stage) -> None:
    stage.client.answers_messages = False
    stage.client.lose()
    stage.settle()
    write(stage, "later")
    stage.pane.composer.send()
    stage.settle()
    assert "1 message kept" in present(stage.window.engine_strip.shown).words


def test_files_wait_in_a_row_until_they_are_sent(stage: Stage, tmp_path: Path) -> None:
    names = ["a.txt", "b <i>.txt"]
    paths = [str(tmp_path / name) for name in names]
    for path in paths:
        Path(path).write_text("x")
    composer = stage.pane.composer
    composer.attachments.add([*paths, paths[0]])
    assert composer.attachments.paths == paths
    assert composer.attachments.isVisible()
    assert not stage.client.asked(OfferFiles)
    write(stage, "with words")
    composer.send()
    (command,) = stage.client.asked(OfferFiles)
    assert command.paths == paths
    assert stage.client.asked(SendMessage)[0].text == "with words"
    assert composer.attachments.paths == []
    assert not composer.attachments.isVisible()


def test_files_alone_can_be_sent_and_taken_out_again(stage: Stage, tmp_path: Path) -> None:
    composer = stage.pane.composer
    composer.attachments.add([str(tmp_path)])
    assert composer.send_button.isEnabled()
    composer.attachments._chips[0].findChild(IconButton).click()
    assert composer.attachments.paths == []
    assert not composer.send_button.isEnabled()


def test_the_row_of_files_is_bounded(stage: Stage) -> None:
    stage.pane.composer.attachments.add([f"/tmp/{n}" for n in range(MAX_ATTACHED + 5)])
    assert len(stage.pane.composer.attachments.paths) == MAX_ATTACHED
    assert str(MAX_ATTACHED) in present(stage.pane.notice_strip.shown).words


def test_pasted_files_and_pictures_are_attached(stage: Stage, tmp_path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "a")), QUrl("https://a.example/b")])
    stage.pane.composer.box.insertFromMimeData(data)
    assert stage.pane.composer.attachments.paths == [str(tmp_path / "a")]
    picture = QMimeData()
    image = QImage(4, 4, QImage.Format.Format_RGB32)
    image.fill(0)
    picture.setImageData(image)
    stage.pane.composer.box.insertFromMimeData(picture)
    saved = stage.pane.composer.attachments.paths[1]
    assert saved.endswith(".png")
    assert QImage(saved).width() == 4


def test_a_draft_from_another_front_end_appears(stage: Stage) -> None:
    draft(stage, "half a sentence", 1)
    assert stage.pane.composer.box.toPlainText() == "half a sentence"
    assert not stage.client.asked(SetDraft)


def test_what_is_written_is_shared_after_a_pause(stage: Stage) -> None:
    write(stage, "hello")
    assert not stage.client.asked(SetDraft)
    stage.until(lambda: bool(stage.client.asked(SetDraft)))
    assert stage.client.asked(SetDraft) == [SetDraft(1, "hello", 0)]
    draft(stage, "hello", 1, ME)
    stage.client.answer_draft(True, 1, "hello")
    stage.settle()
    stage.pane.composer.send()
    assert stage.client.asked(SendMessage)[0].draft_revision == 1


def test_the_loser_keeps_its_text_and_can_take_the_other(stage: Stage) -> None:
    write(stage, "mine")
    draft(stage, "theirs", 1)
    composer, strip = stage.pane.composer, stage.pane.draft_strip
    assert composer.box.toPlainText() == "mine"
    assert strip.shown is not None
    strip.acted.emit("theirs")
    assert composer.box.toPlainText() == "theirs"
    assert strip.shown is None


def test_a_draft_outlives_the_window(stage: Stage) -> None:
    write(stage, "half")
    stage.window.close()
    assert stage.client.asked(SetDraft) == [SetDraft(1, "half", 0)]


def test_the_draft_of_the_snapshot_is_shown(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view(draft="from before", draft_revision=4)))
    assert stage.pane.composer.box.toPlainText() == "from before"


def test_typing_is_said_once_in_a_while_and_taken_back_by_sending(stage: Stage) -> None:
    for text in ("h", "he", "hel"):
        write(stage, text)
    assert stage.client.asked(SetTyping) == [SetTyping(1, True)]
    stage.pane.composer.send()
    assert stage.client.asked(SetTyping)[-1] == SetTyping(1, False)


@pytest.mark.parametrize(
    ("given", "sent"),
    [("half \ud83d", "half \ufffd"), ("a\x1b[0mb\x00c\x85", "a[0mbc"), ("a\r\nb\tc", "a\nb\tc")],
)
def test_whatever_is_typed_or_pasted_can_be_shared_and_sent(
    stage: Stage, given: str, sent: str
) -> None:
    data = QMimeData()
    data.setText(given)
    stage.pane.composer.box.insertFromMimeData(data)
    stage.until(lambda: bool(stage.client.asked(SetDraft)))
    assert stage.client.asked(SetDraft)[0].text == sent
    stage.pane.composer.send()
    assert [command.text for command in stage.client.asked(SendMessage)] == [sent]


def test_half_a_character_that_an_input_method_brings_is_made_valid(stage: Stage) -> None:
    stage.pane.composer.box.insertPlainText("\ud83d")
    stage.until(lambda: bool(stage.client.asked(SetDraft)))
    assert stage.client.asked(SetDraft)[0].text == "\ufffd"
    stage.pane.composer.send()
    assert stage.client.asked(SendMessage)[0].text == "\ufffd"


def test_up_in_an_empty_box_recalls_the_last_own_text(make_stage: MakeStage) -> None:
    rows = [text_row(1, "first", mine=True, seq=1), text_row(2, "theirs", ack=1)]
    stage = make_stage(session_view(with_rows(peer_view(), rows)))
    box = stage.pane.composer.box
    up = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Up, Qt.KeyboardModifier.NoModifier)
    stage.app.sendEvent(box, up)
    assert box.toPlainText() == "first"
    box.setPlainText("something else")
    stage.app.sendEvent(box, up)
    assert box.toPlainText() == "something else"
