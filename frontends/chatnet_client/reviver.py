"""Starts a session's engine on behalf of a person's front end, in a thread of its own.

Unasked it does so only where nobody else will (`outage.may_start_unasked`); when a person asked, it
always may. Nothing here waits: `look` says how it stands.
"""

import os
import threading
from collections.abc import Callable, Mapping

from chatnet_client import outage
from chatnet_client.client_events import Cause, Outage
from chatnet_client.errors import EngineStartFailed
from chatnet_client.launch import start_again
from chatnet_protocol.errors import ChatNetError

RETRY_S = 60.0
"""After a start that failed and left no `ended`, the next one is tried after this long."""


class Reviver:
    """Watches over one session that has no engine. Used by one thread."""

    def __init__(
        self,
        connection_file: str,
        *,
        unasked: bool,
        environ: Mapping[str, str] = os.environ,
        start: Callable[..., None] = start_again,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`unasked`: whether to start an engine that nobody else starts. `wake`: a start ended."""
        self._folder = os.path.dirname(os.path.abspath(connection_file))
        self._unasked = unasked
        self._environ = environ
        self._start = start
        self._wake = wake
        self._asked = threading.Event()
        self._thread: threading.Thread | None = None
        self._problem = ""
        self._retry_at = 0.0

    def ask(self) -> None:
        """A person wants the engine started. May be called from any thread."""
        self._asked.set()
        self._wake()

    def look(self, now: float) -> Outage:
        """Why there is no engine; begins to start one where that is wanted and allowed."""
        if self._thread is not None and self._thread.is_alive():
            return Outage(Cause.RESTARTING)
        found = outage.look(self._folder)
        if self._asked.is_set():
            self._asked.clear()
            if found.cause not in (Cause.SILENT, Cause.RESTARTING):
                return self._begin(now, unasked=False)
        if found.cause != Cause.ABSENT:
            self._problem = ""
            return found
        if self._unasked and now >= self._retry_at and outage.may_start_unasked(self._folder):
            return self._begin(now, unasked=True)
        if self._problem:
            return Outage(Cause.REFUSED, self._problem, found.command)
        return found

    def _begin(self, now: float, *, unasked: bool) -> Outage:
        self._problem = ""
        self._retry_at = now + RETRY_S
        self._thread = threading.Thread(
            target=self._run, args=(unasked,), name="chatnet-start", daemon=True
        )
        self._thread.start()
        return Outage(Cause.RESTARTING)

    def _run(self, unasked: bool) -> None:
        try:
            self._start(self._environ, self._folder, unasked=unasked)
        except EngineStartFailed as error:
            self._problem = str(error) if error.status else ""
        except (ChatNetError, OSError) as error:
            self._problem = str(error)
        self._wake()
