"""The Qt application around the window: made, run and taken down in one function."""

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from chatnet_client.kept_file import KeptFile
from chatnet_client.threaded import ThreadedClient
from chatnet_qt.autostart import MENU_FILE
from chatnet_qt.bridge import Client, OnEvent
from chatnet_qt.main_window import MainWindow
from chatnet_qt.preloading import load_in_background
from chatnet_qt.qt import (
    QApplication,
    QSocketNotifier,
    Qt,
    QTimer,
    QtMsgType,
    qInstallMessageHandler,
)
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings

FRONT_END_NAME = "qt"
MISTAKE_FILE = "qt-mistake.txt"
GL_INTEGRATION = "QT_XCB_GL_INTEGRATION"
SETTLED_AFTER_MS = 2000
"""Later than the first paint, and before much was thrown away."""

ExceptHook = Callable[[type[BaseException], BaseException, TracebackType | None], None]


def run(argv: list[str], connection_file: str, give_up: Callable[[str], None]) -> int:
    """Show the session until the window closes.

    Qt ends the process by abort() when it finds no usable display or lacks a library; `give_up` is
    called with its words before that and should not return. The reason is what it warned of
    first; its last words say only that it failed.
    """
    warnings: list[str] = []

    def on_message(kind: QtMsgType, _context: object, words: str | None) -> None:
        first = (words or "").strip().partition("\n")[0]
        if kind == QtMsgType.QtFatalMsg:
            give_up((warnings or [first])[0].rstrip("."))
        elif kind in (QtMsgType.QtInfoMsg, QtMsgType.QtWarningMsg) and first:
            warnings.append(first)  # a plugin that lacks a library is only information

    qInstallMessageHandler(on_message)
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_EnableHighDpiScaling)
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_UseHighDpiPixmaps)
    QApplication.setApplicationName("chatnet")
    QApplication.setApplicationDisplayName("ChatNet")
    app = QApplication(["chatnet", *argv])
    qInstallMessageHandler(None)
    app.setQuitOnLastWindowClosed(False)  # a closed window may stay in the notification area
    path = os.path.abspath(connection_file)
    # The task bar finds the menu's entry by this name.
    entry = MENU_FILE.format(session=os.path.basename(os.path.dirname(path)))
    app.setDesktopFileName(entry.removesuffix(".desktop"))

    def make_client(on_event: OnEvent) -> Client:
        return ThreadedClient(path, on_event, name=FRONT_END_NAME, starts_engine=True)

    session = Session(make_client, keeper=KeptFile(os.path.dirname(path)))
    ending = EndBySignal(app)
    session.start()  # the engine answers while the window is made; nothing is taken before `exec_`
    window = MainWindow(session, Settings(os.path.dirname(path)))
    ending.leave = window.leave
    with no_opengl():
        window.show()
    QTimer.singleShot(SETTLED_AFTER_MS, when_settled)
    hook = sys.excepthook
    folder = os.path.dirname(path)
    sys.excepthook = report_mistake(folder, app)
    session.client_failed.connect(lambda words, trace: end_after(folder, app, words, trace))
    status = app.exec_()
    sys.excepthook = hook
    ending.close()
    session.close()
    return int(status)


@contextlib.contextmanager
def no_opengl() -> Iterator[None]:
    """Nothing here is drawn with OpenGL: on X11 the first window is shown 60 ms sooner if Qt loads
    no driver for it. For Qt in this block only; what is opened from here inherits nothing."""
    unset = GL_INTEGRATION not in os.environ
    os.environ.setdefault(GL_INTEGRATION, "none")
    try:
        yield
    finally:
        if unset:
            del os.environ[GL_INTEGRATION]


def when_settled() -> None:
    """What there is now stays, and is not looked through by any collection; later things are. What
    the first paint did not wait for is loaded."""
    gc.freeze()
    gc.enable()
    load_in_background()


def report_mistake(folder: str, app: QApplication) -> ExceptHook:
    """A hook that ends the window by one sentence and keeps the details in a file.

    Without it PyQt ends the process by abort(), with a core dump. The engine is not concerned.
    """

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        import traceback  # not before the first paint

        details = "".join(traceback.format_exception(kind, error, trace))
        end_after(folder, app, "The window crashed.", details)

    return hook


def end_after(folder: str, app: QApplication, words: str, details: str) -> None:
    """End the window because of a mistake: one sentence for people, the details in a file."""
    path = os.path.join(folder, MISTAKE_FILE)
    with contextlib.suppress(OSError), open(path, "w", encoding="utf-8") as file:
        file.write(details)
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{words} The engine is still running. Details: {path}\n")
    app.exit(1)


class EndBySignal:
    """SIGINT and SIGTERM close the window as its own button would.

    Python runs signal handlers only between bytecodes, and an idle Qt loop runs none; the
    interpreter writes each signal's number into a pipe that Qt watches.
    """

    def __init__(self, app: QApplication) -> None:
        self.leave: Callable[[], None] = app.quit
        """What a signal does: the window's own way out, once there is a window."""
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._old_fd = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._old = {
            number: signal.signal(number, lambda _number, _frame: None)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        number: Any = self._read  # the stubs want a voidptr, Qt an int
        self._notifier = QSocketNotifier(number, QSocketNotifier.Type.Read, app)
        self._notifier.activated.connect(self._on_signal)

    def close(self) -> None:
        """Give the signals back."""
        self._notifier.setEnabled(False)
        signal.set_wakeup_fd(self._old_fd)
        for number, handler in self._old.items():
            signal.signal(number, handler)
        os.close(self._read)
        os.close(self._write)

    def _on_signal(self) -> None:
        os.read(self._read, 64)
        self.leave()
