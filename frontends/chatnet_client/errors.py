"""What can go wrong between a front end and its engine; each text is one sentence for a person.

ChatNetError
├─ CommandError           (protocol) the engine refused a command
├─ DecodeError            (protocol) a frame or the connection file does not parse
└─ ClientError
   ├─ NoSession           nothing of that name runs here
   ├─ SeveralSessions     more than one runs and none was named
   ├─ EngineUnreachable   the engine does not answer, or went away
   ├─ EngineStartFailed   a new engine did not come up: its own sentence
   └─ RequestTimeout      no answer in the time that was given
"""

from chatnet_protocol.errors import ChatNetError


class ClientError(ChatNetError):
    """Root of the client library's own errors."""


class NoSession(ClientError):
    """There is no running session of the wanted name, or none at all."""


class SeveralSessions(ClientError):
    """Several sessions run; `names` lists them so that a person can choose."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(
            f"Several sessions are running: {', '.join(names)}. Choose one with --session."
        )
        self.names = names


class EngineUnreachable(ClientError):
    """The engine's process does not answer on its sockets."""


class EngineStartFailed(ClientError):
    """The engine could not be started; `status` is the exit code of its process."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class RequestTimeout(ClientError):
    """The engine did not answer this command in time; it may still carry it out."""
