"""Publishes traces to the front ends that asked for them, and has details made only then.

Unnumbered and unkept, like gauges: who reads too slowly loses frames, and learns how many traces
were in them.
"""

from chatnet_engine.clock import Now
from chatnet_engine.io.ipc import IpcServer
from chatnet_engine.io.trace_log import salt_of, to_row
from chatnet_engine.trace import DETAIL, Trace, Tracer
from chatnet_protocol import codec
from chatnet_protocol.ipc.envelope import TOPIC_TRACE, TOPIC_TRACE_DETAIL, TraceFrame
from chatnet_protocol.ipc.trace import TraceRow

LOOK_EVERY_S = 0.25
"""How soon a new subscription counts, given that something happens in the engine."""
MAX_ROWS_IN_FRAME = 500
"""Of about 150 bytes each: well below MAX_IPC_FRAME_BYTES."""


class TraceStream:
    """The topics `T` (as the log at info) and `P` (as the log at debug)."""

    def __init__(self, ipc: IpcServer, tracer: Tracer, boot: bytes, key: bytes) -> None:
        self._ipc = ipc
        self._tracer = tracer
        self._boot = boot
        self._salt = salt_of(key)
        self._always_detail = tracer.detail
        self._rows: dict[bytes, list[TraceRow]] = {}
        """What waits for the end of the turn, for each topic that somebody wants."""
        self._published = {TOPIC_TRACE: 0, TOPIC_TRACE_DETAIL: 0}
        self._look_s = 0.0

    def add(self, trace: Trace) -> None:
        """It goes out with the turn."""
        if (full := self._rows.get(TOPIC_TRACE_DETAIL)) is not None:
            full.append(to_row(trace, None))
        if (story := self._rows.get(TOPIC_TRACE)) is not None and trace.kind not in DETAIL:
            story.append(to_row(trace, self._salt))

    def flush(self, now: Now) -> None:
        """End of a turn: publish, and look who wants what from now on."""
        for topic, rows in self._rows.items():
            for start in range(0, len(rows), MAX_ROWS_IN_FRAME):
                self._publish(topic, rows[start : start + MAX_ROWS_IN_FRAME], now)
            rows.clear()
        if now.mono_s >= self._look_s:
            self._look_s = now.mono_s + LOOK_EVERY_S
            self._look(now)

    def _look(self, now: Now) -> None:
        for topic in self._published:
            wanted = self._ipc.is_wanted(topic)
            if wanted and topic not in self._rows:
                self._rows[topic] = []
                self._publish(topic, [], now)  # says that it begins
            elif not wanted:
                self._rows.pop(topic, None)
        self._tracer.detail = self._always_detail or TOPIC_TRACE_DETAIL in self._rows

    def _publish(self, topic: bytes, rows: list[TraceRow], now: Now) -> None:
        before = self._published[topic]
        self._published[topic] += len(rows)
        self._ipc.publish(topic, codec.pack(TraceFrame(self._boot, before, now.wall_ms, rows)))
