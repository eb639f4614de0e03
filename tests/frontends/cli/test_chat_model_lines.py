"""What the terminal chat prints besides messages: days, deliveries, links, advice."""

from pathlib import Path

import pytest

from chat_model import DAY, Chat
from chatnet_protocol.ipc import commands as cmd
from local_world import LocalWorld, link_gauge

DAY_MS = 86_400_000


def test_a_line_for_each_new_day() -> None:
    world = LocalWorld()
    world.peer_sends_all(["one", "two"])
    world.clock.wall_offset_ms = DAY_MS
    world.peer_sends("three")
    model = Chat(world).model
    model.switch(1)
    lines = [str(line) for line in model.take_lines()]
    assert [line for line in lines if "November" in line] == [
        DAY,
        "-- Wednesday, 15 November 2023",
    ]
    assert lines.index(DAY) < lines.index("22:30:00 bob: one  [ACK 1 · 10.0.0.1:5001]")
    piped = Chat(world, watched=False)
    piped.model.switch(1)
    assert not any("November" in str(line) for line in piped.model.take_lines())


def test_what_was_written_while_the_peer_was_away_is_reported_once_delivered() -> None:
    chat = Chat()
    chat.world.fall_silent()
    chat.turn()
    chat.write("one")
    chat.write("two")
    chat.world.heal()
    chat.world.run(1)
    assert chat.turn()[-1] == "-- ✓✓ delivered up to ACK 2: bob has everything you wrote"
    assert [line.split(" ", 1)[1] for line in chat.write("three")] == ["me: three"]


def test_the_numbers_of_a_link_that_is_down_are_not_shown() -> None:
    chat = Chat()
    chat.gauge(link_gauge(rtt_ms=15.0, loss=0.2))
    assert "15 ms · loss 20%" in chat.model.status(80)[-1]
    chat.world.peer_leaves()
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


def test_blanks_alone_are_not_sent() -> None:
    chat = Chat()
    assert chat.write(" \t ") == []
    chat.model.send_text("  ")
    chat.turn()
    assert chat.seen(cmd.SendMessage) == []


def test_where_a_link_leads_that_looks_like_another() -> None:
    chat = Chat()
    chat.world.peer_sends(
        "https://\u0430pple.com/ https://example.org/ https://a.example@b.example"
    )
    assert chat.turn()[1:] == [
        "-- a link above leads to xn--pple-43d.com",
        "-- a link above leads to b.example",
    ]
    assert len(chat.write("https://\u0430pple.com/")) == 1
