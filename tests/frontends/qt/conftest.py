"""One QApplication for all tests of the window, and a window over a client without an engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatnet_protocol.ipc.view import View
from chatnet_qt.qt import QApplication, QFont, QPalette
from chatnet_qt.theme import light_palette
from qtworld import MakeStage, Stage, open_stage


@pytest.fixture(scope="session")
def app() -> QApplication:
    app = QApplication.instance() or QApplication(["test"])
    assert isinstance(app, QApplication)
    app.setQuitOnLastWindowClosed(False)
    font = QFont(app.font())
    font.setPixelSize(14)
    app.setFont(font)
    return app


@pytest.fixture
def make_stage(app: QApplication, tmp_path: Path) -> Iterator[MakeStage]:
    """Opens a window of 600 x 500 on a view; closes it at the end."""
    stages: list[Stage] = []
    palette = QPalette(app.palette())
    app.setPalette(light_palette())

    def make(view: View | None = None, **more: Any) -> Stage:
        stages.append(open_stage(app, str(tmp_path), view, **more))
        return stages[-1]

    yield make
    for stage in stages:
        stage.close()
    app.setPalette(palette)
