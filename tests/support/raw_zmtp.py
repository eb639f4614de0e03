"""ZMTP 3.1 by hand, to say what no library would: greeting, commands, frames."""

import os
import socket
import struct
from contextlib import suppress

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01NULL" + bytes(48)
MORE, LONG, COMMAND = 1, 2, 4
TIMEOUT_S = 20.0


def frame(body: bytes, flags: int = 0) -> bytes:
    """One frame of the wire."""
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | LONG]) + struct.pack("!Q", len(body)) + body


def command(name: bytes, body: bytes = b"") -> bytes:
    """One command frame."""
    return frame(bytes([len(name)]) + name + body, COMMAND)


def connect(endpoint: str) -> socket.socket:
    """A bare connection to an `ipc://` endpoint."""
    raw = socket.socket(socket.AF_UNIX)
    raw.connect(endpoint.removeprefix("ipc://"))
    return raw


def ready(kind: bytes, identity: bytes = b"") -> bytes:
    """The READY of a socket of that kind."""
    properties = b"".join(
        bytes([len(name)]) + name + struct.pack("!I", len(value)) + value
        for name, value in ((b"Socket-Type", kind), (b"Identity", identity))
        if value
    )
    return command(b"READY", properties)


def join(endpoint: str, kind: bytes, identity: bytes = b"") -> socket.socket:
    """A connection after the handshake, as a socket of that kind. Raises OSError.

    Who sends before the engine's READY is cut.
    """
    raw = connect(endpoint)
    raw.settimeout(TIMEOUT_S)
    try:
        raw.sendall(GREETING + ready(kind, identity))
        answer = b""
        while b"READY" not in answer:
            received = raw.recv(4096)
            if not received:
                raise ConnectionResetError
            answer += received
    except OSError:
        raw.close()
        raise
    raw.settimeout(None)
    return raw


def send_some(raw: socket.socket, data: bytes) -> None:
    """What fits into the socket, without waiting; a connection that is cut is no error."""
    raw.setblocking(False)
    with suppress(OSError):
        raw.send(data)


def is_cut_while_sending(raw: socket.socket, data: bytes) -> bool:
    """Send that again and again, or wait if there is nothing, until the other side hangs up."""
    raw.settimeout(TIMEOUT_S)
    try:
        while data:
            raw.sendall(data)
        while raw.recv(4096):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return not data


def unique(size: int) -> bytes:
    """Bytes that nobody has used before."""
    return os.urandom(size)
