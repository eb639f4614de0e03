"""Writes traces to the engine's log, in lines that a user can send with a bug report.

Owns how addresses are hidden, and how many lines of one kind the log takes, so that neither a
hostile peer nor a link that comes and goes washes the night's story out of it.
"""

import hashlib
import logging
from dataclasses import dataclass

from chatnet_engine.addresses import Addr
from chatnet_engine.trace import DETAIL, Field, Tag, Trace
from chatnet_protocol.addresses import show_address
from chatnet_protocol.ipc.trace import TraceRow, TraceValue, format_trace

logger = logging.getLogger("trace")

LINES_AT_ONCE = 40
"""Of one kind about one peer, and then ..."""
LINE_EVERY_S = 30.0
"""... one in this time, which says how many were left out: at most 1,900 more lines in a night."""
SALT_PERSON = b"chatnet trace"
HASH_BYTES = 3


def salt_of(private_key: bytes) -> bytes:
    """The key under which this session's log names addresses, the same at each start."""
    return hashlib.blake2b(private_key, digest_size=32, person=SALT_PERSON).digest()


def to_row(trace: Trace, salt: bytes | None) -> TraceRow:
    """As it is written down. `salt`: addresses become their family and a hash; None: in full."""
    given = ((name, value) for name, value in trace.fields.items() if value != "")
    fields = {name: _value(value, salt) for name, value in given}
    return TraceRow(trace.peer, trace.kind.value, fields)


def hide(addr: Addr, salt: bytes) -> str:
    """`ipv4#5f1c02:12346`: enough to see whether two addresses are the same."""
    host, port = addr
    family = "ipv6" if ":" in host else "ipv4"
    digest = hashlib.blake2b(host.encode(), digest_size=HASH_BYTES, key=salt).hexdigest()
    return f"{family}#{digest}:{port}"


@dataclass(slots=True)
class _Allowance:
    lines: float
    at_s: float
    left_out: int = 0


class TraceLog:
    """`full`: the log's level is debug, so everything is written, with addresses as they are."""

    def __init__(self, salt: bytes, *, full: bool) -> None:
        self._salt = None if full else salt
        self._full = full
        self._allowances: dict[tuple[int, str], _Allowance] = {}

    def write(self, trace: Trace, now_s: float) -> None:
        """One line, or none."""
        if self._full:
            level = logging.DEBUG if trace.kind in DETAIL else logging.INFO
            logger.log(level, "%s", format_trace(to_row(trace, None)))
        elif trace.kind not in DETAIL and (left_out := self._admit(trace, now_s)) is not None:
            more = f" (and {left_out} more since the last)" if left_out else ""
            logger.info("%s%s", format_trace(to_row(trace, self._salt)), more)

    def _admit(self, trace: Trace, now_s: float) -> int | None:
        """How many were left out before this one; None: so is this."""
        key = (trace.peer, trace.kind.value)
        allowance = self._allowances.get(key)
        if allowance is None:
            allowance = self._allowances[key] = _Allowance(LINES_AT_ONCE, now_s)
        earned = (now_s - allowance.at_s) / LINE_EVERY_S
        allowance.lines = min(LINES_AT_ONCE, allowance.lines + earned)
        allowance.at_s = now_s
        if allowance.lines < 1:
            allowance.left_out += 1
            return None
        allowance.lines -= 1
        left_out, allowance.left_out = allowance.left_out, 0
        return left_out


def _value(value: Field, salt: bytes | None) -> TraceValue:
    if isinstance(value, tuple):
        return show_address(*value) if salt is None else hide(value, salt)
    if isinstance(value, Tag):
        return f"{value:08x}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, str) else value
