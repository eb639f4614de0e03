"""The PUB socket, in a thread of its own that runs nothing but libzmq.

A PUB socket takes in subscriptions whenever it is used, all that have arrived, and a program that
sends them without end holds its thread for seconds. So the engine's loop hands publications to
a thread that is inside `zmq_proxy` for its whole life: in C, without the interpreter's lock.
"""

import threading
from collections.abc import Mapping

import zmq

HAND_OVER = "inproc://publications"
PUB_SEND_MARK = 128
"""Publications kept for a front end that does not read, and for a relay that is held up; front
ends fetch the rest afterwards."""
SUBSCRIPTION_BYTES = 256
"""Longest frame that a subscriber may send: a handshake command or one subscription."""
CLOSE_TIMEOUT_S = 1.0


class EventRelay:
    """Publications on one endpoint, from `start` until `close`."""

    def __init__(self, options: Mapping[int, int]) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.pub = self.context.socket(zmq.PUB)
        self.pub.sndhwm = PUB_SEND_MARK
        self.pub.setsockopt(zmq.MAXMSGSIZE, SUBSCRIPTION_BYTES)
        for option, value in options.items():
            self.pub.setsockopt(option, value)
        self._taken = self.context.socket(zmq.PULL)
        self._taken.rcvhwm = PUB_SEND_MARK
        self._taken.bind(HAND_OVER)
        self._given = self.context.socket(zmq.PUSH)
        self._given.sndhwm = PUB_SEND_MARK
        self._given.connect(HAND_OVER)
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def bind(self, endpoint: str) -> None:
        """Before `start`. Raises zmq.ZMQError."""
        self.pub.bind(endpoint)

    def start(self) -> None:
        """From here on nobody but the thread uses the PUB socket."""
        self._thread.start()

    def publish(self, topic: bytes, frame: bytes) -> bool:
        """Hand one publication over; False when it was dropped because the relay is held up."""
        try:
            self._given.send_multipart((topic, frame), zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def close(self) -> None:
        """End the thread, or leave it behind if it does not end within CLOSE_TIMEOUT_S."""
        self._given.close(linger=0)
        if not self._thread.is_alive():
            self._taken.close(linger=0)
            self.pub.close(linger=0)
        ending = threading.Thread(target=self.context.term, name="events-end", daemon=True)
        ending.start()
        ending.join(CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        try:
            zmq.proxy(self._taken, self.pub)
        except zmq.ContextTerminated:
            pass
        self._taken.close(linger=0)
        self.pub.close(linger=0)
