"""Starts the window: arguments, signals, one session, one event loop.

    python -m chatnet_qt --connection FILE

`main(argv, connection_file)` is the entry point `qt` of `chatnet.frontends`. Qt itself is imported
late, so that a machine without its libraries gets a sentence and not a traceback.
"""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from chatnet_client.front_end import OR_TERMINAL
from chatnet_client.streams import open_standard_streams

FAILED = 1
TERMINAL = "chatnet_cli.chat:main"
NO_QT = (
    "The window cannot open: {reason}. It needs a display, PyQt5 and the packages in "
    "scripts/debian-packages.txt; the terminal works without: chatnet attach cli"
)
TERMINAL_INSTEAD = "The window cannot open here ({reason}). This is the terminal chat."
NO_DISPLAY = "There is no display here (DISPLAY and WAYLAND_DISPLAY are unset): chatnet attach cli"


def main(argv: list[str], connection_file: str) -> int:
    """Show the session behind `connection_file` until the window closes. Returns 0, or 1."""
    open_standard_streams()
    or_terminal = OR_TERMINAL in argv
    argv = [word for word in argv if word != OR_TERMINAL]

    def cannot_open(sentence: str, reason: str) -> int:
        if or_terminal and sys.stdin and sys.stdin.isatty():
            print(TERMINAL_INSTEAD.format(reason=reason), file=sys.stderr, flush=True)  # noqa: T201
            terminal = [sys.executable, "-P", "-m", "chatnet_cli.run_frontend", TERMINAL]
            os.execv(terminal[0], [*terminal, connection_file, *argv])  # noqa: S606
        print(sentence.format(reason=reason), file=sys.stderr, flush=True)  # noqa: T201
        return FAILED

    headless = os.environ.get("QT_QPA_PLATFORM", "") in ("offscreen", "minimal", "vnc")
    if not headless and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return cannot_open(NO_DISPLAY, "there is no display")
    # What is made until the window is there stays; looking through it again and again costs a tenth
    # of the start. `window_app` turns collecting on again.
    gc.disable()
    try:
        with quick_imports():
            from chatnet_qt import window_app
    except ImportError as error:
        return cannot_open(NO_QT, str(error).partition("\n")[0])

    def give_up(reason: str) -> None:
        os._exit(cannot_open(NO_QT, reason))

    return window_app.run(argv, connection_file, give_up)


@contextmanager
def quick_imports() -> Iterator[None]:
    """Spare the start two things in this block, 15 and 8 ms: `typing_extensions`, for which msgspec
    takes `typing` where it is not installed, and looking up all of Qt's functions at once (see
    RTLD_LAZY in dlopen(3)) instead of each when it is called first.
    """
    hidden = {name: None for name in ("typing_extensions",) if name not in sys.modules}
    flags = sys.getdlopenflags()
    sys.modules.update(hidden)  # type: ignore[arg-type]  # None: importing it fails
    sys.setdlopenflags(os.RTLD_LAZY)
    try:
        yield
    finally:
        sys.setdlopenflags(flags)
        for name in hidden:
            del sys.modules[name]


def run_module(argv: list[str]) -> int:
    """`python -m chatnet_qt`."""
    import argparse

    open_standard_streams()
    parser = argparse.ArgumentParser(
        prog="python -m chatnet_qt", description="The ChatNet window for a running session."
    )
    parser.add_argument("--connection", required=True, metavar="FILE", help="connection.json")
    options, rest = parser.parse_known_args(argv)
    return main(rest, options.connection)
