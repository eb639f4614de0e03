"""What every test stands on: an environment of its own, reproducible Hypothesis, a display.

A test never sees the home, the sessions, the display or the time zone of whoever runs it. Paths
given to it are short, because a Unix socket's name holds 107 bytes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

IN_CI = os.environ.get("CI") == "true"
TESTS = Path(__file__).parent
XDG_FOLDERS = {
    "XDG_CONFIG_HOME": "config",
    "XDG_DATA_HOME": "data",
    "XDG_STATE_HOME": "state",
    "XDG_CACHE_HOME": "cache",
    "XDG_RUNTIME_DIR": "run",
}

settings.register_profile("chatnet", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("chatnet")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what lies in tests/e2e, so that `-m "not e2e"` leaves it out."""
    for item in items:
        if item.path.is_relative_to(TESTS / "e2e"):
            item.add_marker("e2e")


@pytest.fixture(scope="session", autouse=True)
def neutral_machine() -> Iterator[None]:
    """Takes the developer's screen, language and time zone away for the whole run."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "LANGUAGE", "NO_COLOR"):
            patch.delenv(name, raising=False)
        patch.setenv("LC_ALL", "C.UTF-8")
        patch.setenv("TZ", "UTC")
        time.tzset()
        if "QT_QPA_PLATFORM" not in os.environ:
            patch.setenv("QT_QPA_PLATFORM", "offscreen")
        yield
    time.tzset()


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Gives each test an empty home; HOME, CHATNET_HOME and the XDG folders lie in it."""
    home = Path(tempfile.mkdtemp(prefix="cn-", dir="/tmp"))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("CHATNET_HOME", str(home / "chatnet"))
    for name, folder in XDG_FOLDERS.items():
        monkeypatch.setenv(name, str(home / folder))
    (home / "run").mkdir(mode=0o700)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def xvfb() -> Iterator[str]:
    """Starts a virtual screen and yields its name (`:7`), for DISPLAY of a child process.

    The child also needs QT_QPA_PLATFORM=xcb. Where there is no Xvfb the test is skipped; in CI
    (CI=true) it fails, so that a machine without a screen cannot pass by testing nothing.
    """
    program = shutil.which("Xvfb")
    if program is None:
        no_display("Xvfb is not installed")
    problem = xcb_problem()
    if problem:
        no_display(f"Qt's xcb plugin does not load: {problem}")
    read_end, write_end = os.pipe()
    command = [program, "-displayfd", str(write_end), "-nolisten", "tcp"]
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [*command, "-screen", "0", "1280x800x24"],
            pass_fds=[write_end],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        os.close(write_end)
        try:
            with open(read_end, encoding="ascii") as numbers:
                number = numbers.readline().strip()
            if not number:
                log.seek(0)
                no_display(f"Xvfb did not start: {log.read().decode(errors='replace')}")
            yield f":{number}"
        finally:
            server.terminate()
            server.wait(10)


def no_display(reason: str) -> NoReturn:
    """Ends the asking test: as a failure in CI, elsewhere as skipped."""
    advice = f"{reason}; the packages are listed in scripts/debian-packages.txt"
    if IN_CI:
        pytest.fail(advice)
    pytest.skip(advice)


def xcb_problem() -> str:
    """What the loader says of Qt's xcb plugin: empty when all its libraries are there."""
    spec = find_spec("PyQt5")
    if spec is None or spec.origin is None:
        return "PyQt5 is not installed"
    plugin = Path(spec.origin).parent / "Qt5/plugins/platforms/libqxcb.so"
    probe = [sys.executable, "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1])", str(plugin)]
    result = subprocess.run(probe, capture_output=True, text=True, check=False)
    return "" if result.returncode == 0 else result.stderr.strip().rpartition("\n")[2]
