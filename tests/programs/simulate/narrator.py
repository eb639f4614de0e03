"""Prints what each engine of a simulated world does, a line a trace, in columns.

time      seconds of simulated time since the world began
engine    a, b or c; nothing: a fault or the world itself
peer      the engine that it is about, by letter where its key is known, else `peer N`
what      a kind of trace (engine/chatnet_engine/trace.py), then its fields; lines without a
          colon in the first word are what people did and what was done to the world
"""

from chatnet_engine.io.trace_log import to_row
from chatnet_engine.trace import Kind, Trace
from chatnet_protocol.ipc.trace import TraceRow, format_trace
from simulate.world import World, public_key
from simworld.engine import SimEngine

PACKET_CATEGORIES = ("transport:", "recovery:")
"""Left out unless packets are wanted: a line a datagram."""


def narrate(world: World, *, packets: bool) -> None:
    """From now on every trace of every engine is a line of the world's trace."""
    for engine in world.engines:
        engine.trace_detail = True
        engine.on_trace = _Teller(world, engine, packets)


class _Teller:
    def __init__(self, world: World, engine: SimEngine, packets: bool) -> None:
        self._world = world
        self._engine = engine
        self._packets = packets

    def __call__(self, trace: Trace) -> None:
        if self._packets or not trace.kind.startswith(PACKET_CATEGORIES) or _is_rare(trace.kind):
            row = to_row(trace, None)
            text = format_trace(TraceRow(0, row.kind, row.fields))
            self._world.note(self._engine.name, f"{self._peer(trace.peer):<6} {text}")

    def _peer(self, number: int) -> str:
        if not number:
            return ""
        views = [client.view for client in self._engine.clients if client.view]
        known = views[0].peer(number) if views else None
        keys = {public_key(engine): engine.name for engine in self._world.engines}
        return keys.get(known.info.key, f"peer {number}") if known else f"peer {number}"


def _is_rare(kind: Kind) -> bool:
    return kind is Kind.BLACK_HOLE
