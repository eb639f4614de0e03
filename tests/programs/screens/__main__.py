"""Renders states of the window and says what is cut or covered. See scripts/screens."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

THEMES = {"light": ("light",), "dark": ("dark",), "both": ("light", "dark")}


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/screens", description=__doc__)
    parser.add_argument("states", nargs="*", help="which ones; all of them by default")
    parser.add_argument("--out", default="screens", help="folder for the pictures")
    parser.add_argument("--theme", choices=sorted(THEMES), default="light")
    parser.add_argument("--scale", default="1", help="comma-separated, such as 1,1.5,2")
    options = parser.parse_args()
    scales = [float(scale) for scale in options.scale.split(",")]
    if len(scales) == 1 and os.environ.get("QT_SCALE_FACTOR") == str(scales[0]):
        return render(options.states, Path(options.out), THEMES[options.theme], scales[0])
    # Qt reads the factor once: every scale is a process of its own.
    failed = 0
    for scale in scales:
        words = ["--out", options.out, "--theme", options.theme, "--scale", str(scale)]
        environment = {**os.environ, "QT_SCALE_FACTOR": str(scale), "TZ": "UTC"}
        command = [sys.executable, "-P", "-m", "screens", *words, *options.states]
        failed |= subprocess.run(command, env=environment, check=False).returncode
    return failed


def render(names: list[str], out: Path, themes: tuple[str, ...], scale: float) -> int:
    """One process, one scale. Returns 1 when something is wrong with a picture."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from chatnet_qt.qt import qInstallMessageHandler
    from screens.faults import faults_of
    from screens.scene import Scene, make_app
    from screens.states import STATES

    if unknown := sorted(set(names) - set(STATES)):
        print(f"There is no state {', '.join(unknown)}. The states: {', '.join(STATES)}")
        return 2

    qInstallMessageHandler(lambda *_words: None)  # of a platform without windows
    app = make_app()
    out.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for name in names or STATES:
        for theme in themes:
            with tempfile.TemporaryDirectory() as folder:
                scene = Scene(app, folder, theme)
                shown = STATES[name](scene)
                scene.settle()
                picture = out / f"{name}-{theme}-{scale * 100:.0f}.png"
                shown.grab().save(str(picture))
                for fault in faults_of(shown):
                    wrong += 1
                    print(f"{picture.name}: {fault}")
                scene.close()
    print(f"{scale * 100:.0f} %: {wrong} faults; pictures in {out}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
