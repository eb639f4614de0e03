"""A trace as it is written down: in the engine's log, and in the stream that front ends may follow.

Names and fields are for people and for programs that look for causes; nothing decides by them.
"""

from msgspec import Struct

TraceValue = int | float | str


class TraceRow(Struct, array_like=True, gc=False, frozen=True):
    """One thing that the engine did. `peer` 0: about no peer in particular."""

    peer: int
    kind: str
    """After qlog: a category, a colon, an event."""
    fields: dict[str, TraceValue]


def format_trace(row: TraceRow) -> str:
    """`kind peer=1 name=value …`, one line; values with a space in quotes."""
    peer = f" peer={row.peer}" if row.peer else ""
    return row.kind + peer + "".join(f" {name}={_show(row.fields[name])}" for name in row.fields)


def _show(value: TraceValue) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return f'"{text}"' if " " in text or not text else text
