import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatnet_engine.io import log as log_module
from chatnet_engine.io.log import LineFormatter, close_log, open_log


@pytest.fixture
def path(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("sys.excepthook", lambda *args: None)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    yield str(own_home / "engine.log")
    close_log()
    logging.getLogger().setLevel(logging.WARNING)


def shown(message: str) -> str:
    return LineFormatter("%(message)s").format(
        logging.LogRecord("x", logging.INFO, "", 0, message, None, None)
    )


def test_zero_width_characters_are_visible_in_the_log() -> None:
    assert shown("a\u00ad\u200b\u2060\ufeff\u200d\U000e0041") == (
        "a\\xad\\u200b\\u2060\\ufeff\\u200d\\U000e0041"
    )


def test_escape_disarms_what_terminals_and_readers_obey() -> None:
    assert shown("ünïcode 😀") == "ünïcode 😀"
    assert shown("a\nb\x1b[2J\x7f\x9b") == "a\\x0ab\\x1b[2J\\x7f\\x9b"
    assert shown("\u202eabc\u2028\u2066\ufeff\ud800") == "\\u202eabc\\u2028\\u2066\\ufeff\\ud800"


def test_a_record_is_one_line_even_with_a_traceback(path: str) -> None:
    open_log(path, "info")
    log = logging.getLogger("chatnet.test")
    log.debug("not this")
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        log.exception("peer says %s", "hello\r\nFORGED")
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert len(lines) == 1
    assert "ERROR chatnet.test peer says hello\\x0d\\x0aFORGED" in lines[0]
    assert "ValueError at test_log.py:" in lines[0]
    assert "first" not in lines[0]


def test_an_error_is_logged_in_the_words_of_the_system_without_the_path(path: str) -> None:
    open_log(path, "info")
    try:
        open(f"{path}/somebody's folder")  # noqa: SIM115
    except OSError as error:
        logging.getLogger("chatnet.test").warning("cannot be read: %s", error)
    logging.getLogger("chatnet.test").warning("odd: %s", ValueError("a person's text"))
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert lines[0].endswith("cannot be read: Not a directory")
    assert lines[1].endswith("odd: ValueError")


def test_the_log_is_bounded(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "MAX_LOG_BYTES", 2000)
    open_log(path, "info")
    for number in range(200):
        logging.getLogger("chatnet.test").info("line %d", number)
    sizes = [os.path.getsize(path), os.path.getsize(path + ".1")]
    assert all(size <= 2000 for size in sizes)
    assert not os.path.exists(path + ".2")


def test_the_descriptor_is_the_files(path: str) -> None:
    fd = open_log(path, "info")
    os.write(fd, b"from a child\n")
    with open(path, encoding="utf-8") as file:
        assert file.read() == "from a child\n"
    assert stat.S_ISREG(os.fstat(fd).st_mode)


def test_uncaught_errors_go_to_the_log(path: str) -> None:
    open_log(path, "warning")
    log_module._log_uncaught(ValueError, ValueError("loud"), None)
    with open(path, encoding="utf-8") as file:
        assert "CRITICAL chatnet_engine.io.log uncaught" in file.read()
