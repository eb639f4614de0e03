"""News while nobody looks: notifications that are grouped and taken away again, the task bar."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import fake_desktop
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.events import TransferGauge
from chatnet_protocol.ipc.rows import TransferState
from chatnet_qt.launcher import Launcher, properties_of
from chatnet_qt.qt import QIcon, QSystemTrayIcon
from qtworld import (
    MakeStage,
    Stage,
    offer_row,
    peer_view,
    session_view,
    text_row,
    transfer_row,
    with_rows,
)

DESKTOP = Path(fake_desktop.__file__)


class Shown:
    """In the place of the desktop."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.acts: list[tuple[object, ...]] = []
        notifications = stage.window.attendants.tray.notifications
        monkeypatch.setattr(notifications, "show", lambda *words: self.acts.append(words))
        monkeypatch.setattr(notifications, "clear", lambda peer: self.acts.append(("clear", peer)))
        monkeypatch.setattr(type(stage.window), "isActiveWindow", lambda _self: False)

    def take(self) -> list[tuple[object, ...]]:
        acts, self.acts = self.acts, []
        return acts


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    peers = []
    for number in range(1, 6):
        peer = peer_view(number, name=f"Peer {number}")
        peer.info = msgspec.structs.replace(peer.info, key=bytes([number]) * 32)
        peers.append(with_rows(peer, []))
    return make_stage(session_view(*peers))


def arrive(stage: Stage, peer: int, *numbers: int) -> None:
    stage.arrive(*[text_row(no, f"text {no}", ack=no) for no in numbers], peer=peer)


def test_one_notification_a_conversation_which_counts_what_is_unread(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Shown(stage, monkeypatch)
    arrive(stage, 1, 1)
    stage.window.attendants.tray._announce()
    assert shown.take() == [(1, "Peer 1", "New message")]
    arrive(stage, 1, 2)
    stage.window.attendants.tray._announce()
    assert shown.take() == [(1, "Peer 1", "2 new messages")]


def test_what_is_read_anywhere_needs_no_notification(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Shown(stage, monkeypatch)
    arrive(stage, 1, 1, 2)
    arrive(stage, 2, 1)
    stage.window.attendants.tray._announce()
    shown.take()
    stage.client.change(ev.MarksMoved(1, 0, 0, 0, 1, 1))
    stage.settle()
    assert shown.take() == []  # one is unread yet
    stage.client.change(ev.MarksMoved(1, 0, 0, 0, 2, 2))
    stage.settle()
    assert shown.take() == [("clear", 1)]


def test_news_of_many_conversations_make_one_notification(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Shown(stage, monkeypatch)
    for peer in range(1, 6):
        arrive(stage, peer, 1)
    stage.window.attendants.tray._announce()
    assert shown.take() == [(0, "ChatNet", "5 new messages in 5 conversations")]


def test_a_notification_opens_its_conversation(stage: Stage) -> None:
    stage.window.attendants.tray.notifications.activated.emit(3)
    assert stage.pane.peer_number == 3


def test_the_task_bar_shows_how_far_all_transfers_are(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [offer_row(no, f"{no}.bin", 1000, ack=no) for no in (1, 2)]
    view = session_view(with_rows(peer_view(my_read=0), rows))
    view.transfers = [transfer_row(row, TransferState.ACTIVE, "x", 1000) for row in rows]
    stage = make_stage(view)
    published: list[tuple[int, float | None]] = []
    monkeypatch.setattr(stage.window.attendants.launcher, "_publish", published.append)
    stage.client.gauge(TransferGauge(rows[0].id, 1, 1, 500, 100.0))
    stage.settle()
    stage.window.attendants.launcher.renew()
    stage.window.attendants.launcher.renew()
    assert published == [(view.peers[0].unread, 0.25)]
    assert properties_of(published[0])["progress-visible"] is True
    done = [msgspec.structs.replace(row, state=TransferState.DONE) for row in view.transfers]
    stage.client.change(*[ev.TransferChanged(row) for row in done])
    stage.settle()
    stage.window.attendants.launcher.renew()
    assert published[-1][1] is None
    assert properties_of(published[-1])["progress-visible"] is False


def test_the_task_bar_shows_what_was_unread_before_the_start(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[tuple[int, float | None]] = []
    monkeypatch.setattr(Launcher, "_publish", lambda _self, facts: published.append(facts))
    row = text_row(1, "text", ack=1)
    stage = make_stage(session_view(with_rows(peer_view(my_read=0), [row])))
    monkeypatch.setattr(type(stage.window), "isActiveWindow", lambda _self: False)
    stage.until(lambda: bool(published), 5000)
    assert published == [(1, None)]


def test_a_desktop_on_a_real_bus_shows_them() -> None:
    runner = shutil.which("dbus-run-session")
    if runner is None:
        pytest.skip("dbus-run-session is not installed")
    result = subprocess.run(
        [runner, "--", sys.executable, str(DESKTOP)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    lines = result.stdout.splitlines()
    assert "launcher application://x.desktop 3 0.5" in lines, result.stdout + result.stderr
    assert "notify 0 Bob|a &lt;b&gt;|default,Open" in lines
    assert "notify 41 Bob|2 new messages|default,Open" in lines  # the same one
    assert not [line for line in lines if "dropped" in line]
    assert {"activated 2", "close 41", "close 42"} <= set(lines)


def test_the_icon_blinks_while_something_is_unread_where_that_is_wanted(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", lambda: True)
    stage = make_stage(session_view(with_rows(peer_view(), [])))
    tray = stage.window.attendants.tray
    assert tray._icon is not None
    icons: list[object] = []
    monkeypatch.setattr(tray._icon, "setIcon", icons.append)

    def blinks(times: int) -> int:
        icons.clear()
        for _ in range(times):
            if tray._blink.isActive():
                tray._blink.timeout.emit()
        return len({icon.cacheKey() for icon in icons if isinstance(icon, QIcon)})

    tray.show_unread(1)
    assert blinks(4) == 0
    stage.window._settings.blink = True
    tray.show_unread(2)
    assert blinks(4) == 2
    stage.window._settings.blink = False
    assert blinks(4) == 1
    tray.show_unread(0)
    assert blinks(4) == 0
