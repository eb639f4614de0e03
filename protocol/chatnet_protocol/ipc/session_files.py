"""Where a session keeps its files, and the connection file by which front ends find its engine.

Pure: paths are put together from what the caller read of its environment.

    HOME/sessions/NAME/          0700
        lock                     held with flock while the engine runs
        connection.json          0600, written after both sockets are bound, removed at the end
        identity.key             0600, 32 bytes and their check
        known_peers              0600, the keys that are trusted, one line a peer
        history.db               SQLite, WAL
        engine.log
        inbox/                   received files, when there is no ~/Downloads
"""

import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode
from chatnet_protocol.text import is_text

SESSION_NAME = re.compile(r"[a-z0-9-]{1,32}")

LOCK = "lock"
CONNECTION_FILE = "connection.json"
IDENTITY = "identity.key"
KNOWN_PEERS = "known_peers"
HISTORY = "history.db"
LOG = "engine.log"
INBOX = "inbox"

MAX_CONNECTION_FILE_BYTES = 4096


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


def home_dir(environ: Mapping[str, str], default: str) -> str:
    """CHATNET_HOME if it is set, else `default` (the platform's folder for application data).

    Raises CommandError(invalid) for a name that front ends could not be told.
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


def decode_connection_file(data: bytes) -> ConnectionFile:
    """Raises DecodeError."""
    if len(data) > MAX_CONNECTION_FILE_BYTES:
        raise DecodeError("the connection file is too long")
    try:
        return msgspec.json.decode(data, type=ConnectionFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"the connection file is damaged ({error})") from None
