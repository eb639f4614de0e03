"""Where a session keeps its files, and those by which front ends find its engine or start it.

Pure: paths are put together from what the caller read of its environment.

    HOME/sessions/NAME/          0700
        lock                     held with flock while the engine runs
        connection.json          0600, written after both sockets are bound, removed at the end
        start.json               0600, what starts this engine again
        ended                    0600, why no engine runs; nobody but a person starts one then
        supervisor.lock          held with flock, shared, while a supervisor lives
        start.lock               held with flock by the front end that starts an engine
        identity.key             0600, 32 bytes and their check
        known_peers              0600, the keys that are trusted, one line a peer
        history.db               SQLite, WAL
        engine.log
        inbox/                   received files, when there is no ~/Downloads
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import msgspec
from msgspec import Struct

from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode
from chatnet_protocol.text import is_text

SESSION_NAME = re.compile(r"[a-z0-9-]{1,32}")

LOCK = "lock"
CONNECTION_FILE = "connection.json"
START_FILE = "start.json"
ENDED_FILE = "ended"
SUPERVISOR_LOCK = "supervisor.lock"
START_LOCK = "start.lock"
IDENTITY = "identity.key"
KNOWN_PEERS = "known_peers"
HISTORY = "history.db"
LOG = "engine.log"
INBOX = "inbox"
LISTINGS = "listings"

MAX_CONNECTION_FILE_BYTES = 4096
MAX_START_FILE_BYTES = 16384
MAX_ENDED_FILE_BYTES = 4096
MAX_ENDED_DETAIL_CHARACTERS = 1000

DecodedT = TypeVar("DecodedT")


class ConnectionFile(Struct, frozen=True):
    """What `connection.json` holds."""

    session: str
    boot: str
    """Hex."""
    pid: int
    ipc_version: int
    product_version: str
    events: str
    """ZeroMQ endpoint of the PUB socket."""
    commands: str
    """ZeroMQ endpoint of the ROUTER socket."""
    port: int
    """UDP (and TCP) port of the engine."""


class StartFile(Struct, frozen=True):
    """What `start.json` holds."""

    arguments: list[str]
    """Of `chatnet engine`, without `-d`. Peers are in the history."""
    kept_by: str = ""
    """Who starts this engine when it ends, such as `systemd`; front ends then leave it alone."""


class Ended(StrEnum):
    """Why no engine runs, and none is started but by a person."""

    STOPPED = "stopped"
    """Its user ended it."""
    REFUSED = "refused"
    """It could not start; `detail` is its sentence."""
    GAVE_UP = "gave-up"
    """It died too often; `detail` is the cause of the last death, such as `SIGKILL`."""


class EndedFile(Struct, frozen=True):
    """What `ended` holds. A later version may know more codes."""

    code: str
    detail: str
    wall_ms: int = 0


def home_dir(environ: Mapping[str, str], default: str) -> str:
    """CHATNET_HOME if it is set, else `default` (the platform's folder for application data).

    Raises CommandError(invalid) for a name that cannot be written to the connection file.
    """
    home = environ.get("CHATNET_HOME") or default
    if not is_text(home):
        raise CommandError(ErrorCode.INVALID, "CHATNET_HOME is not valid UTF-8.")
    return home


def session_dir(home: str, name: str) -> str:
    """The folder of session `name`. Raises CommandError(invalid) for an impossible name."""
    if not SESSION_NAME.fullmatch(name):
        raise CommandError(
            ErrorCode.INVALID,
            f"{name!r} is no session name: use 1 to 32 of a-z, 0-9 and '-'.",
        )
    return f"{home}/sessions/{name}"


def encode_connection_file(value: ConnectionFile) -> bytes:
    """JSON, one line."""
    return msgspec.json.encode(value) + b"\n"


def encode_start_file(value: StartFile) -> bytes:
    """JSON, one line."""
    return msgspec.json.encode(value) + b"\n"


def encode_ended_file(value: EndedFile) -> bytes:
    """JSON, one line."""
    return msgspec.json.encode(value) + b"\n"


def decode_connection_file(data: bytes) -> ConnectionFile:
    """Raises DecodeError."""
    return _decode(data, ConnectionFile, MAX_CONNECTION_FILE_BYTES, "the connection file")


def decode_start_file(data: bytes) -> StartFile:
    """Raises DecodeError."""
    return _decode(data, StartFile, MAX_START_FILE_BYTES, START_FILE)


def decode_ended_file(data: bytes) -> EndedFile:
    """Raises DecodeError."""
    return _decode(data, EndedFile, MAX_ENDED_FILE_BYTES, ENDED_FILE)


def _decode(data: bytes, shape: type[DecodedT], limit: int, what: str) -> DecodedT:
    if len(data) > limit:
        raise DecodeError(f"{what} is too long")
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"{what} is damaged ({error})") from None
