"""Owns the texts that a person wrote here and the engine has not made durable yet. Pure.

Every text is handed to a keeper (a file, see `kept_file`) before the box or line is cleared, and
leaves it when the engine answers `Queued`. The program that uses this

- calls `add` with what was written, and clears the box only if that returns nothing;
- asks what `take_commands` gives after every call here, and hands the answers to `handle_answer`;
- shows `texts(peer)` as waiting, below what is in the history;
- calls `adopt` at its start and whenever it is live: what a front end that died had not handed over
  becomes this one's.

One text at a time is under way, so that the order holds whatever is lost; a text that is asked for
twice has the same id, and is one message. `now` is seconds of any clock that does not go back.
"""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from chatnet_client.client_events import Answered
from chatnet_client.kept_records import KeptText
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc.commands import Command, Queued, SendMessage, WithdrawMessage
from chatnet_protocol.limits import MAX_TEXT_BYTES
from chatnet_protocol.text import valid_text

MAX_TEXTS = 1000
MAX_BYTES = 4 * 1024 * 1024
"""Kept by one front end; beyond either a text stays in the box. Adopted ones are always taken."""
RETRY_S = 1.0
"""Pause after an answer that may be another one later."""
PASSING = frozenset({ErrorCode.BUSY, ErrorCode.STORE, ErrorCode.GONE, ErrorCode.UNKNOWN_CLIENT})
"""Codes after which the same text is asked for again; others say that it cannot be sent."""
FULL = "The engine has been away for too long: no more texts can be kept here. It stays unsent."
TOO_LONG = "One message holds 64 KiB at most: send longer texts as a file."
NOT_WRITTEN = "The text cannot be kept ({reason}), so it stays here unsent."


class Keeper(Protocol):
    """Where texts outlive the front end. `append` and `adopt` may raise OSError."""

    def append(self, text: KeptText) -> None:
        """Written when this returns; on disk within a second."""

    def remove(self, text_id: bytes) -> None:
        """It is durable elsewhere, or taken back."""

    def adopt(self) -> list[KeptText]:
        """Texts of front ends that are gone; they are kept here now."""

    def close(self) -> None:
        """Nothing is appended any more; what is kept stays."""


class MemoryKeeper:
    """Keeps nothing beyond the front end's life."""

    def append(self, text: KeptText) -> None:
        """Nothing to do."""

    def remove(self, text_id: bytes) -> None:
        """Nothing to do."""

    def adopt(self) -> list[KeptText]:
        """There is nobody else."""
        return []

    def close(self) -> None:
        """Nothing to do."""


class Waiting(Struct, frozen=True):
    """A text that is not durable in the engine."""

    text: KeptText
    draft_revision: int = 0
    refused: str = ""
    """Why it can no longer be sent; empty: it waits."""
    under_way: bool = False
    asked: bool = False
    """Whether an engine may have it already."""


