"""The window over a history of 100,000 messages, beside a bare Qt list with the rows it holds."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MESSAGES = int(os.environ.get("CHATNET_WINDOW_MESSAGES", "100000"))
PAGES = int(os.environ.get("CHATNET_WINDOW_PAGES", "1200"))
ARRIVALS = int(os.environ.get("CHATNET_WINDOW_ARRIVALS", "3000"))
PARTS = os.environ.get("CHATNET_WINDOW_PARTS", "scrolling,arrivals,resizing,hostile texts")

PROGRAM = """
import gc, sys
gc.disable()  # until the first paint, as `chatnet_qt.app` does
from benchmarks.window_program import main
sys.exit(main(sys.argv[1:]))
"""


def run(folder: Path) -> Iterator[str]:
    """First paint, memory, and turns of the event loop that take longer than people forgive."""
    platform = os.environ.get("QT_QPA_PLATFORM", "offscreen")
    yield f"{MESSAGES:,} messages, {PAGES:,} pages up, {ARRIVALS:,} arrivals at 500/s, {platform}"
    words = [sys.executable, "-P", "-c", PROGRAM, str(folder)]
    words += [str(time.monotonic()), str(MESSAGES), str(PAGES), str(ARRIVALS), PARTS]
    environment = {**os.environ, "QT_QPA_PLATFORM": platform}
    # The second start is measured: byte code is cached, as it is wherever a program is used.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    first = [sys.executable, "-P", "-c", "from benchmarks import window_program"]
    subprocess.run(first, env=environment, check=False)
    words[5] = str(time.monotonic())
    made = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if made.returncode:
        yield f"the window ended with {made.returncode}: {made.stderr[-2000:]}"
        return
    found = json.loads(made.stdout.splitlines()[-1])
    yield f"process start to first paint {found['paint_ms']:7.0f} ms  (wanted < 300)"
    yield f"resident memory at the end   {found['rss_mib']:7.0f} MiB (wanted < 150)"
    yield "wall time (what a person waits), and own time of the window's thread: stalls are turns"
    yield "over 50 ms (hostile texts: 100 ms), wanted none on a quiet machine; times in ms"
    yield "                                turns  stalls  longest    p99   own stalls  own longest"
    for name, facts in found["phases"].items():
        yield (
            f"{name:30} {facts['turns']:6} {facts['over']:7} {facts['longest_ms']:8.0f}"
            f" {facts['p99_ms']:6.1f} {facts['own_over']:12} {facts['own_longest_ms']:12.0f}"
        )
