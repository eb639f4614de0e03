"""The sockets' end: a late wake-up hurts nobody."""

import os
from pathlib import Path

from chatnet_client.channel import Channel


def test_a_wake_after_the_end_writes_into_nobodys_file(tmp_path: Path) -> None:
    channel = Channel(str(tmp_path / "connection.json"))
    channel.close()
    ours = os.open(tmp_path / "ours", os.O_RDWR | os.O_CREAT)  # takes the number that is free now
    try:
        channel.wake()
        assert os.fstat(ours).st_size == 0
    finally:
        os.close(ours)
