"""What a window does before it is painted first, in a process of its own: which modules it loads
and how many messages it lays out."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import dataclasses, json, sys
from chatnet_qt import bubble_delegate
from chatnet_qt.qt import QApplication, QEvent, QObject
from qtworld import open_stage, peer_view, session_view, text_row, with_rows

laid_out, painted = [], []
place = bubble_delegate.place

def noted(bubble, *rest):
    laid_out.append(bubble.row.no)
    return place(bubble, *rest)

class Paint(QObject):
    def eventFilter(self, _watched, event):
        if event.type() == QEvent.Type.Paint and stage.window.pane and not painted:
            painted.append((list(laid_out), sorted(sys.modules)))
        return False

app = QApplication(["test"])
app.setQuitOnLastWindowClosed(False)
bubble_delegate.place = noted
rows = [text_row(no, f"Message {no}. " + "More words. " * (no % 9), ack=no) for no in range(1, 51)]
stage = open_stage(app, sys.argv[1], size=(1100, 760))
paint = Paint()
app.installEventFilter(paint)
stage.client.reset(session_view(with_rows(peer_view(my_read=50), rows)))
while not painted:
    app.processEvents()
app.removeEventFilter(paint)
slow = [
    f"{name}.{key}"
    for name, module in sorted(sys.modules.items())
    if name.startswith("chatnet_")
    for key, value in vars(module).items()
    if isinstance(value, type) and value.__module__ == name and dataclasses.is_dataclass(value)
]
in_sight = [stage.pane.model.message(row).no for row in stage.pane.view.visible_rows()]
laid_out_before, modules = painted[0]
print(json.dumps([laid_out_before, in_sight, modules, slow]))
stage.close()
"""
LATE = (
    *(
        f"chatnet_qt.{name}"
        for name in (
            *("contact_page", "first_contact", "settings_page", "own_settings", "page", "qr"),
            *("emoji_completion", "emoji_names", "emoji_picker", "find_bar", "link_panel"),
            *("details", "picture_viewer", "plot", "safety", "help_text", "quit_dialog"),
            *("announcer", "launcher", "menus", "notifications", "peer_menu", "privacy", "tray"),
        )
    ),
    *("chatnet_client.words.deliveries", "difflib", "emoji", "hashlib", "html", "ipaddress"),
    *("segno", "shutil", "urllib.parse", "PyQt5.QtDBus"),
)
"""Loaded with what needs them, when somebody opens that."""


START = """
import json, sys
from chatnet_qt import app
with app.quick_imports():
    from chatnet_qt import window_app
print(json.dumps(sorted(sys.modules)))
"""
NOT_AT_ALL = (
    *("argparse", "asyncio", "base64", "dataclasses", "hashlib", "hmac", "inspect", "logging"),
    *("secrets", "shutil", "subprocess", "tempfile", "traceback", "typing_extensions"),
)
"""Loaded by no import of the window: each would cost a start 1 to 15 ms."""


@pytest.fixture(scope="module")
def first_paint(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("settings")
    return printed_by(PROGRAM, str(folder))


def printed_by(program: str, *words: str) -> Any:
    """The last line of what a process of its own prints, as JSON."""
    command = [sys.executable, "-P", "-c", program, *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("DBUS_SESSION_BUS_ADDRESS", None)  # a desktop is asked for its theme at once
    made = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout.splitlines()[-1])


@pytest.mark.e2e
def test_what_is_opened_later_is_loaded_later(first_paint: Any) -> None:
    modules = first_paint[2]
    assert "chatnet_qt.conversation_pane" in modules
    assert not set(LATE) & set(modules)


@pytest.mark.e2e
def test_a_start_imports_nothing_that_it_does_not_need() -> None:
    modules = printed_by(START)
    assert "chatnet_client.threaded" in modules
    assert not set(NOT_AT_ALL) & set(modules)


@pytest.mark.e2e
def test_records_are_structs(first_paint: Any) -> None:
    """A dataclass writes and compiles its methods when it is loaded, 0.8 ms each; a struct takes a
    thirtieth of that."""
    assert first_paint[3] == []


@pytest.mark.e2e
def test_only_messages_in_sight_are_laid_out_before_the_first_paint(first_paint: Any) -> None:
    laid_out, in_sight = first_paint[0], first_paint[1]
    assert set(in_sight) <= set(laid_out)
    assert len(laid_out) < 50
    assert len(laid_out) <= 3 * len(in_sight)
