"""Owns the commands that wait for an answer: ids, repeats, deadlines. Knows no sockets.

Every command may be repeated: messages and offers carry permanent ids, the others state a wanted
end, and the engine remembers the answers of one connection by request id. StopEngine alone is
sent once, because the engine that hears the repeat could be the next one. What the engine would
drop in silence, because it lacks a capability, is refused here.
"""

import itertools
from collections.abc import Iterable

from msgspec import Struct

from chatnet_client.words.messages import NO_REPLIES
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import (
    Command,
    CommandBase,
    OfferFiles,
    Result,
    SendMessage,
    StopEngine,
)
from chatnet_protocol.ipc.envelope import Reply, Request
from chatnet_protocol.limits import MAX_REQUESTS_UNDER_WAY
from chatnet_protocol.version import Capability

REPEAT_S = 1.0
"""After this long without an answer a command is sent again."""
DEFAULT_TIMEOUT_S = 10.0
OFFER_TIMEOUT_S = 600.0
"""At least, for an offer: the engine answers when all its files are listed, which for a million
takes a while."""
MAX_PENDING = 1024
"""Commands waiting at once; one more is refused with `busy`."""


class Answer(Struct, frozen=True):
    """How one command ended."""

    token: int
    command: Command
    result: Result | None
    error: CommandError | None
    user: bool
    timed_out: bool = False


class _Pending(Struct):
    token: int
    command: Command
    user: bool
    until: float
    repeat_at: float
    sent: bool = False


class Requests:
    """Commands under way. `user` ones are held back while the client is not attached."""

    def __init__(self) -> None:
        self._pending: dict[int, _Pending] = {}
        """By request id, in the order of asking."""
        self._held: list[_Pending] = []
        self._holding = True
        self._capabilities: frozenset[str] = frozenset()
        self._refused: list[_Pending] = []
        self._ids = 0
        self._tokens = 0

    def __len__(self) -> int:
        return len(self._pending) + len(self._held)

    def ask(
        self, command: Command, now: float, timeout_s: float = DEFAULT_TIMEOUT_S, user: bool = True
    ) -> int:
        """Queue a command; its answer carries the token.

        Raises CommandError(busy) when MAX_PENDING commands wait already.
        """
        if user and len(self) >= MAX_PENDING:
            raise CommandError(ErrorCode.BUSY, f"{MAX_PENDING} commands wait for the engine.")
        if isinstance(command, OfferFiles):
            timeout_s = max(timeout_s, OFFER_TIMEOUT_S)
        self._tokens += 1
        pending = _Pending(self._tokens, command, user, now + timeout_s, now)
        if user and self._holding:
            self._held.append(pending)
        else:
            self._put(pending)
        return pending.token

    def hold(self) -> None:
        """The client is not attached (any more): forget its own requests, keep the user's."""
        self._holding = True
        for pending in self._pending.values():
            if pending.user:
                self._held.append(pending)
        self._pending.clear()

    def release(self, now: float, capabilities: Iterable[str]) -> None:
        """The client is attached to an engine with these: send what was held, under new ids."""
        self._capabilities = frozenset(capabilities)
        self._holding = False
        held, self._held = self._held, []
        for pending in held:
            pending.repeat_at = now
            self._put(pending)

    def handle_reply(self, reply: Reply) -> Answer | None:
        """The answer it brings; None for one that nobody waits for (a repeat's second answer)."""
        pending = self._pending.pop(reply.id, None)
        if pending is None:
            return None
        error: CommandError | None = None
        if reply.failure is not None:
            error = CommandError(_error_code(reply.failure.code), reply.failure.text)
            if error.code == ErrorCode.UNKNOWN_CLIENT and pending.user:
                self._held.append(pending)
                return Answer(pending.token, pending.command, None, error, user=False)
        elif reply.result is None:
            error = CommandError(ErrorCode.INTERNAL, "The engine's answer is empty.")
        return Answer(pending.token, pending.command, reply.result, error, pending.user)

    def handle_unsendable(self, number: int, error: CommandError) -> Answer | None:
        """The answer to a command that no frame can carry: `error`."""
        pending = self._pending.pop(number, None)
        if pending is None:
            return None
        return Answer(pending.token, pending.command, None, error, pending.user)

    def finish(self, kind: type[CommandBase], result: Result) -> list[Answer]:
        """End all commands of one type: an event has answered them."""
        done = [p for p in (*self._pending.values(), *self._held) if isinstance(p.command, kind)]
        self._pending = {n: p for n, p in self._pending.items() if p not in done}
        self._held = [p for p in self._held if p not in done]
        return [Answer(p.token, p.command, result, None, p.user) for p in done]

    def take_requests(self, now: float) -> list[Request]:
        """What to send now, first times and repeats; MAX_REQUESTS_UNDER_WAY at a time."""
        due: list[Request] = []
        for number, pending in self._under_way():
            if pending.repeat_at > now:
                continue
            if pending.sent and isinstance(pending.command, StopEngine):
                pending.repeat_at = pending.until
                continue
            pending.repeat_at = now + REPEAT_S
            pending.sent = True
            due.append(Request(number, pending.command))
        return due

    def take_expired(self, now: float) -> list[Answer]:
        """Commands whose time is over, and those that the engine does not know in full."""
        refused, self._refused = self._refused, []
        unknown = CommandError(ErrorCode.NOT_ALLOWED, NO_REPLIES)
        answers = [Answer(p.token, p.command, None, unknown, p.user) for p in refused]
        late = [n for n, pending in self._pending.items() if pending.until <= now]
        expired = [self._pending.pop(number) for number in late]
        expired += [pending for pending in self._held if pending.until <= now]
        self._held = [pending for pending in self._held if pending.until > now]
        error = CommandError(ErrorCode.BUSY, "The engine did not answer in time.")
        late_answers = [
            Answer(p.token, p.command, None, error, p.user, timed_out=True) for p in expired
        ]
        return answers + late_answers

    def next_timeout(self) -> float | None:
        """When the next repeat or deadline is due."""
        if self._refused:
            return 0.0
        times = [min(p.repeat_at, p.until) for _, p in self._under_way()]
        times += [p.until for p in self._pending.values()]
        times += [p.until for p in self._held]
        return min(times, default=None)

    def _under_way(self) -> list[tuple[int, _Pending]]:
        """The oldest ones; the engine drops what a client sends beyond these."""
        return list(itertools.islice(self._pending.items(), MAX_REQUESTS_UNDER_WAY))

    def _put(self, pending: _Pending) -> None:
        command = pending.command
        answers_one = isinstance(command, SendMessage) and command.reply_to
        if answers_one and Capability.REPLIES not in self._capabilities:
            self._refused.append(pending)
            return
        self._ids += 1
        self._pending[self._ids] = pending


def _error_code(text: str) -> ErrorCode:
    try:
        return ErrorCode(text)
    except ValueError:
        return ErrorCode.INTERNAL
