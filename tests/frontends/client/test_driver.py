"""How long a turn of a client waits."""

from pathlib import Path

import pytest

from chatnet_client.attach import AttachMachine
from chatnet_client.channel import Channel
from chatnet_client.driver import REOPEN_S, Driver


def test_where_no_engine_ever_was_turns_wait_for_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = Channel(str(tmp_path / "connection.json"))
    driver = Driver(AttachMachine("test"), channel)
    waits: list[float] = []
    monkeypatch.setattr(channel, "wait", waits.append)
    for _ in range(4):
        driver.turn(1.0)
    channel.close()
    assert min(waits[1:]) > REOPEN_S / 5
