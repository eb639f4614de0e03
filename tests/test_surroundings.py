"""What conftest.py promises: a virtual screen (in CI its absence is a failure), a home apart."""

import os
import subprocess
import sys

from hypothesis import settings

PROGRAM = """
from PyQt5.QtWidgets import QApplication, QLabel
app = QApplication([])
label = QLabel("hello")
label.show()
app.processEvents()
print(app.platformName(), label.grab().width() > 0)
"""


def test_a_window_opens_on_the_virtual_screen(xvfb: str) -> None:
    environment = os.environ | {"DISPLAY": xvfb, "QT_QPA_PLATFORM": "xcb"}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == "xcb True\n", result.stderr


def test_tests_see_nothing_of_the_developer() -> None:
    assert "DISPLAY" not in os.environ
    assert len(os.environ["XDG_RUNTIME_DIR"]) < 40  # a socket's name holds 107 bytes
    assert os.environ["CHATNET_HOME"].startswith(os.environ["HOME"])
    assert os.stat(os.environ["XDG_RUNTIME_DIR"]).st_mode & 0o777 == 0o700


def test_hypothesis_repeats_itself() -> None:
    assert settings().derandomize
    assert settings().deadline is None
