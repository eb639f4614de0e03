"""The demonstration, with and without a display."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from realworld.engines import environment

DEMO = [sys.executable, "-P", "-m", "chatnet_cli", "demo"]


def leftovers(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.startswith("chatnet-demo-")]


def test_without_a_display_a_conversation_is_played(tmp_path: Path) -> None:
    env = environment(tmp_path, "demo") | {"TMPDIR": str(tmp_path)}
    command = [*DEMO, "--seed", "5", "--delay", "5ms"]
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert "seed 5" in done.stderr
    for words in ("✓✓ read · ACK 1", "你好", "Received and verified", "[ACK 1 ·"):
        assert words in done.stdout, words
    last = done.stdout.splitlines()[-1]
    assert last.startswith("6 lines and a file arrived, once and in order")
    assert " 0 packets lost" not in last
    assert leftovers(tmp_path) == []


def test_with_a_display_two_windows_open_and_the_end_is_clean(tmp_path: Path, xvfb: str) -> None:
    env = environment(tmp_path, "demo")
    env |= {"TMPDIR": str(tmp_path), "DISPLAY": xvfb, "QT_QPA_PLATFORM": "xcb"}
    with subprocess.Popen(
        DEMO, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as demo:
        assert demo.stderr
        line = next(line for line in demo.stderr if "Close both windows" in line)
        assert line
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=60)
    assert leftovers(tmp_path) == []
