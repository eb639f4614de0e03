"""The window over a history of 100,000 messages, beside a bare Qt list with the rows it holds."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import first_paint

MESSAGES = int(os.environ.get("CHATNET_WINDOW_MESSAGES", "100000"))
PAGES = int(os.environ.get("CHATNET_WINDOW_PAGES", "1200"))
ARRIVALS = int(os.environ.get("CHATNET_WINDOW_ARRIVALS", "3000"))
PARTS = os.environ.get("CHATNET_WINDOW_PARTS", "scrolling,arrivals,resizing,hostile texts")


def run(folder: Path) -> Iterator[str]:
    """First paint, memory, and turns of the event loop that take longer than people forgive."""
    platform = os.environ.get("QT_QPA_PLATFORM", "offscreen")
    yield from first_paint.run(folder, platform, MESSAGES)
    if not PARTS:
        return
    yield f"{MESSAGES:,} messages, {PAGES:,} pages up, {ARRIVALS:,} arrivals at 500/s, {platform}"
    words = [sys.executable, "-P", "-m", "benchmarks.window_program", str(folder)]
    words += [str(MESSAGES), str(PAGES), str(ARRIVALS), PARTS]
    environment = {**os.environ, "QT_QPA_PLATFORM": platform}
    made = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if made.returncode:
        yield f"the window ended with {made.returncode}: {made.stderr[-2000:]}"
        return
    found = json.loads(made.stdout.splitlines()[-1])
    yield f"resident memory at the end   {found['rss_mib']:7.0f} MiB (wanted < 150)"
    yield "wall time (what a person waits), and own time of the window's thread: stalls are turns"
    yield "over 50 ms (hostile texts: 100 ms), wanted none on a quiet machine; times in ms"
    yield "                                turns  stalls  longest    p99   own stalls  own longest"
    for name, facts in found["phases"].items():
        yield (
            f"{name:30} {facts['turns']:6} {facts['over']:7} {facts['longest_ms']:8.0f}"
            f" {facts['p99_ms']:6.1f} {facts['own_over']:12} {facts['own_longest_ms']:12.0f}"
        )
