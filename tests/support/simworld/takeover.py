"""A machine that is somebody else from now on."""

import sqlite3

from simworld.engine import SimEngine


def become_another(engine: SimEngine) -> None:
    """The machine is set up anew: another key, an empty history, the same address and peers."""
    peers = [(row.host, row.port) for row in engine.ledger.load().peers]
    if engine.is_up:
        engine.crash()
    engine.private_key = engine.random(32)
    engine.known_peers = b""
    engine.connection = sqlite3.connect(":memory:", isolation_level=None)
    engine.up()
    for addr in peers:
        engine.dial(addr)