class KeptTexts:
    """The texts of one front end, in the order in which they were written."""

    def __init__(
        self, keeper: Keeper, *, new_id: Callable[[], bytes], wall_ms: Callable[[], int]
    ) -> None:
        self._keeper = keeper
        self._new_id = new_id
        self._wall_ms = wall_ms
        self._texts: dict[bytes, Waiting] = {}
        self._bytes = 0
        self._withdrawals: list[WithdrawMessage] = []
        self._paused = False
        self._paused_at: float | None = None

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def waiting(self) -> int:
        """How many will still be sent."""
        return sum(not one.refused for one in self._texts.values())

    def texts(self, peer: int) -> list[Waiting]:
        """What waits for one peer, oldest first."""
        return [waiting for waiting in self._texts.values() if waiting.text.peer == peer]

    # --- inputs ------------------------------------------------------------------------------

    def add(self, peer: int, text: str, draft_revision: int = 0, reply_to: bytes = b"") -> str:
        """Keep what was written, as an answer to a message if `reply_to` is the id of one; one
        sentence when it has to stay in the box."""
        text = valid_text(text)
        size = len(text.encode())
        if size > MAX_TEXT_BYTES:
            return TOO_LONG
        if len(self._texts) >= MAX_TEXTS or self._bytes + size > MAX_BYTES:
            return FULL
        kept = KeptText(self._new_id(), peer, text, self._wall_ms(), reply_to)
        try:
            self._keeper.append(kept)
        except OSError as error:
            return NOT_WRITTEN.format(reason=error.strerror or "it cannot be written")
        self._put(Waiting(kept, draft_revision))
        return ""

    def set_draft_revision(self, revision: int) -> None:
        """The text that was added last clears the draft of that revision."""
        newest = next(reversed(self._texts.values()), None)
        if newest is not None and not newest.under_way:
            self._texts[newest.text.id] = replace(newest, draft_revision=revision)

    def adopt(self, draft_of: Callable[[int], tuple[str, int]] = lambda peer: ("", 0)) -> bool:
        """Take over what front ends that are gone have left; whether there was any.

        `draft_of`: text and revision of the session's draft to a peer: one that is still there
        although it was sent goes with its message.
        """
        try:
            adopted = self._keeper.adopt()
        except OSError:
            return False  # they stay where they are, for the next front end or the next call
        # They were written before what no engine was asked for here, and go first.
        newer = {one: waiting for one, waiting in self._texts.items() if not waiting.asked}
        self._texts = {one: text for one, text in self._texts.items() if one not in newer}
        for kept in adopted:
            draft, revision = draft_of(kept.peer)
            self._put(Waiting(kept, revision if draft == kept.text else 0, asked=True))
        self._texts |= newer
        return bool(adopted)

    def handle_answer(self, answer: Answered) -> Waiting | None:
        """An answer to one of the commands from here; the text if it can no longer be sent."""
        command = answer.command
        waiting = self._texts.get(command.id) if isinstance(command, SendMessage) else None
        if waiting is None or not waiting.under_way:
            return None
        error = answer.error
        if isinstance(answer.result, Queued):
            self._drop(waiting)
        elif answer.timed_out or error is None or error.code in PASSING:
            self._paused = not answer.timed_out
            self._texts[waiting.text.id] = replace(waiting, under_way=False)
        else:
            refused = replace(waiting, under_way=False, asked=False, refused=error.detail)
            self._texts[waiting.text.id] = refused
            return refused
        return None

    def handle_timeout(self, now: float) -> None:
        """Time has passed."""
        if self._paused and self._paused_at is None:
            self._paused_at = now
        elif self._paused_at is not None and now >= self._paused_at + RETRY_S:
            self._paused, self._paused_at = False, None

    def take_back(self, text_id: bytes) -> str | None:
        """The text, which is not sent; None while it is just being handed to the engine.

        An engine that may have it already is asked to withdraw it.
        """
        waiting = self._texts.get(text_id)
        if waiting is None or waiting.under_way:
            return None
        self._drop(waiting)
        if waiting.asked:
            self._withdrawals.append(WithdrawMessage(text_id, waiting.text.peer))
        return waiting.text.text

    def close(self) -> None:
        """The front end leaves; what waits is kept."""
        self._keeper.close()

    # --- outputs -----------------------------------------------------------------------------

    def take_commands(self, live: bool) -> list[Command]:
        """What to ask now; nothing while the engine is away."""
        if not live:
            return []
        commands: list[Command] = [*self._withdrawals]
        self._withdrawals = []
        if self._paused or any(waiting.under_way for waiting in self._texts.values()):
            return commands
        waiting = next((one for one in self._texts.values() if not one.refused), None)
        if waiting is not None:
            kept = waiting.text
            self._texts[kept.id] = replace(waiting, under_way=True, asked=True)
            of_draft, answers = waiting.draft_revision, kept.reply_to
            commands.append(
                SendMessage(kept.id, kept.peer, kept.text, of_draft, kept.typed_ms, answers)
            )
        return commands

    def next_timeout(self) -> float | None:
        """When `handle_timeout` has something to do."""
        if not self._paused:
            return None
        return 0.0 if self._paused_at is None else self._paused_at + RETRY_S

    # --- inside ------------------------------------------------------------------------------

    def _put(self, waiting: Waiting) -> None:
        if waiting.text.id not in self._texts:
            self._texts[waiting.text.id] = waiting
            self._bytes += len(waiting.text.text.encode())

    def _drop(self, waiting: Waiting) -> None:
        del self._texts[waiting.text.id]
        self._bytes -= len(waiting.text.text.encode())
        self._keeper.remove(waiting.text.id)
