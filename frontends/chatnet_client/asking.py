"""Asks an engine without attaching, so that it works also when all places of front ends are taken:
what the session is and does, and that the engine ends."""

import os

from chatnet_client.channel import Channel, read_connection_file
from chatnet_client.driver import clock, pack_request
from chatnet_client.errors import EngineUnreachable
from chatnet_client.requests import Requests
from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode
from chatnet_protocol.ipc.commands import (
    Command,
    FetchSnapshot,
    FetchSpace,
    FetchStatus,
    Result,
    SnapshotPart,
    Space,
    Status,
    StopEngine,
)
from chatnet_protocol.ipc.envelope import decode_reply
from chatnet_protocol.ipc.view import View

STEP_S = 0.25
ASK_TIMEOUT_S = 5.0
SPACE_TIMEOUT_S = 2.0
"""A slow disk does not hold up what else is shown."""
BUSY_PAUSE_S = 0.1
STOP_AGAIN_S = 1.5
MAX_ATTEMPTS = 3
"""A snapshot may be gone before its last part is fetched; then another one is asked for."""


def ask_status(connection_file: str, timeout_s: float = ASK_TIMEOUT_S) -> tuple[Status, View]:
    """Counters and facts, and the view. Raises EngineUnreachable, CommandError."""
    with _Asking(connection_file, timeout_s) as asking:
        for _ in range(MAX_ATTEMPTS):
            status = asking.ask(FetchStatus(view=True))
            if not isinstance(status, Status):
                break
            try:
                parts = [
                    asking.ask(FetchSnapshot(status.boot, status.seq, number))
                    for number in range(status.parts)
                ]
                data = [part.data for part in parts if isinstance(part, SnapshotPart)]
                return status, View.from_parts(data)
            except CommandError as error:
                if error.code != ErrorCode.GONE:
                    raise
            except DecodeError:
                break
    raise EngineUnreachable("The engine's answer cannot be read.")


def ask_space(connection_file: str, timeout_s: float = SPACE_TIMEOUT_S) -> Space | None:
    """What receiving takes on the disk; None when the engine cannot say that now."""
    try:
        with _Asking(connection_file, timeout_s) as asking:
            space = asking.ask(FetchSpace())
    except (EngineUnreachable, CommandError):
        return None
    return space if isinstance(space, Space) else None


def ask_to_stop(connection_file: str, reason: str, timeout_s: float = ASK_TIMEOUT_S) -> None:
    """Have the engine end; it may go on for a moment. Raises EngineUnreachable, CommandError.

    A request can be lost when the engine cuts connections to save itself. It is sent again over
    another one, as long as the connection file names the same engine. The answer can be lost when
    the engine is quick to end: no connection file any more is an answer, too.
    """
    until = clock() + timeout_s
    boot = read_connection_file(connection_file).boot
    while True:
        try:
            with _Asking(connection_file, min(STOP_AGAIN_S, until - clock())) as asking:
                asking.ask(StopEngine(reason))
            return
        except EngineUnreachable:
            if not os.path.exists(connection_file):
                return
            if clock() >= until or read_connection_file(connection_file).boot != boot:
                raise


class _Asking:
    """One question after the other over a channel of its own."""

    def __init__(self, connection_file: str, timeout_s: float) -> None:
        self._channel = Channel(connection_file)
        self._requests = Requests()
        self._requests.release(clock(), ())
        self._until = clock() + timeout_s

    def __enter__(self) -> "_Asking":
        try:
            self._channel.open()
        except BaseException:
            self._channel.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._channel.close()

    def ask(self, command: Command) -> Result:
        """The answer, also of a busy engine. Raises EngineUnreachable when there is none in time,
        or CommandError."""
        while True:
            try:
                return self._ask_once(command)
            except CommandError as error:
                if error.code != ErrorCode.BUSY or clock() + BUSY_PAUSE_S >= self._until:
                    raise
            self._channel.wait(BUSY_PAUSE_S)

    def _ask_once(self, command: Command) -> Result:
        now = clock()
        token = self._requests.ask(command, now, self._until - now)
        while (now := clock()) < self._until:
            for request in self._requests.take_requests(now):
                self._channel.send(pack_request(request))
            self._channel.wait(STEP_S)
            self._channel.take_publications()
            for frame in self._channel.take_replies():
                try:
                    answer = self._requests.handle_reply(decode_reply(frame))
                except DecodeError:
                    continue
                if answer is None or answer.token != token:
                    continue
                if answer.error is not None:
                    raise answer.error
                assert answer.result is not None
                return answer.result
        raise EngineUnreachable("The engine does not answer.")
