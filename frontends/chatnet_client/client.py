"""The blocking face: attach, ask, and read what happens, all from one thread.

with Client.attach(connection_file, name="my program") as client:
    client.send_message(client.view.peers[0].info.peer, "hello")
    for event in client.events():
        print(event)
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

from chatnet_client.attach import AttachMachine
from chatnet_client.channel import Channel
from chatnet_client.client_events import (
    Answered,
    Changed,
    ClientEvent,
    EngineLost,
    Live,
    Missed,
    Refused,
    Reset,
)
from chatnet_client.driver import Driver, clock
from chatnet_client.errors import EngineUnreachable, RequestTimeout
from chatnet_client.mirror import Mirror
from chatnet_client.requests import DEFAULT_TIMEOUT_S
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ids import uuid7
from chatnet_protocol.ipc.commands import (
    Command,
    HistoryPage,
    OfferFiles,
    Queued,
    Result,
    SendMessage,
)
from chatnet_protocol.ipc.events import MessagesAdded, MessagesRestored
from chatnet_protocol.ipc.rows import ClientRole
from chatnet_protocol.ipc.view import View
from chatnet_protocol.version import Capability

ATTACH_TIMEOUT_S = 5.0
MAX_UNREAD_EVENTS = 65536
"""Events kept while the program asks other things; beyond it everything begins anew."""

R = TypeVar("R")


def new_id() -> bytes:
    """A permanent id for a message or an offer."""
    return uuid7(time.time_ns() // 1_000_000, os.urandom(10))


class Client:
    """One attached front end. Not for use by two threads."""

    def __init__(self, driver: Driver, since_no: int | None = None) -> None:
        self.mirror = Mirror()
        self._driver = driver
        self._unread: deque[ClientEvent] = deque()
        self._taken_no: int | None = since_no
        """Last durable message that the program was given."""
        self._answers: dict[int, Answered] = {}
        self._waiting: set[int] = set()
        self._refused: Refused | None = None

    @classmethod
    def attach(
        cls,
        connection_file: str,
        *,
        name: str,
        role: str = ClientRole.FULL,
        since_no: int | None = None,
        keep_up: bool = False,
        brief: bool = False,
        timeout_s: float = ATTACH_TIMEOUT_S,
    ) -> Self:
        """A client that is live; with `since_no` it has its snapshot, and Missed messages follow.

        `keep_up`: messages that a snapshot stands in for come as Missed, see AttachMachine.
        `brief`: it is there for one command, and takes one of the places kept for that.
        Raises EngineUnreachable when there is no engine or it does not answer in time, and
        CommandError when it refuses this client.
        """
        capabilities = (Capability.BRIEF,) if brief else ()
        machine = AttachMachine(
            name, role, since_no=since_no, keep_up=keep_up, capabilities=capabilities
        )
        driver = Driver(machine, Channel(connection_file))
        client = cls(driver, since_no)
        try:
            driver.open(clock())
            until = clock() + timeout_s
            while client.mirror.view is None or (since_no is None and not client.mirror.live):
                if client._refused is not None:
                    raise CommandError(client._refused.code, client._refused.text)
                if clock() >= until:
                    raise EngineUnreachable("The engine does not answer.")
                client._turn(until - clock())
        except BaseException:
            driver.channel.close()
            raise
        return client

    @property
    def view(self) -> View:
        """The session as it is now known; changes while events are read."""
        assert self.mirror.view is not None, "a client exists only after its first snapshot"
        return self.mirror.view

    def request(self, command: Command, timeout_s: float = DEFAULT_TIMEOUT_S) -> Result:
        """The engine's answer; commands are repeated over losses and engine restarts.

        Raises CommandError when the engine says no, RequestTimeout when it says nothing.
        """
        token = self._driver.machine.ask(command, clock(), timeout_s)
        self._waiting.add(token)
        try:
            while token not in self._answers:
                self._turn(1.0)
        finally:
            self._waiting.discard(token)
        answer = self._answers.pop(token)
        if answer.timed_out:
            raise RequestTimeout("The engine did not answer in time.")
        if answer.error is not None:
            raise answer.error
        assert answer.result is not None
        return answer.result

    def ask(self, command: Command, shape: type[R], timeout_s: float = DEFAULT_TIMEOUT_S) -> R:
        """Like `request`, for a result of that type."""
        result = self.request(command, timeout_s)
        if not isinstance(result, shape):
            raise CommandError(
                ErrorCode.INTERNAL, f"The engine answered with {type(result).__name__}."
            )
        return result

    def send_message(
        self,
        peer: int,
        text: str,
        *,
        message_id: bytes | None = None,
        draft_revision: int = 0,
        reply_to: bytes = b"",
    ) -> tuple[bytes, Queued]:
        """Queue a text, which may answer the message of id `reply_to`; (its id, where it stands)
        once it is durable here."""
        message_id = message_id or new_id()
        command = SendMessage(message_id, peer, text, draft_revision, 0, reply_to)
        return message_id, self.ask(command, Queued)

    def offer_files(
        self, peer: int, paths: Sequence[str], *, update: bool = False
    ) -> tuple[bytes, Queued]:
        """Offer files or folders by absolute path; (the transfer's id, where the offer stands).

        `update`: the one folder is the new state of one that was offered earlier.
        """
        transfer_id = new_id()
        return transfer_id, self.ask(OfferFiles(transfer_id, peer, list(paths), update), Queued)

    def history(self, command: Command) -> HistoryPage:
        """One page for a FetchHistory."""
        return self.ask(command, HistoryPage)

    def next_event(self, timeout_s: float | None = None) -> ClientEvent | None:
        """The next event, already in the mirror; None when the time is over."""
        until = None if timeout_s is None else clock() + timeout_s
        while not self._unread:
            left = 1.0 if until is None else until - clock()
            if left <= 0:
                return None
            self._turn(left)
        event = self._unread.popleft()
        inner = event.event if isinstance(event, Changed) else event
        if isinstance(inner, Missed | MessagesAdded | MessagesRestored):
            self._taken_no = max([self._taken_no or 0, *(row.no for row in inner.rows)])
        return event

    def events(self) -> Iterator[ClientEvent]:
        """Everything that happens, for ever: over gaps, engine restarts and silence."""
        while True:
            event = self.next_event()
            if event is not None:
                yield event

    def wait_until(self, holds: Callable[[], bool], timeout_s: float | None) -> bool:
        """Turn until `holds()`; False when the time is over. Events read meanwhile are gone.

        Raises EngineUnreachable when the engine ends on purpose; one that fell silent is waited
        for.
        """
        until = None if timeout_s is None else clock() + timeout_s
        while not holds():
            left = 1.0 if until is None else until - clock()
            if left <= 0:
                return False
            event = self.next_event(left)
            if isinstance(event, EngineLost) and self.view.stopping:
                raise EngineUnreachable(f"The engine ended: {event.reason}.")
        return True

    def close(self) -> None:
        """Leave: the engine forgets this client; what it was asked goes on."""
        self._driver.machine.detach(clock())
        self._driver.flush(clock())
        self._driver.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _turn(self, max_wait_s: float) -> None:
        starting_over = False
        for event in self._driver.turn(max_wait_s):
            self.mirror.handle(event)
            if isinstance(event, Answered):
                if event.token in self._waiting:
                    self._answers[event.token] = event
                continue
            if starting_over:
                continue
            if isinstance(event, Reset) and self._taken_no is None:
                self._taken_no = event.view.last_no
            if isinstance(event, Refused):
                self._refused = event
            elif isinstance(event, Live):
                self._refused = None
            self._unread.append(event)
            if len(self._unread) > MAX_UNREAD_EVENTS:
                starting_over = True
                self._unread.clear()
                self._driver.machine.start_over(self._taken_no or 0, clock())
