"""Follows what an engine does, trace by trace, without attaching."""

from collections.abc import Iterator

import zmq

from chatnet_client.channel import read_connection_file
from chatnet_client.driver import clock
from chatnet_client.errors import EngineUnreachable
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.envelope import (
    TOPIC_HEAD,
    TOPIC_TRACE,
    TOPIC_TRACE_DETAIL,
    TraceFrame,
    decode_traces,
)

HEADS_WITHIN_S = 5.0
"""Without a head for so long the engine is gone, or stopped; it sends one a second."""


class TraceFollower:
    """A subscription to the traces of one engine; `packets`: the detailed ones too, with
    addresses in full. Raises EngineUnreachable when none runs. Close it."""

    def __init__(self, connection_file: str, *, packets: bool = False) -> None:
        connection = read_connection_file(connection_file)
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        for topic in (TOPIC_TRACE_DETAIL if packets else TOPIC_TRACE, TOPIC_HEAD):
            self._socket.setsockopt(zmq.SUBSCRIBE, topic)
        self._socket.connect(connection.events)
        self._last_received_s = clock()
        self._next: int | None = None

    def take(self, timeout_s: float) -> Iterator[tuple[TraceFrame, int]]:
        """Frames that have arrived, or that do within the time, each with how many traces were
        lost before it. Raises EngineUnreachable when the engine is gone."""
        if self._socket.poll(round(timeout_s * 1000)):
            while self._socket.poll(0):
                topic, content, *_ = [*self._socket.recv_multipart(), b""]
                self._last_received_s = clock()
                if topic != TOPIC_HEAD:
                    yield from self._read(content)
        elif clock() > self._last_received_s + HEADS_WITHIN_S:
            raise EngineUnreachable("The engine has ended, or is stopped.")

    def _read(self, content: bytes) -> Iterator[tuple[TraceFrame, int]]:
        try:
            frame = decode_traces(content)
        except DecodeError:
            return
        lost = 0 if self._next is None else max(0, frame.before - self._next)
        self._next = frame.before + len(frame.traces)
        yield frame, lost

    def close(self) -> None:
        """End the subscription."""
        self._socket.close(linger=0)
        self._context.term()
