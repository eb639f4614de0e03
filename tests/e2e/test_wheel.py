"""The three stories from a built wheel in an environment of its own: what `pip install` gives."""

import subprocess
import sys
from pathlib import Path

import pytest

from chatnet_protocol.version import PRODUCT_VERSION
from realworld.engines import RealEngine
from realworld.stories import a_killed_front_end, a_window_and_a_terminal

ROOT = Path(__file__).resolve().parent.parent.parent
INSTALL_S = 240.0


def run(*command: str | Path, cwd: Path) -> str:
    """What the command printed; it must work."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the locked requirements and the wheel, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "--no-input")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, ROOT, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    run(sys.executable, "-I", "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    locks = [ROOT / "scripts" / f"requirements{kind}.lock" for kind in ("", "-window")]
    install = (*pip, "--python", python, "install", "--no-deps")
    run(*install, "--require-hashes", "-r", locks[0], "-r", locks[1], cwd=folder)
    run(*install, wheel, cwd=folder)
    return python


@pytest.mark.timeout(400)
def test_the_stories_from_the_built_wheel(
    bare: Path, tmp_path: Path, xvfb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = run(bare, "-c", "import chatnet_engine; print(chatnet_engine.__file__)", cwd=tmp_path)
    assert Path(where).is_relative_to(bare.parent.parent), "the wheel, not the checkout"
    assert PRODUCT_VERSION in run(bare.with_name("chatnet"), "--version", cwd=tmp_path)
    monkeypatch.setattr(RealEngine, "python", str(bare))
    for name, play in (("1", a_window_and_a_terminal), ("3", a_killed_front_end)):
        home = tmp_path / name
        home.mkdir()
        play(home, xvfb if name == "1" else "qt")
