"""Joins one attach machine to its sockets and the clock, one turn at a time.

Both clients of the library, blocking and threaded, are loops around `turn`.
"""

import math
import time
from collections.abc import Callable

from chatnet_client.attach import AttachMachine, AttachState
from chatnet_client.channel import Channel
from chatnet_client.client_events import Cause, ClientEvent, EngineLost, Outage
from chatnet_client.errors import EngineUnreachable
from chatnet_client.reviver import Reviver
from chatnet_client.words import outage_words
from chatnet_protocol import codec
from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode
from chatnet_protocol.ipc.envelope import TOPIC_EVENTS, TOPIC_GAUGES, TOPIC_HEAD, Request
from chatnet_protocol.limits import MAX_REQUEST_BYTES

Handler = Callable[[bytes, float], None]
REOPEN_S = 0.25
"""How often the connection file is read again while there is no engine."""
RECHECK_S = 1.0
"""How often while there is one: a new engine is noticed before the old one's silence is."""


def clock() -> float:
    """Seconds that go on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Driver:
    """A machine, its sockets, and what moves between them."""

    def __init__(
        self, machine: AttachMachine, channel: Channel, reviver: Reviver | None = None
    ) -> None:
        self.machine = machine
        self._reviver = reviver
        self._outage: Outage | None = None
        self._look_at = 0.0
        self.channel = channel
        self.undecodable = 0
        """Frames from the engine that did not parse: dropped."""
        self._reopen_at = 0.0
        self._due_s = 0.0
        """When the machine had something to do as this turn began."""

    def turn(self, max_wait_s: float) -> list[ClientEvent]:
        """Wait for something to happen, at most `max_wait_s`, and tell what did."""
        self._send(clock())
        self.channel.wait(self._wait_s(max_wait_s))
        now = clock()
        for frame in self.channel.take_replies():
            self._feed(self.machine.handle_reply, frame, now)
        for topic, frame in self.channel.take_publications():
            if topic == TOPIC_EVENTS:
                self._feed(self.machine.handle_publication, frame, now)
            elif topic == TOPIC_HEAD:
                self._feed(self.machine.handle_head, frame, now)
            elif topic == TOPIC_GAUGES:
                self._feed(self.machine.handle_gauges, frame, now)
        if self.channel.engine_ended:
            self.machine.handle_engine_ended(now)
        if now >= self._due_s:
            self.machine.handle_timeout(now)
        self._send(now)
        return [*self.machine.take_events(), *self._look(now)]

    def open(self, now: float) -> None:
        """Follow the connection file. Raises EngineUnreachable."""
        waiting = self.machine.state == AttachState.WAIT
        self._reopen_at = now + (REOPEN_S if waiting else RECHECK_S)
        if self.channel.open():
            self.machine.handle_connected(now)

    def flush(self, now: float) -> None:
        """Hand every request that is due to the socket."""
        if self.channel.connection is not None:
            for request in self.machine.take_requests(now):
                try:
                    frame = pack_request(request)
                except CommandError as error:
                    self.machine.handle_unsendable(request.id, error, now)
                else:
                    self.channel.send(frame)

    def _send(self, now: float) -> None:
        if now >= self._reopen_at:
            try:
                self.open(now)
            except EngineUnreachable:
                pass  # attaching goes on quietly until there is an engine again
        self.flush(now)

    def _look(self, now: float) -> list[ClientEvent]:
        """While there is no engine: why, whenever that changes."""
        if self._reviver is None or self.machine.state != AttachState.WAIT:
            self._outage = None
            return []
        if now < self._look_at:
            return []
        self._look_at = now + REOPEN_S
        outage = self._reviver.look(now)
        if outage == self._outage:
            return []
        self._outage = outage
        # That it has not answered yet is nothing to say: it was asked just now.
        return [EngineLost(outage_words(outage), outage)] if outage.cause != Cause.SILENT else []

    def _wait_s(self, max_wait_s: float) -> float:
        now = clock()
        until = min(now + max_wait_s, self._reopen_at)
        due = self.machine.next_timeout()
        self._due_s = due if due is not None else math.inf
        if self.channel.connection is None:
            return max(0.0, until - now)  # what is due to be sent stays due until it can be
        return max(0.0, min(until, self._due_s) - now)

    def _feed(self, handle: Handler, frame: bytes, now: float) -> None:
        try:
            handle(frame, now)
        except DecodeError:
            self.undecodable += 1


def pack_request(request: Request) -> bytes:
    """The frame of one request. Raises CommandError when no frame can carry the command."""
    name = type(request.command).__name__
    try:
        frame = codec.pack(request)
    except UnicodeEncodeError:
        raise CommandError(ErrorCode.INVALID, "That is not valid text (UTF-8).") from None
    except (TypeError, ValueError, OverflowError) as error:
        detail = f"{name} cannot be sent to the engine: {error}."
        raise CommandError(ErrorCode.INVALID, detail) from None
    if len(frame) > MAX_REQUEST_BYTES:
        raise CommandError(ErrorCode.TOO_LARGE, f"{name} is too large for the engine.")
    return frame
