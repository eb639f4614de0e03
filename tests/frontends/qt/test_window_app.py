"""The window as a process: it attaches, two windows agree, it ends by a signal."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatnet_client.threaded import ThreadedClient
from chatnet_protocol.ipc.commands import Attach, Detach, MarkShown
from chatnet_qt import app as app_module
from chatnet_qt import window_app
from chatnet_qt.main_window import MainWindow
from chatnet_qt.qt import QApplication, QTimer
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings
from local_engine import LocalEngine
from qtworld import Stage

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def engine(own_home: Path) -> Iterator[LocalEngine]:
    with LocalEngine(own_home) as engine:
        yield engine


@pytest.fixture
def attach(app: QApplication, engine: LocalEngine, tmp_path: Path) -> Iterator[object]:
    stages: list[Stage] = []

    def make() -> Stage:
        session = Session(
            lambda on_event: ThreadedClient(engine.connection_file, on_event, name="qt")
        )
        window = MainWindow(session, Settings(str(tmp_path)))
        stage = Stage(app, session, window, None)  # type: ignore[arg-type]
        stages.append(stage)
        window.show()
        session.start()
        stage.until(lambda: session.online and window.pane is not None)
        return stage

    yield make
    for stage in stages:
        stage.window.close()
        stage.session.close()
        stage.window.deleteLater()
        stage.session.deleteLater()
    app.processEvents()


def texts(stage: Stage) -> list[str]:
    model = stage.pane.model
    return [model.message(row).text for row in range(model.rowCount())]


def test_two_windows_show_the_same_live(engine: LocalEngine, attach: Callable[[], Stage]) -> None:
    one, other = attach(), attach()
    one.pane.composer.box.setPlainText("hello <b>there</b>")
    one.pane.composer.send()
    other.until(lambda: texts(other) == ["hello <b>there</b>"])
    one.until(lambda: texts(one) == ["hello <b>there</b>"])
    engine.do(lambda world: world.peer_sends("answer"))
    one.until(lambda: len(texts(one)) == 2)
    other.until(lambda: len(texts(other)) == 2)
    one.pane.composer.box.setPlainText("half a sen")
    other.until(lambda: other.pane.composer.box.toPlainText() == "half a sen")
    one.until(lambda: one.session.view == other.session.view)


def test_an_engine_that_restarts_is_found_again(
    engine: LocalEngine, attach: Callable[[], Stage]
) -> None:
    stage = attach()
    engine.do(lambda world: world.peer_sends("before"))
    stage.until(lambda: texts(stage) == ["before"])
    engine.restart()
    engine.do(lambda world: world.peer_sends("after"))
    stage.until(lambda: texts(stage) == ["before", "after"])


def start_window(engine: LocalEngine, **environ: str) -> subprocess.Popen[bytes]:
    folders = [str(ROOT / folder) for folder in ("protocol", "frontends")]
    return subprocess.Popen(
        [sys.executable, "-m", "chatnet_qt", "--connection", engine.connection_file],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders), **environ},
        stderr=subprocess.PIPE,
    )


def ends_cleanly(process: subprocess.Popen[bytes], number: int) -> bytes:
    process.send_signal(number)
    _, errors = process.communicate(timeout=90)
    assert process.returncode == 0, errors.decode()
    return errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_the_window(engine: LocalEngine, number: int) -> None:
    process = start_window(engine, QT_QPA_PLATFORM="offscreen")
    assert engine.await_seen(Attach)
    errors = ends_cleanly(process, number)
    assert b"Traceback" not in errors
    assert engine.await_seen(Detach)


def test_a_real_window_shows_and_reads(engine: LocalEngine, xvfb: str) -> None:
    engine.do(lambda world: world.peer_sends("look at me"))
    process = start_window(engine, QT_QPA_PLATFORM="xcb", DISPLAY=xvfb)
    assert engine.await_seen(MarkShown) == [MarkShown(1, 1)]
    maps = Path(f"/proc/{process.pid}/maps").read_text()
    assert "libQt5XcbQpa" in maps
    assert not [name for name in ("libGLX_mesa", "libgallium", "swrast_dri") if name in maps]
    ends_cleanly(process, signal.SIGTERM)


def test_qt_alone_does_without_opengl(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is opened from the window inherits no setting."""
    name = "QT_XCB_GL_INTEGRATION"
    monkeypatch.delenv(name, raising=False)
    with window_app.no_opengl():
        assert os.environ[name] == "none"
    assert name not in os.environ
    monkeypatch.setenv(name, "xcb_egl")  # somebody's own choice
    with window_app.no_opengl():
        assert os.environ[name] == "xcb_egl"
    assert os.environ[name] == "xcb_egl"


def test_without_a_display_there_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    assert app_module.main([], "/nowhere/connection.json") == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_without_qt_there_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "chatnet_qt.window_app", None)
    monkeypatch.delattr("chatnet_qt.window_app", raising=False)
    assert app_module.main([], "/nowhere/connection.json") == 1
    words = capsys.readouterr().err
    assert words.count("\n") == 1
    assert "chatnet attach cli" in words


def test_a_display_that_is_not_there_is_one_sentence(engine: LocalEngine) -> None:
    process = start_window(engine, QT_QPA_PLATFORM="xcb", DISPLAY=":9999")
    _, errors = process.communicate(timeout=90)
    assert process.returncode == 1
    assert errors.count(b"\n") == 1
    assert b"chatnet attach cli" in errors


def test_a_mistake_of_the_window_ends_it_by_one_sentence(
    app: QApplication, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hook = window_app.report_mistake(str(tmp_path), app)
    QTimer.singleShot(0, lambda: hook(KeyError, KeyError("x"), None))
    assert app.exec_() == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert "KeyError" in (tmp_path / window_app.MISTAKE_FILE).read_text()


def test_a_client_that_dies_ends_the_window_by_one_sentence(
    app: QApplication, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    QTimer.singleShot(0, lambda: window_app.end_after(str(tmp_path), app, "It died.", "trace"))
    assert app.exec_() == 1
    assert capsys.readouterr().err.startswith("It died. The engine is still running.")
    assert (tmp_path / window_app.MISTAKE_FILE).read_text() == "trace"
