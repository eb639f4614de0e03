"""Ends whatever a run has started once the run itself has ended, however it ended.

Every process of a run carries a mark in its environment, engines in the background too. A small
process beside the run waits for its end and then kills all that carry the mark.
"""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

MARK = "CHATNET_SOAK_RUN"


@contextmanager
def guarded(hold: Sequence[int] = ()) -> Iterator[None]:
    """SIGTERM ends the run as SIGINT does; nothing it started outlives it.

    `hold`: descriptors that stay open until the last process is gone, of a lock for instance.
    """
    token = secrets.token_hex(8)
    environ = {name: value for name, value in os.environ.items() if name != MARK}
    read, write = os.pipe()
    guard = subprocess.Popen(
        [sys.executable, "-P", "-m", "realworld.guard", token],
        stdin=read,
        env=environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        pass_fds=hold,
        start_new_session=True,
    )
    os.close(read)
    os.environ[MARK] = token
    old = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)
        del os.environ[MARK]
        os.close(write)
        guard.wait()


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def kill_marked(token: str) -> int:
    """Kill every process with that mark; how many there were."""
    wanted = f"{MARK}={token}".encode()
    count = 0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with suppress(OSError):
            descriptor = os.pidfd_open(int(name))
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if wanted in file.read().split(b"\0"):
                        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                        count += 1
            finally:
                os.close(descriptor)
    return count


if __name__ == "__main__":
    sys.stdin.buffer.read()
    while kill_marked(sys.argv[1]):
        pass
