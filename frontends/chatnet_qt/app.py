"""Starts the window: arguments, signals, one session, one event loop.

    python -m chatnet_qt --connection FILE

`main(argv, connection_file)` is the entry point `qt` of `chatnet.frontends`. Qt itself is imported
late, so that a machine without its libraries gets a sentence and not a traceback.
"""

import argparse
import os
import sys

from chatnet_client.streams import open_standard_streams

FAILED = 1
NO_QT = (
    "The window needs PyQt5 and its system libraries ({reason}). Install the packages in "
    "scripts/debian-packages.txt, or use the terminal: chatnet attach cli"
)
NO_DISPLAY = "There is no display here (DISPLAY and WAYLAND_DISPLAY are unset): chatnet attach cli"


def main(argv: list[str], connection_file: str) -> int:
    """Show the session behind `connection_file` until the window closes. Returns 0, or 1."""
    open_standard_streams()
    headless = os.environ.get("QT_QPA_PLATFORM", "") in ("offscreen", "minimal", "vnc")
    if not headless and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        print(NO_DISPLAY, file=sys.stderr)  # noqa: T201
        return FAILED
    try:
        from chatnet_qt import window_app
    except ImportError as error:
        reason = str(error).partition("\n")[0]
        print(NO_QT.format(reason=reason), file=sys.stderr)  # noqa: T201
        return FAILED

    def give_up(reason: str) -> None:
        print(NO_QT.format(reason=reason), file=sys.stderr, flush=True)  # noqa: T201
        os._exit(FAILED)

    return window_app.run(argv, connection_file, give_up)


def run_module(argv: list[str]) -> int:
    """`python -m chatnet_qt`."""
    open_standard_streams()
    parser = argparse.ArgumentParser(
        prog="python -m chatnet_qt", description="The ChatNet window for a running session."
    )
    parser.add_argument("--connection", required=True, metavar="FILE", help="connection.json")
    options, rest = parser.parse_known_args(argv)
    return main(rest, options.connection)
