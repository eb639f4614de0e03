"""Transfers in a terminal chat: slash commands, one printed line a step, one line at the bottom."""

from pathlib import Path

from msgspec.structs import replace

from chat_model import Chat
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import TransferChanged, TransferGauge
from chatnet_protocol.ipc.rows import TransferState
from local_world import LocalWorld

BYTES = 1_000_000


def test_transfers_by_slash(tmp_path: Path) -> None:
    chat = Chat()
    assert chat.write("/accept") == ["-- There is no such transfer now."]
    first = chat.world.peer_offers("a.bin", BYTES)
    chat.world.peer_offers("b.bin", 1000)
    chat.turn()
    assert chat.write("/accept") == ["-- Several are possible: 1, 2. Use /accept NUMBER."]
    chat.world.files.cut(frozen=True)
    chat.write("/accept 1")
    chat.gauge(TransferGauge(first, 1, 1, 500_000, 100_000.0))
    assert "a.bin, 1.0 MB · 50%" in chat.model.status(120)[0]
    assert len(chat.model.status(40)[0]) == 40
    assert "Paused" in chat.write("/pause")[0]
    chat.write("/resume")
    assert chat.world.transfer(first).state != TransferState.PAUSED
    assert "Declined" in chat.write("/reject 2")[0]
    assert "Cancelled" in chat.write("/cancel")[0]
    chat.world.files.cut(frozen=False)
    path = tmp_path / "c.txt"
    path.write_text("abc")
    assert "c.txt" in chat.write(f"/file {path}")[0]
    assert chat.world.view.transfers[-1].mine
    assert chat.write("/file /does/not/exist") == ["-- /does/not/exist does not exist."]
    assert "takes the path" in chat.write("/file")[0]
    assert "There is no transfer" in chat.write("/cancel 99")[0]


def test_a_transfer_is_one_line_at_the_bottom_and_one_printed_line_a_step() -> None:
    chat = Chat()
    transfer = chat.world.peer_offers("a.bin", BYTES)
    assert chat.turn()[-1].startswith("-- 1 ← a.bin, 1.0 MB: Offered: /accept 1, or /reject 1")
    printed = chat.write("/accept 1")
    while chat.world.transfer(transfer).state != TransferState.DONE:
        chat.world.run(0.05)
        printed += chat.turn()
        if chat.world.transfer(transfer).state == TransferState.ACTIVE:
            assert len(chat.model.status(80)) == 2
    assert printed == [
        "-- 1 ← a.bin, 1.0 MB: Waiting for the connection",
        "-- 1 ← a.bin, 1.0 MB: Receiving",
        "-- 1 ← a.bin, 1.0 MB: Verifying the files",
        "-- 1 ← a.bin, 1.0 MB: Received and verified, /tmp/inbox/a.bin",
    ]
    assert len(chat.model.status(80)) == 1


def test_how_far_a_transfer_is_stands_at_the_bottom() -> None:
    chat = Chat()
    chat.world.files.cut(frozen=True)
    transfer = chat.world.peer_offers("a.bin", BYTES)
    chat.turn()
    chat.write("/accept 1")
    row = replace(chat.world.transfer(transfer), state=TransferState.ACTIVE)
    chat.world.announce(TransferChanged(row))
    chat.turn()
    chat.gauge(TransferGauge(transfer, 1, 1, 900_000, 100_000.0))
    assert chat.model.status(80)[0] == "1 ← a.bin, 1.0 MB · 90% · 100 kB/s · 0:01 left"
    chat.write("/pause")
    assert chat.model.status(80)[0] == "1 ← a.bin, 1.0 MB · 90% · Paused by you"


def test_many_transfers_leave_room_for_the_chat() -> None:
    chat = Chat()
    for number in range(7):
        chat.world.peer_offers(f"{number}.bin")
    chat.turn()
    lines = chat.model.status(80)
    assert len(lines) == 5
    assert lines[3] == "and 4 more; /status lists them"


def test_advice_names_the_commands_of_the_chat() -> None:
    world = LocalWorld()
    for number in range(2, 13):
        world.do(cmd.AddPeer(f"10.0.0.{number}", 5000 + number, f"peer{number}"))
    chat = Chat(world, peer="1")
    world.peer_offers("a.bin")
    world.peer_offers("b.bin")
    chat.turn()
    lines = [chat.write(line)[-1] for line in ("/accept", "/accept 99", "/peer", "/fiel x")]
    assert lines == [
        "-- Several are possible: 1, 2. Use /accept NUMBER.",
        "-- There is no transfer '99'. See: /status",
        "-- There are several peers: bob (1), peer2 (2), peer3 (3), peer4 (4), peer5 (5), "
        "peer6 (6), peer7 (7), peer8 (8), peer9 (9), peer10 (10), and 2 more. Use /peer NAME.",
        '-- There is no /fiel. Did you mean "/file"? See /help.',
    ]
    assert not any("chatnet " in line for line in [*chat.write("/status"), *chat.write("/peers")])
