"""State files that were flipped or swapped: which of them a start takes without a word."""

from pathlib import Path

from chatnet_protocol.errors import CommandError
from simulate.power import SESSION, memory, nothing, started

KEYS = b"1" * 32, b"2" * 32
PEERS = b"B" * 32, b"C" * 32


def taken_in_silence() -> list[str]:
    """State files that were flipped or swapped, and were taken all the same."""
    taken: list[str] = []
    with memory() as base:
        for number, key in enumerate(KEYS):
            (base / str(number)).mkdir()
            nothing(base / str(number))
            with started(base / str(number), key) as start:
                start.add_peer()
                start.pin(PEERS[number])
        ours, theirs = (base / str(number) / SESSION for number in (0, 1))
        for name in ("identity.key", "history.db", "known_peers"):
            whole = (ours / name).read_bytes()
            (ours / name).write_bytes((theirs / name).read_bytes())
            taken += _taken(base / "0", f"another session's {name}")
            flips = range(0, 8 * len(whole), 7) if name != "history.db" else ()
            for bit in flips:
                data = bytearray(whole)
                data[bit // 8] ^= 1 << bit % 8
                (ours / name).write_bytes(data)
                taken += _taken(base / "0", f"bit {bit} of {name}")
            (ours / name).write_bytes(whole)
    return taken


def _taken(root: Path, what: str) -> list[str]:
    try:
        with started(root, b"3" * 32) as start:
            keys = {known.key for known in start.known._peers()}
            if start.private_key == KEYS[0] and keys <= {PEERS[0]} and "known_peers" in what:
                return []  # a name or a time reads differently, or the line trusts nobody
    except CommandError:
        return []
    return [f"{what} was taken in silence"]
