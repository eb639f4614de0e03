"""The threaded face: the sockets live in a background thread, everything comes by one callback.

Made for programs with a loop of their own: the callback hands each client event over (one Qt
signal, `loop.call_soon_threadsafe`, a queue) and returns at once. The Mirror belongs to the
receiving side; the thread keeps no picture of its own.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable

from chatnet_client.attach import AttachMachine
from chatnet_client.channel import Channel
from chatnet_client.client_events import Answered, ClientEvent, ClientFailed
from chatnet_client.driver import Driver, clock
from chatnet_client.requests import DEFAULT_TIMEOUT_S
from chatnet_client.reviver import Reviver
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import Command
from chatnet_protocol.ipc.rows import ClientRole

MAX_INBOX = 1024
"""Commands handed over and not yet taken by the thread; one more is answered with `busy`."""


class ThreadedClient:
    """An attached front end whose events arrive in `on_event`, called from its own thread."""

    def __init__(
        self,
        connection_file: str,
        on_event: Callable[[ClientEvent], None],
        *,
        name: str,
        role: str = ClientRole.FULL,
        since_no: int | None = None,
        keep_up: bool = False,
        starts_engine: bool = False,
    ) -> None:
        """`starts_engine`: for a front end of a person, see `reviver`; full-role ones only."""
        machine = AttachMachine(name, role, since_no=since_no, keep_up=keep_up)
        channel = Channel(connection_file)
        unasked = starts_engine and role == ClientRole.FULL
        self._reviver = Reviver(connection_file, unasked=unasked, wake=channel.wake)
        self._driver = Driver(machine, channel, self._reviver)
        self._on_event = on_event
        self._lock = threading.Lock()
        self._inbox: deque[tuple[int, Command, float]] = deque()
        self._tokens: dict[int, int] = {}
        self._last_token = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="chatnet-client", daemon=True)

    def start(self) -> None:
        """Begin to attach; an engine that is not there yet is waited for."""
        self._thread.start()

    def start_engine(self) -> None:
        """A person asks for the engine to be started; EngineLost events say how it goes."""
        self._reviver.ask()

    def send(self, command: Command, timeout_s: float = DEFAULT_TIMEOUT_S) -> int:
        """Hand a command over from any thread; its Answered carries the token returned here."""
        with self._lock:
            self._last_token += 1
            token = self._last_token
            full = len(self._inbox) >= MAX_INBOX
            if not full:
                self._inbox.append((token, command, timeout_s))
        if full:
            self._refuse(token, command)
        else:
            self._driver.channel.wake()
        return token

    def close(self, timeout_s: float = 2.0) -> None:
        """Detach and end the thread. Not to be called from the callback."""
        self._closing = True
        if self._thread.is_alive():
            self._driver.channel.wake()
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while not self._closing:
                self._take_inbox()
                for event in self._driver.turn(1.0):
                    self._deliver(event)
            self._take_inbox()
            self._driver.machine.detach(clock())
            self._driver.flush(clock())
        except Exception as error:  # noqa: BLE001 - whatever ends this thread ends the front end
            self._fail(error)
        finally:
            self._driver.channel.close()

    def _fail(self, error: Exception) -> None:
        if self._closing:
            return
        import traceback  # not before a first paint

        kind = type(error).__name__
        reason = f"Lost the connection to the engine because of a bug in ChatNet ({kind})."
        # The callback may be what failed; then the program knows already.
        with contextlib.suppress(Exception):
            self._on_event(ClientFailed(reason, "".join(traceback.format_exception(error))))

    def _take_inbox(self) -> None:
        with self._lock:
            inbox = list(self._inbox)
            self._inbox.clear()
        for token, command, timeout_s in inbox:
            try:
                ours = self._driver.machine.ask(command, clock(), timeout_s)
            except CommandError:
                self._refuse(token, command)
            else:
                self._tokens[ours] = token

    def _deliver(self, event: ClientEvent) -> None:
        if isinstance(event, Answered):
            token = self._tokens.pop(event.token, 0)
            event = Answered(token, event.command, event.result, event.error, event.timed_out)
        self._on_event(event)

    def _refuse(self, token: int, command: Command) -> None:
        error = CommandError(ErrorCode.BUSY, "Too many commands wait for the engine.")
        self._on_event(Answered(token, command, None, error))
