"""Where nothing can be sent the box says why, and what was written waits."""

from typing import Any

import msgspec
import pytest

from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import OfferFiles, SendMessage, SetPeer
from chatnet_qt.qt import QEvent, QKeyEvent, Qt, present
from qtworld import MakeStage, Stage, peer_view, session_view, text_row, with_rows


def change(stage: Stage, **more: Any) -> None:
    info = msgspec.structs.replace(present(stage.pane.model.peer()).info, **more)
    stage.client.change(ev.PeerChanged(info))
    stage.settle()


def press(stage: Stage, key: int, text: str) -> None:
    for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
        event = QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier, text)
        stage.app.sendEvent(stage.pane.view, event)
    stage.settle()


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    return make_stage(session_view(with_rows(peer_view(my_read=1), [text_row(1, "hi", ack=1)])))


def test_a_blocked_peer_is_named_as_that_where_one_would_write(stage: Stage) -> None:
    composer = stage.pane.composer
    change(stage, blocked=True)
    assert composer.closed.words.text() == "You have blocked Bob. Unblock to write."
    assert composer.closed.isVisible()
    assert not composer.box.isVisible()
    composer.closed.button.setFocus()
    composer.closed.button.click()
    assert stage.client.asked(SetPeer) == [SetPeer(1, blocked=False)]
    change(stage, blocked=False)
    assert composer.box.isVisible()
    assert not composer.closed.isVisible()
    assert composer.box.hasFocus()


def test_what_was_written_and_attached_waits(stage: Stage) -> None:
    composer = stage.pane.composer
    composer.box.setPlainText("half a thought")
    composer.attachments.add([__file__])
    change(stage, blocked=True)
    assert composer.closed.words.text().endswith("What you had written is kept.")
    composer.send()
    press(stage, Qt.Key.Key_X, "x")
    assert stage.client.asked(SendMessage) == []
    assert stage.client.asked(OfferFiles) == []
    stage.client.reset(session_view(present(stage.session.peer(1))))
    stage.settle()
    change(stage, blocked=False)
    assert composer.box.written() == "half a thought"
    assert composer.attachments.paths == [__file__]
    assert composer.box.isVisible()


def test_a_conversation_that_is_opened_blocked_is_read_by_keys(make_stage: MakeStage) -> None:
    peer = with_rows(peer_view(my_read=1), [text_row(1, "hi", ack=1)])
    peer.info = msgspec.structs.replace(peer.info, blocked=True)
    stage = make_stage(session_view(peer))
    assert stage.pane.view.hasFocus()
    press(stage, Qt.Key.Key_Space, " ")
    assert stage.client.asked(SetPeer) == []


def test_a_stranger_is_accepted_before_anything_is_written(make_stage: MakeStage) -> None:
    peer = peer_view(state="pending")
    peer.info = msgspec.structs.replace(peer.info, trust="pending")
    stage = make_stage(session_view(peer))
    composer = stage.pane.composer
    assert composer.closed.words.text() == "Accept to write."
    assert not composer.closed.button.isVisible()
    change(stage, trust="pinned")
    assert composer.box.isVisible()
