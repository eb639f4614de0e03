"""What an argument on the command line may be."""

import argparse

from chatnet_protocol.addresses import parse_host
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc.sizes import parse_size

MAX_SIZE_BYTES = 2**63 - 1
"""More than any store can count."""
BY_DEFAULT = -1
"""`SetPeer.auto_accept_bytes` to leave it to the default."""
MAX_PORT = 65535


def seconds(text: str) -> float:
    """A time. Raises ArgumentTypeError, like all here."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def size_of(text: str) -> int:
    """Bytes, of `500MB` or `1GiB`."""
    try:
        return parse_size(text)
    except CommandError as error:
        raise argparse.ArgumentTypeError(error.detail) from None


def allowed_size_of(text: str) -> int:
    """Bytes; negative: the default."""
    return BY_DEFAULT if text.strip().lower() == "default" else size_of(text)


def _whole(text: str, maximum: int, what: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value <= maximum:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value


def count(text: str) -> int:
    """A number that is not negative."""
    return _whole(text, MAX_SIZE_BYTES, "a number")


def port(text: str) -> int:
    """A UDP port."""
    return _whole(text, MAX_PORT, f"a valid port (1 to {MAX_PORT})")


def host(text: str) -> str:
    """A name or address, without a port."""
    try:
        return parse_host(text)
    except CommandError as error:
        raise argparse.ArgumentTypeError(error.detail) from None
