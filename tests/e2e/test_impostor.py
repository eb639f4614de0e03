"""R21 with real processes: another key at the peer's address in the middle of a transfer."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatnet_client.client import Client
from chatnet_protocol.ipc.commands import AddPeer
from chatnet_protocol.ipc.rows import LinkState, TransferState
from realworld.engines import RealEngine, is_up, two_engines

FILE_BYTES = 240 * 2**20
WITHIN_S = 60.0


@pytest.fixture
def root() -> Iterator[Path]:
    """A short path: socket names are short."""
    folder = Path(os.path.realpath("/tmp")) / f"cnimp-{os.getpid()}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def moved_bytes(client: Client) -> bool:
    rows = client.view.transfers
    return bool(rows) and rows[0].state == TransferState.ACTIVE


@pytest.mark.e2e
def test_r21_another_key_in_the_middle_of_a_transfer_gets_nothing(root: Path) -> None:
    path = root / "large.bin"
    with path.open("wb") as file:
        for number in range(FILE_BYTES // 2**20):
            file.write(hashlib.shake_128(number.to_bytes(4)).digest(2**10) * 2**10)
    with two_engines(root) as (a, b):
        with a.attach("watcher") as client:
            assert a.cli("send-file", str(path)).returncode == 0
            assert client.wait_until(lambda: moved_bytes(client), WITHIN_S)
            b.kill()
            assert a.cli("send", "for b only").returncode == 0
            impostor = RealEngine(root, "mallory", "--bind", "127.0.0.1")
            impostor.port = b.port
            impostor.start()
            try:
                with impostor.attach("mallory") as posing:
                    posing.request(AddPeer("127.0.0.1", a.port))
                    assert client.wait_until(
                        lambda: client.view.peers[0].info.offered_key != b"", WITHIN_S
                    )
                    assert posing.wait_until(lambda: bool(posing.view.peers), WITHIN_S)
                    assert posing.wait_until(
                        lambda: posing.view.peers[0].link.state == LinkState.REFUSED, WITHIN_S
                    )
                    assert posing.view.transfers == []
                    assert posing.view.peers[0].messages == []
            finally:
                impostor.stop()
            assert client.view.peers[0].waiting >= 1
            assert client.view.transfers[0].state != TransferState.DONE
            b.start()
            assert client.wait_until(lambda: is_up(client), WITHIN_S)
            assert client.wait_until(
                lambda: client.view.transfers[0].state == TransferState.DONE, WITHIN_S
            )
            assert client.wait_until(lambda: client.view.peers[0].waiting == 0, WITHIN_S)
        landed = Path(b.env["HOME"], "Downloads", "ChatNet", "large.bin")
        with path.open("rb") as sent, landed.open("rb") as arrived:
            digests = [hashlib.file_digest(each, "sha256").digest() for each in (sent, arrived)]
        assert digests[0] == digests[1]
