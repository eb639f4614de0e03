"""What the terminal chat prints besides messages: days, deliveries, transfers, advice."""

from pathlib import Path

import pytest

from chat_model import DAY, Chat
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import LinkState, TransferState
from fake_engine import FakeCore, make_view

DAY_MS = 86_400_000


def test_a_line_for_each_new_day() -> None:
    core = FakeCore()
    core.receive(1, "one")
    core.receive(1, "two")
    core.wall_ms += DAY_MS
    core.receive(1, "three")
    model = Chat(core).model
    model.switch(1)
    lines = [str(line) for line in model.take_lines()]
    assert [line for line in lines if "November" in line] == [
        DAY,
        "-- Wednesday, 15 November 2023",
    ]
    assert lines.index(DAY) < lines.index("22:13:21 bob: one  [ACK 1 · 10.0.0.1:5001]")
    piped = Chat(core, watched=False)
    piped.model.switch(1)
    assert not any("November" in str(line) for line in piped.model.take_lines())


def test_what_was_written_while_the_peer_was_away_is_reported_once_delivered() -> None:
    chat = Chat()
    chat.core.auto_deliver = False
    chat.core.set_link(1, LinkState.SILENT)
    chat.turn()
    chat.write("one")
    chat.write("two")
    chat.core.set_link(1, LinkState.UP)
    chat.core.deliver(1)
    assert chat.turn()[-1] == "-- ✓✓ delivered up to ACK 1002: bob has everything you wrote"
    chat.core.auto_deliver = True
    assert chat.write("three") == ["22:13:23 me: three"]


def test_a_transfer_is_one_line_at_the_bottom_and_one_printed_line_a_step() -> None:
    chat = Chat()
    transfer = chat.core.offer(1, "a.bin", 1000)
    assert chat.turn()[-1] == "-- 1 ← a.bin, 1.0 kB: Offered: /accept 1, or /reject 1"
    printed = []
    for done in range(0, 1000, 100):
        chat.core.move_transfer(transfer, TransferState.ACTIVE, done_bytes=done)
        chat.core.transfer_gauge(transfer, done, 100.0)
        printed += chat.turn()
    assert printed == ["-- 1 ← a.bin, 1.0 kB: Receiving"]
    assert chat.model.status(80)[0] == "1 ← a.bin, 1.0 kB · 90% · 100 B/s · 0:01 left"
    assert len(chat.model.status(80)) == 2
    chat.write("/pause")
    assert chat.model.status(80)[0] == "1 ← a.bin, 1.0 kB · 90% · Paused by you"
    chat.core.move_transfer(transfer, TransferState.DONE)
    assert chat.turn() == ["-- 1 ← a.bin, 1.0 kB: Received and verified"]
    assert len(chat.model.status(80)) == 1


def test_many_transfers_leave_room_for_the_chat() -> None:
    chat = Chat()
    for number in range(7):
        chat.core.offer(1, f"{number}.bin", 1000)
    chat.turn()
    lines = chat.model.status(80)
    assert len(lines) == 5
    assert lines[3] == "and 4 more; /status lists them"


def test_the_numbers_of_a_link_that_is_down_are_not_shown() -> None:
    chat = Chat()
    chat.core.link_gauge(1, rtt_ms=15.0, loss=0.2)
    chat.turn()
    assert "15 ms · loss 20%" in chat.model.status(80)[-1]
    chat.core.set_link(1, LinkState.DIALLING)
    chat.turn()
    assert chat.model.status(80) == ["bob · connecting"]
    assert not any("RTT" in line for line in chat.write("/status"))


def test_several_files_and_names_with_spaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a.txt", "b c.txt", "d'e.txt"):
        (tmp_path / name).touch()

    def offered(words: str) -> list[str]:
        chat = Chat()
        lines = chat.write(f"/file {words}")
        asked = chat.seen(cmd.OfferFiles)
        assert len(asked) <= 1
        return [Path(path).name for path in asked[0].paths] if asked else lines

    assert offered("a.txt 'b c.txt'") == ["a.txt", "b c.txt"]
    assert offered("b c.txt") == ["b c.txt"]
    assert offered("d'e.txt") == ["d'e.txt"]
    assert offered('~/a.txt "~/b c.txt"') == ["a.txt", "b c.txt"]
    assert offered("a.txt missing") == ["-- missing does not exist."]
    assert offered("a.txt 'b c.txt") == ["-- A quotation mark is missing."]


def test_advice_names_the_commands_of_the_chat() -> None:
    chat = Chat(FakeCore(make_view(peers=12)), peer="1")
    chat.core.offer(1, "a.bin")
    chat.core.offer(1, "b.bin")
    chat.turn()
    said = [chat.write(line)[-1] for line in ("/accept", "/accept 99", "/peer", "/fiel x")]
    assert said == [
        "-- Several are possible: 1, 2. Use /accept NUMBER.",
        "-- There is no transfer '99'. See: /status",
        "-- There are several peers: bob (1), peer2 (2), peer3 (3), peer4 (4), peer5 (5), "
        "peer6 (6), peer7 (7), peer8 (8), peer9 (9), peer10 (10), and 2 more. Use /peer NAME.",
        '-- There is no /fiel. Did you mean "/file"? See /help.',
    ]
    assert not any("chatnet " in line for line in [*chat.write("/status"), *chat.write("/peers")])


def test_blanks_alone_are_not_sent() -> None:
    chat = Chat()
    assert chat.write(" \t ") == []
    chat.model.send_text("  ")
    chat.turn()
    assert chat.seen(cmd.SendMessage) == []


def test_where_a_link_leads_that_looks_like_another() -> None:
    chat = Chat()
    chat.core.receive(1, "https://\u0430pple.com/ https://example.org/ https://a.example@b.example")
    assert chat.turn()[1:] == [
        "-- a link above leads to xn--pple-43d.com",
        "-- a link above leads to b.example",
    ]
    assert len(chat.write("https://\u0430pple.com/")) == 1
