"""Whatever ends a run, nothing that it started goes on."""

import os
import select
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e

RUN = """
import signal, subprocess, sys, time
from realworld.guard import guarded
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
with guarded():
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    print(child.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_a_run(number: signal.Signals) -> None:
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", "-c", RUN]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        assert run.stdout is not None
        child = os.pidfd_open(int(run.stdout.readline()))
        run.send_signal(number)
        assert run.wait(30) != 0
    try:
        ended, _, _ = select.select([child], [], [], 30)
        assert ended
    finally:
        os.close(child)
