"""States with files: how they are offered, sent, received and looked at."""

from collections.abc import Callable
from typing import Any

from chatnet_protocol.ipc.reasons import TransferReason, reason
from chatnet_protocol.ipc.rows import TransferState
from chatnet_protocol.ipc.view import View
from chatnet_qt.picture_viewer import PictureViewer
from chatnet_qt.qt import QColor, QImage, QPainter, Qt, QWidget
from qtworld import (
    NOW_MS,
    offer_row,
    peer_view,
    session_view,
    transfer_row,
    with_rows,
)
from screens.scene import Scene, chat, others

CHANGED = reason(TransferReason.FILE_CHANGED, "measurements-2026-11-28-rack-4.csv")


def transfers_view() -> View:
    """The states of a file, one below the other."""
    kinds: list[tuple[str, bool, dict[str, Any]]] = [
        (TransferState.OFFERED, False, {}),
        (TransferState.DONE, False, {"path": "/home/ann/Downloads/ChatNet/IMG_2041.jpg"}),
        (TransferState.REJECTED, False, {"by": "me"}),
        (TransferState.ACTIVE, False, {"done_bytes": 1_300_000_000}),
        (TransferState.WAITING, True, {"reason": reason(TransferReason.QUEUED)}),
        (TransferState.PAUSED, True, {"by": "peer", "done_bytes": 800_000_000}),
        (TransferState.VERIFYING, True, {}),
        (TransferState.DONE, True, {"files": 41}),
        (TransferState.FAILED, True, {"reason": CHANGED, "path": "/home/ann/m.csv"}),
        (TransferState.CANCELLED, False, {"by": "peer"}),
    ]
    names = ["debian-13-arm64.img.xz", "IMG_2041.jpg", "core-dump.bin", "fourth.bin", "report.pdf"]
    names += ["second.bin", "third.bin", "project notes", "measurements-2026-11-28-rack-4.csv"]
    names += ["a-very-long-name-of-a-file-that-somebody-did-not-want-to-shorten.tar.gz"]
    rows = [
        offer_row(no, name, 2_100_000_000, mine=mine, at_ms=NOW_MS + no * 1000)
        for no, (name, (_, mine, _)) in enumerate(zip(names, kinds, strict=True), 1)
    ]
    view = session_view(with_rows(peer_view(), rows), *others())
    view.transfers = [
        transfer_row(row, state, name, 2_100_000_000, **more)
        for row, name, (state, _, more) in zip(rows, names, kinds, strict=True)
    ]
    return view


def transfers(scene: Scene) -> QWidget:
    return scene.open(transfers_view(), (1280, 1500)).window


def transfers_narrow(scene: Scene) -> QWidget:
    return scene.open(transfers_view(), (480, 1500)).window


def picture(scene: Scene, name: str) -> str:
    """A photograph of hills, more or less."""
    image = QImage(1600, 1000, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    painter.setPen(Qt.PenStyle.NoPen)
    for n, shade in enumerate(("#cfe3f5", "#9fb8c9", "#6f8f86", "#43644f", "#22402f")):
        painter.setBrush(QColor(shade))
        painter.drawEllipse(-400 + n * 310, n * 170, 1700, 1500) if n else painter.drawRect(
            image.rect()
        )
    painter.end()
    path = f"{scene.folder}/{name}"
    image.save(path, "JPG")
    return path


def writing(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()))
    row = stage.pane.composer.attachments
    notes = f"{scene.folder}/a-name-that-is-too-long-for-the-row.tar.gz"
    with open(notes, "wb") as file:
        file.write(bytes(700_000))
    row.add([picture(scene, "hills.jpg"), picture(scene, "more-hills.jpg"), notes])
    stage.until(lambda: all(chip.picture for chip in row._chips[:2]), within_ms=60_000)
    stage.pane.composer.box.setPlainText("Here they are.")
    return stage.window


def picture_viewer(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()))
    viewer = PictureViewer(picture(scene, "hills.jpg"), stage.window)
    viewer.show()
    stage.until(viewer.copies.isEnabled, within_ms=60_000)
    return viewer


FILE_STATES: dict[str, Callable[[Scene], QWidget]] = {
    "transfers": transfers,
    "transfers-narrow": transfers_narrow,
    "writing": writing,
    "picture-viewer": picture_viewer,
}
