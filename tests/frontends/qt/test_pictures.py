"""Pictures in messages: decoded in a process of its own, which what is no picture cannot leave."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from chatnet_qt.decoder import parsed
from chatnet_qt.picture_viewer import NOT_SHOWN, PictureViewer
from chatnet_qt.pictures import SIDE_PX, Pictures
from chatnet_qt.qt import QApplication, QEvent, QGuiApplication, QImage, QKeyEvent, Qt, present
from qtworld import (
    MakeStage,
    Stage,
    message_id,
    offer_row,
    peer_view,
    session_view,
    transfer_row,
    with_rows,
)


@pytest.fixture
def photo(tmp_path: Path) -> str:
    image = QImage(1600, 900, QImage.Format.Format_RGB32)
    image.fill(0xFF336699)
    path = str(tmp_path / "photo.png")
    assert image.save(path, "PNG")
    return path


def bomb(path: Path) -> str:
    """A PNG that says it is 60,000 pixels wide and high."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body))
    return str(path)


def decoded(path: str) -> tuple[int, bytes]:
    words = [sys.executable, "-P", "-m", "chatnet_qt.thumbnail", path, str(SIDE_PX)]
    done = subprocess.run(words, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout


def test_a_picture_becomes_a_small_one(app: QApplication, photo: str) -> None:
    status, answer = decoded(photo)
    assert status == 0
    picture = parsed(answer, SIDE_PX)
    assert picture is not None
    assert picture.full == (1600, 900)
    assert (picture.image.width(), picture.image.height()) == (720, 405)


@pytest.mark.parametrize("kind", ["bomb", "truncated", "text", "svg", "none", "folder", "endless"])
def test_what_is_no_picture_gives_nothing(photo: str, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "lies.png"
    if kind == "bomb":
        bomb(path)
    elif kind == "truncated":
        path.write_bytes(Path(photo).read_bytes()[:60])
    elif kind == "text":
        path.write_text("<b>no picture</b>")
    elif kind == "svg":
        path.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    elif kind == "folder":
        path.mkdir()
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    assert decoded(str(path)) == (1, b"")


@pytest.mark.parametrize(
    "answer", [b"", b"1 1 1\n", b"2 2 2 2\n123", b"9999 1 1 1\n", b"-1 -1 1 1\n", b"x" * 200]
)
def test_a_lying_process_gives_nothing(app: QApplication, answer: bytes) -> None:
    assert parsed(answer, SIDE_PX) is None


def test_it_is_shown_in_the_card_when_it_is_ready(make_stage: MakeStage, photo: str) -> None:
    row = offer_row(1, "photo.png", 1000, ack=1)
    view = session_view(with_rows(peer_view(my_read=9), [row]))
    view.transfers.append(transfer_row(row, "done", "photo.png", 1000, path=photo))
    stage: Stage = make_stage(view)
    pictures = stage.pane.model.pictures
    assert stage.pane.view.placed(0).picture_box is None
    stage.until(lambda: pictures.pixmap(message_id(1)) is not None, within_ms=60_000)
    stage.settle()
    box = stage.pane.view.placed(0).picture_box
    assert box is not None
    assert stage.pane.model.bubble(0).picture == (1600, 900)
    stage.window.pages.settings.pictures_toggled.emit(False)
    stage.settle()
    assert stage.pane.view.placed(0).picture_box is None


def test_only_pictures_that_arrived_are_looked_at(app: QApplication) -> None:
    pictures = Pictures()
    row = offer_row(1, "a.png", 1000, ack=1)
    for state, name, size in (
        ("active", "a.png", 1000),
        ("done", "a.exe", 1000),
        ("done", "a.png", 10**9),
        ("done", "a.png", 0),
    ):
        made = transfer_row(row, state, name, size, path=f"/x/{name}")
        assert pictures.size_of(made) is None
    assert not pictures._decoder._asked


def opened(stage: Stage, path: str) -> PictureViewer:
    viewer = PictureViewer(path, stage.window)
    viewer.show()
    stage.until(lambda: viewer.problem.text() != "Opening…" or viewer.copies.isEnabled(), 60_000)
    return viewer


def test_the_viewer_goes_closer_copies_and_saves(
    make_stage: MakeStage, photo: str, tmp_path: Path
) -> None:
    stage: Stage = make_stage(session_view(peer_view()))
    viewer = opened(stage, photo)
    assert viewer.image.width() == 1600  # whole, not the thumbnail
    assert "1600 x 900" in viewer.facts.text()
    whole = viewer.canvas.zoom
    assert 0 < whole < 1  # as large as the window
    for key, closer in ((Qt.Key.Key_Plus, True), (Qt.Key.Key_Minus, False)):
        before = viewer.canvas.zoom
        viewer.keyPressEvent(QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier))
        assert (viewer.canvas.zoom > before) is closer
    for _ in range(40):
        viewer.canvas.zoom_by(2)
    assert viewer.canvas.zoom == pytest.approx(8)
    viewer.whole.click()
    assert viewer.canvas.zoom == pytest.approx(whole)
    viewer.copies.click()
    assert present(QGuiApplication.clipboard()).image().width() == 1600
    viewer.save_as(str(tmp_path / "copy.png"))
    assert (tmp_path / "copy.png").read_bytes() == Path(photo).read_bytes()
    viewer.save_as(str(tmp_path / "no" / "such" / "folder.png"))
    assert viewer.facts.text() == "Not saved: No such file or directory"
    viewer.close()


def test_the_viewer_shows_no_picture_that_lies(make_stage: MakeStage, tmp_path: Path) -> None:
    stage: Stage = make_stage(session_view(peer_view()))
    viewer = opened(stage, bomb(tmp_path / "bomb.png"))
    assert viewer.problem.text() == NOT_SHOWN
    assert not viewer.copies.isEnabled()
    viewer.close()


def test_pictures_that_wait_to_be_sent_are_seen(make_stage: MakeStage, photo: str) -> None:
    stage: Stage = make_stage(session_view(peer_view()))
    row = stage.pane.composer.attachments
    row.add([photo])
    stage.until(lambda: row._chips[0].picture is not None, within_ms=60_000)
