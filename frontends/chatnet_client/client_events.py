"""What a client tells the program around it: the one stream that everything is drawn from.

The order is a promise: `Reset` first, then every `Changed` exactly once in the engine's order.
After a gap that the engine can no longer fill, another `Reset` comes, and, for a client that
asked for it, the durable messages between as `Missed`.
"""

import enum

from msgspec import Struct

from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import Command, Result
from chatnet_protocol.ipc.events import Event, Gauge
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_protocol.ipc.view import View


class Reset(Struct, frozen=True):
    """Forget what was known; this is the session. The view is the receiver's to keep and change."""

    view: View
    boot: bytes
    seq: int
    client: int
    """Our own number among the attached clients."""


class Missed(Struct, frozen=True):
    """Durable messages since the number asked for, in `no` order; `peers[i]` is of `rows[i]`.

    They are older than the Reset before, which may show some of them already.
    """

    rows: list[MessageRow]
    peers: list[int]


class Changed(Struct, frozen=True):
    """One numbered event, to be applied to the view."""

    seq: int
    event: Event


class Gauged(Struct, frozen=True):
    """A newer value of a statistic."""

    gauge: Gauge


class Behind(Struct, frozen=True):
    """Events were missed; they are being fetched. `missing` counts those known of."""

    missing: int


class Live(Struct, frozen=True):
    """Caught up: what is known is the present."""

    client: int


class Cause(enum.StrEnum):
    """Why there is no engine to talk to."""

    SILENT = "silent"
    """Its process is there but does not answer."""
    RESTARTING = "restarting"
    """It died, and is being started again."""
    ABSENT = "absent"
    """It is gone and nobody starts it; a front end of a person may."""
    STOPPED = "stopped"
    """Its user ended it."""
    REFUSED = "refused"
    """It could not start; `detail` is its sentence."""
    GAVE_UP = "gave-up"
    """It died too often; `detail` is what of."""


class Outage(Struct, frozen=True):
    """Why no engine answers; `command` starts one, where that is known."""

    cause: Cause
    detail: str = ""
    command: str = ""

    @property
    def is_final(self) -> bool:
        """Whether nothing but a person brings the engine back."""
        return self.cause in (Cause.STOPPED, Cause.REFUSED, Cause.GAVE_UP)


class EngineLost(Struct, frozen=True):
    """The engine ended or fell silent. What was known stays readable; attaching goes on quietly.

    Comes again when more is known: then with an Outage.
    """

    reason: str
    outage: Outage | None = None


class Refused(Struct, frozen=True):
    """The engine does not take this client. `final`: asking again cannot help."""

    code: ErrorCode
    text: str
    final: bool


class Answered(Struct, frozen=True):
    """The end of a command: exactly one of `result` and `error` is set."""

    token: int
    command: Command
    result: Result | None
    error: CommandError | None
    timed_out: bool = False
    """No answer came in time; the error says so, and the command may still be carried out."""


class ClientFailed(Struct, frozen=True):
    """The client's own thread has ended because of a mistake in it; nothing comes afterwards.

    The front end ends, too, and shows `reason`, one sentence. `trace` is for a file.
    """

    reason: str
    trace: str = ""


ClientEvent = (
    Reset
    | Missed
    | Changed
    | Gauged
    | Behind
    | Live
    | EngineLost
    | Refused
    | Answered
    | ClientFailed
)
