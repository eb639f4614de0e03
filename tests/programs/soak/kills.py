"""`--kills N --files KIND`: either engine is killed at random moments while files are sent.

KIND: `big` (one file), `many` (a folder of small files), `update` (a folder that is offered again
and again, and changed between). Offers follow one another until there were N kills; each ends done
on both sides, with what was offered under its final name and nothing beside it. With `--results
FILE` every kill is a line, and an interrupted run goes on after the last one (with new engines).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from chatnet_client.client import Client, new_id
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import ENDED_TRANSFER_STATES, TransferRow, TransferState
from chatnet_protocol.limits import MIN_LIMIT_BYTES_S
from realworld.engines import RealEngine, is_up, two_engines
from soak.nightly import digest_of

UP_S = 120.0
DONE_S = 600.0
MOMENT_S = (0.0, 2.5)
"""From where an offer is under way, or an engine is back, to the next kill."""
PIECES = 12
"""Seconds that an offer takes at its limit: some kills fall into each."""
CHANGED = 0.1
"""So much of a folder is another one in the next offer of an update."""
ALL = 1 << 40
"""Everything arrives unasked."""


@dataclass(frozen=True)
class Kind:
    """What is offered."""

    files: int
    file_bytes: int
    update: bool = False


KINDS = {"big": Kind(1, 256_000_000), "many": Kind(5000, 1000), "update": Kind(900, 60_000, True)}


class Kills:
    """Two engines, and offers from A to B."""

    def __init__(self, a: RealEngine, b: RealEngine, root: Path, kind: Kind, seed: int) -> None:
        self.engines = {"a": a, "b": b}
        self._kind = kind
        self._random = Random(f"kills {seed}")
        self._top = root / "offered" / "proj"
        self._offers = 0
        size = kind.files * kind.file_bytes
        with b.attach("own") as client:
            client.request(cmd.SetPeer(1, auto_accept_bytes=ALL))
            client.request(cmd.TrustPeer(1, "verified"))
        with a.attach("own") as client:
            limit = max(MIN_LIMIT_BYTES_S, size // PIECES)
            client.request(cmd.SetSession(limit_bytes_s=limit))

    def offer(self, kills: int) -> Iterator[str]:
        """One offer, and up to so many kills: a line for each, empty for one that held; then what
        is wrong with what has arrived."""
        self._write()
        digest = digest_of(self._top)
        with self.engines["a"].attach("offer") as client:
            path = [str(self._top)]
            transfer_id = new_id()
            client.request(cmd.OfferFiles(transfer_id, 1, path, self._kind.update))
        self._offers += 1
        for _ in range(kills):
            time.sleep(self._random.uniform(*MOMENT_S))
            if self._row("b", transfer_id, over=0.0):
                break
            name = self._random.choice("ab")
            engine = self.engines[name]
            other = self.engines["b" if name == "a" else "a"]
            engine.kill()
            time.sleep(self._random.uniform(0, 0.5))
            engine.start("127.0.0.1", str(other.port))
            yield ""
        rows = {name: self._row(name, transfer_id, over=DONE_S) for name in "ab"}
        for name, row in rows.items():
            if row is None or row.state != TransferState.DONE:
                yield f"offer {self._offers} is not done at {name}: {row}"
                return
        got = rows["b"]
        assert got
        if digest_of(Path(got.path)) != digest:
            yield f"{got.path} is not what was offered"
        partial_folder = Path(got.path).parent / ".chatnet-partial"
        if left := list(partial_folder.glob("*")):
            yield f"left behind: {left}"
        if self._kind.update and not got.updates_allowed:
            with self.engines["b"].attach("allow") as client:
                client.request(cmd.AllowUpdates(transfer_id))
        elif got.differences and got.differences.not_updated:
            yield f"offer {self._offers} was no update: {got.differences.not_updated}"

    def _row(self, name: str, transfer_id: bytes, over: float) -> TransferRow | None:
        """The transfer once it has ended there, waiting so long for it."""
        with self.engines[name].attach("look") as client:
            if over and not client.wait_until(partial(is_up, client), UP_S):
                return None
            client.wait_until(lambda: has_ended(client, transfer_id), over)
            row = client.view.transfer(transfer_id)
            return row if row and row.state in ENDED_TRANSFER_STATES else None

    def _write(self) -> None:
        """The next state of what is offered."""
        self._top.mkdir(parents=True, exist_ok=True)
        for number in range(self._kind.files):
            file = self._top / f"{number % 10}" / f"{number}.bin"
            file.parent.mkdir(exist_ok=True)
            if not file.exists() or self._random.random() < CHANGED:
                file.write_bytes(self._random.randbytes(self._kind.file_bytes))


def has_ended(client: Client, transfer_id: bytes) -> bool:
    """Whether the transfer has ended there."""
    row = client.view.transfer(transfer_id)
    return row is not None and row.state in ENDED_TRANSFER_STATES


def run_kills(root: Path, seed: int, kills: int, kind: Kind, results: Path | None) -> Iterator[str]:
    """Do what `results` does not say is done; a line for each kill, those that begin with BROKEN
    say what is wrong."""
    done = len(results.read_text().splitlines()) if results and results.exists() else 0
    with two_engines(root) as (a, b):
        world = Kills(a, b, root, kind, seed + done)
        while done < kills:
            for problem in world.offer(kills - done):
                if problem:
                    yield f"BROKEN: {problem}"
                    return
                done += 1
                line = f"kill {done} held"
                if results:
                    with results.open("a") as file:
                        print(line, file=file)
                yield line
