"""Starts an engine in the background, below its supervisor, and waits until it serves."""

import os
import subprocess
import sys
from collections.abc import Sequence

from chatnet_engine.io.file_link import child_environ
from chatnet_engine.io.start_report import MAX_REPORT_BYTES, READY, decode_report

NO_REPORT = "The engine ended while starting."


def start_in_background(arguments: Sequence[str], folder: str) -> tuple[int, str]:
    """(0 and nothing once it serves, else the exit code and one sentence).

    `folder` is the session's, empty when only the engine can know it.
    """
    environ = child_environ()
    if environ.get("CHATNET_HOME"):
        # Relative to where we are; the supervisor works elsewhere.
        environ["CHATNET_HOME"] = os.path.abspath(environ["CHATNET_HOME"])
    read_fd, write_fd = os.pipe()
    module = "chatnet_engine.io.supervisor"
    command = [sys.executable, "-P", "-m", module, str(write_fd), folder, *arguments]
    with os.fdopen(read_fd, "rb") as reports:
        child = subprocess.Popen(  # noqa: S603 (our own program)
            command,
            pass_fds=[write_fd],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environ,
        )
        os.close(write_fd)
        report = decode_report(reports.read(MAX_REPORT_BYTES))
    if report[:1] == [READY]:
        child.returncode = 0  # it goes on without us; we end before it does
        return 0, ""
    return child.wait() or 1, report[1] if len(report) > 1 else NO_REPORT
