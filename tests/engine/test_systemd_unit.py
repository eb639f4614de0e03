import configparser
from pathlib import Path

import pytest

from chatnet_engine.main import main
from chatnet_engine.systemd_unit import unit_text


def parsed(text: str) -> configparser.RawConfigParser:
    unit = configparser.RawConfigParser(strict=True)
    unit.optionxform = str  # type: ignore[assignment, method-assign] # as its documentation says
    unit.read_string(text)
    return unit


def test_it_restarts_what_died_and_nothing_else() -> None:
    service = parsed(unit_text("a", ["/bin/engine", "12345"]))["Service"]
    assert service["ExecStart"] == '"/bin/engine" "12345"'
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"] == "1 2"
    assert service["RestartSec"] == "100ms"


def test_nothing_in_a_name_is_read_by_systemd() -> None:
    unit = unit_text("a", ["e", '--name=100% "$HOME" \\ \n'], [("CHATNET_HOME", "/h%i")])
    service = parsed(unit)["Service"]
    assert service["ExecStart"] == '"e" "--name=100%% \\"$$HOME\\" \\\\ \\n"'
    assert service["Environment"] == '"CHATNET_HOME=/h%%i"'


def test_the_command_line_prints_it_and_starts_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHATNET_HOME", str(tmp_path))
    argv = ["12345", "host.example", "12346", "--session", "a", "--name", "Ann", "--print-unit"]
    assert main(argv) == 0
    service = parsed(capsys.readouterr().out)["Service"]
    assert '"12345" "host.example" "12346" "--session" "a" "--name" "Ann"' in service["ExecStart"]
    assert '"--kept-by" "systemd"' in service["ExecStart"]
    assert service["Environment"] == f'"CHATNET_HOME={tmp_path}"'
    assert not list(tmp_path.iterdir())
    assert main(["0", "--print-unit"]) == 2
    assert "needs a port" in capsys.readouterr().err
