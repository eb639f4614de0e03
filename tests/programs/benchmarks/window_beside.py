"""The window as people start it, until SIGTERM: `window_beside FILE`, the file being a
connection.json. Prints one line of JSON: how late its loop was, and what its longest turn took.
"""

import json
import sys
import time

from benchmarks.measure import percentile

EVERY_MS = 10


def main(connection_file: str) -> int:
    """The product's own way in, with a timer that should be called every EVERY_MS."""
    from chatnet_qt import app, window_app
    from chatnet_qt.qt import QTimer

    late_ms: list[float] = []
    own_ms: list[float] = []
    last = [0.0, 0.0]

    def note() -> None:
        now, own = time.perf_counter(), time.thread_time()
        late_ms.append(max(0.0, (now - last[0]) * 1000 - EVERY_MS))
        own_ms.append((own - last[1]) * 1000)
        last[:] = now, own

    timer = QTimer()
    timer.setInterval(EVERY_MS)
    timer.timeout.connect(note)
    settled = window_app.when_settled

    def begin() -> None:
        settled()
        last[:] = time.perf_counter(), time.thread_time()
        timer.start()

    window_app.when_settled = begin
    status = app.main([], connection_file)
    found = {
        "turns": len(late_ms),
        "late_p99_ms": percentile(late_ms, 0.99),
        "late_ms": max(late_ms),
        "own_ms": max(own_ms),
    }
    print(json.dumps(found), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
