"""Where the window cannot open: one sentence, or the terminal chat when nobody chose the window."""

import io
import os
import subprocess
import sys

import pytest

from chatnet_client.front_end import OR_TERMINAL
from chatnet_qt import app


class Became(Exception):
    def __init__(self, command: list[str]) -> None:
        super().__init__()
        self.command = command


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    def become(path: str, command: list[str]) -> None:
        raise Became(command)

    monkeypatch.setattr(os, "execv", become)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)


def test_the_terminal_takes_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(Became) as became:
        app.main([OR_TERMINAL, "--peer", "bob"], "/file")
    assert became.value.command[-4:] == ["chatnet_cli.chat:main", "/file", "--peer", "bob"]
    assert "there is no display" in capsys.readouterr().err


@pytest.mark.parametrize(("argv", "stdin"), [([], Terminal()), ([OR_TERMINAL], io.StringIO())])
def test_who_asked_for_the_window_or_has_no_terminal_gets_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    stdin: io.StringIO,
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    assert app.main(argv, "/file") == app.FAILED
    assert "chatnet attach cli" in capsys.readouterr().err


def test_the_reason_is_what_qt_warned_of_and_not_its_last_words() -> None:
    program = "import sys; from chatnet_qt import app; sys.exit(app.main([], '/none'))"
    environ = {**os.environ, "DISPLAY": ":65000", "QT_QPA_PLATFORM": "xcb"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == app.FAILED
    lacks_libraries = "Could not load the Qt platform plugin" in done.stderr
    assert lacks_libraries or ":65000" in done.stderr
    assert "Reinstal" not in done.stderr
