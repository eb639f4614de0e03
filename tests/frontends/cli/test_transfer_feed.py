"""Transfers as they move, for people and for programs."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import msgspec

from chatnet_cli.transfer_feed import PROGRESS_EVERY_S, TransferFeed
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import TransferGauge
from chatnet_protocol.ipc.reasons import Reason, TransferReason, reason
from chatnet_protocol.ipc.rows import Compared, TransferRow, TransferState
from cli_shell import Shell
from local_engine import LocalEngine

ROW = TransferRow(
    id=bytes(16),
    peer=1,
    no=1,
    mine=True,
    state=TransferState.ACTIVE,
    name="a",
    files=1,
    size_bytes=10,
)


class Reader(io.StringIO):
    """Acts on each line; ends the command by a closed pipe when it has seen enough."""

    def __init__(self, act: Callable[[str], bool]) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._act = act

    def write(self, text: str) -> int:
        if text.strip():
            self.lines.append(text.rstrip("\n"))
            if not self._act(text):
                raise BrokenPipeError
        return len(text)


def test_a_change_is_new_at_once_and_progress_once_a_second() -> None:
    feed = TransferFeed()
    assert feed.is_new(ROW, 1, 0.0)
    assert not feed.is_new(ROW, 2, PROGRESS_EVERY_S / 2)
    assert feed.is_new(ROW, 2, PROGRESS_EVERY_S)
    assert not feed.is_new(ROW, 2, 10 * PROGRESS_EVERY_S)
    compares = msgspec.structs.replace(ROW, compared=Compared(1, 2, 3, 4))
    assert feed.is_new(compares, 2, 11 * PROGRESS_EVERY_S)
    assert not feed.is_new(compares, 2, 13 * PROGRESS_EVERY_S)


def test_comparing_as_json_says_how_far_it_is(shell: Shell, local: LocalEngine) -> None:
    offer = local.do(lambda world: world.peer_offers("a.bin"))
    why, compared = reason(TransferReason.COMPARING), Compared(1, 2, 3, 4)
    local.do(
        lambda world: world.announce_transfer(
            offer, TransferState.WAITING, reason=why, compared=compared
        )
    )
    assert shell.run("transfers", "--json") == 0
    row = json.loads(shell.out)
    assert row["compared"] == {"files": 1, "of_files": 2, "size_bytes": 3, "of_bytes": 4}
    assert shell.run("transfers") == 0
    assert "earlier folder: 1 of 2 files, 3 B of 4 B" in shell.out


def test_watched_transfers_go_on(shell: Shell, local: LocalEngine) -> None:
    offer = local.do(lambda world: world.peer_offers("a.bin"))

    def move(state: TransferState, why: Reason | None = None) -> None:
        local.do(lambda world: world.announce_transfer(offer, state, reason=why))

    def act(line: str) -> bool:
        if "Offered" in line:
            move(TransferState.ACTIVE, reason(TransferReason.RECEIVER_BUSY))
        elif "takes no more" in line:
            move(TransferState.DONE)
        return "Received" not in line

    reader = shell.stdout = Reader(act)
    assert shell.run("transfers", "--watch") == 0
    assert "takes no more" in reader.lines[1]
    assert len(reader.lines) == 3


def test_a_sent_file_as_json_says_how_far_it_is(
    shell: Shell, local: LocalEngine, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 1000)
    local.do(lambda world: world.peer_asks(cmd.SetPeer(1, auto_accept_bytes=0)))
    values: list[dict[str, object]] = []

    def act(line: str) -> bool:
        value = json.loads(line)
        values.append(value)
        transfer = bytes.fromhex(value["id"])
        if value["state"] == TransferState.OFFERED:
            local.do(lambda world: world.announce_transfer(transfer, TransferState.ACTIVE))
        elif value["done_bytes"] == 0:
            gauge = TransferGauge(transfer, 1, 1, 500, 250.0)
            local.do(lambda world: world.announce_gauges(gauge))
        else:
            local.do(lambda world: world.announce_transfer(transfer, TransferState.DONE))
        return True

    shell.stdout = Reader(act)
    assert shell.run("send-file", str(path), "--json", "--wait", "done", "--timeout", "20") == 0
    assert local.seen(cmd.OfferFiles)
    moved = next(value for value in values if value["done_bytes"] == 500)
    assert (moved["rate_bytes_s"], moved["left_s"]) == (250, 2.0)
    assert values[-1]["state"] == TransferState.DONE
    assert values[0]["left_s"] is None
