"""`demo` leaves no process behind, whenever it is interrupted."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import FrameType

import pytest

from chatnet_cli.environment import Environment
from chatnet_cli.verbs import demo
from chatnet_client.sessions import Session

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


def interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {one: signal.signal(one, interrupt) for one in demo.ENDS}
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.mark.parametrize("one", demo.ENDS)
def test_an_interruption_waits_for_what_must_be_whole(one: signal.Signals) -> None:
    done = []

    def interrupted() -> None:
        os.kill(os.getpid(), one)
        done.append("whole")

    with pytest.raises(KeyboardInterrupt), demo.held_back():
        interrupted()
    assert done == ["whole"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(one)


def test_without_an_interruption_nothing_is_raised() -> None:
    with demo.held_back():
        pass
    with pytest.raises(OSError, match="full"), demo.held_back():
        raise OSError("full")


def test_a_window_that_opens_while_the_demo_is_ended_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def popen(command: Sequence[str], **_options: object) -> subprocess.Popen[bytes]:
        assert "qt" in command
        opened.append(real(SLEEPER, stdin=subprocess.DEVNULL))
        # The signal comes when the process runs and nobody has its number yet.
        os.kill(os.getpid(), signal.SIGTERM)
        return opened[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    env = replace(Environment.real(), stderr=io.StringIO())
    sessions = [Session(name, f"/nowhere/{name}", None) for name in demo.NAMES]
    try:
        with pytest.raises(KeyboardInterrupt):
            demo.open_windows(env, "/nowhere", sessions)
        assert len(opened) == len(demo.NAMES)
        assert [window.poll() is not None for window in opened] == [True, True]
    finally:
        for window in opened:
            window.kill()
            window.wait()
