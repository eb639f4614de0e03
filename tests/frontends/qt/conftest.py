"""One QApplication for all tests of the window, and a window over a client without an engine."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from chatnet_client.kept import Keeper
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_protocol.ipc.view import View
from chatnet_qt.main_window import MainWindow
from chatnet_qt.qt import QApplication, QEvent, QPalette
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings
from chatnet_qt.theme import light_palette
from qtworld import FakeClient, Stage

MakeStage = Callable[..., Stage]


@pytest.fixture(scope="session")
def app() -> QApplication:
    app = QApplication.instance() or QApplication(["test"])
    assert isinstance(app, QApplication)
    app.setQuitOnLastWindowClosed(False)
    return app


@pytest.fixture
def make_stage(app: QApplication, tmp_path: Path) -> Iterator[MakeStage]:
    """Opens a window of 600 x 500 on a view; closes it at the end."""
    stages: list[Stage] = []
    palette = QPalette(app.palette())
    app.setPalette(light_palette())

    def make(
        view: View | None = None,
        *,
        size: tuple[int, int] = (600, 500),
        history: Sequence[MessageRow] = (),
        page_of: Callable[[FetchHistory], HistoryPage] | None = None,
        keeper: Keeper | None = None,
    ) -> Stage:
        clients: list[FakeClient] = []

        def make_client(on_event):
            clients.append(FakeClient(on_event))
            return clients[0]

        session = Session(make_client, keeper=keeper)
        window = MainWindow(session, Settings(str(tmp_path)))
        window.resize(*size)
        stage = Stage(app, session, window, clients[0])
        stages.append(stage)
        clients[0].history = list(history)
        if page_of is not None:
            clients[0].page_of = page_of
        window.show()
        app.setActiveWindow(window)
        session.start()
        if view is not None:
            clients[0].reset(view)
        stage.settle()
        return stage

    yield make
    for stage in stages:
        stage.window.close()
        stage.session.close()
        stage.window.deleteLater()
        stage.session.deleteLater()
    app.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    app.processEvents()
    app.setPalette(palette)
