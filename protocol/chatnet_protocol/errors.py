"""The exception tree of every ChatNet package.

    ChatNetError
    ├─ DecodeError            bytes do not parse: carries the reason, never the bytes
    ├─ LocalProtocolError     our caller asked what this state forbids (our bug or race)
    ├─ RemoteProtocolError    the other side broke the specification: carries a CloseCode
    ├─ VersionMismatch        the two sides speak different versions
    └─ CommandError           the answer to a command: ErrorCode and one sentence

Ours or theirs? Theirs is counted, dropped, or closes that peer; it never stops the engine.
Only a code and a text cross a wire, never a class name or a traceback.
"""

import enum


class CloseCode(enum.IntEnum):
    """Why a link is closed; travels in a CLOSE frame."""

    NONE = 0
    SHUTDOWN = 1
    """The engine ends; the peer should keep its queue and dial again later."""
    PENDING = 2
    """The dialler is not known here yet; its user has to be accepted first."""
    REFUSED = 3
    """The key is not trusted here, or was removed."""
    PROTOCOL_VIOLATION = 4


class ErrorCode(enum.StrEnum):
    """Why a command failed; the closed vocabulary of replies."""

    INVALID = "invalid"
    UNKNOWN_COMMAND = "unknown-command"
    UNKNOWN_PEER = "unknown-peer"
    UNKNOWN_TRANSFER = "unknown-transfer"
    UNKNOWN_CLIENT = "unknown-client"
    TOO_LARGE = "too-large"
    BUSY = "busy"
    NOT_ALLOWED = "not-allowed"
    REFUSED = "refused"
    GONE = "gone"
    FILE = "file"
    STORE = "store"
    VERSION = "version"
    INTERNAL = "internal"


class ChatNetError(Exception):
    """Root of all errors that ChatNet raises on purpose."""


class DecodeError(ChatNetError):
    """Bytes do not parse. `reason` is one short sentence and holds none of the bytes."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LocalProtocolError(ChatNetError):
    """The caller asked for something that the present state forbids."""


class RemoteProtocolError(ChatNetError):
    """The other side broke the specification."""

    def __init__(self, reason: str, code: CloseCode = CloseCode.PROTOCOL_VIOLATION) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class VersionMismatch(ChatNetError):
    """The two sides speak different versions; the text says which side to upgrade."""

    def __init__(self, ours: int, theirs: int, what: str) -> None:
        side = "this side" if ours < theirs else "the other side"
        super().__init__(
            f"{what} version {theirs} meets version {ours} here: upgrade ChatNet on {side}."
        )
        self.ours = ours
        self.theirs = theirs


class CommandError(ChatNetError):
    """A command failed; `detail` is one sentence for a person."""

    def __init__(self, code: ErrorCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
