"""R20 with real processes: the disk of a running engine takes nothing more, then it does again."""

import resource
import threading
from functools import partial
from pathlib import Path

import pytest

from chatnet_client.client import Client
from chatnet_client.client_events import Changed
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import FetchHistory
from chatnet_protocol.ipc.events import Notice
from checker.histories import read_file
from checker.verdict import Side, check
from realworld.backlog import queue_texts
from realworld.engines import RealEngine, two_engines

WITHIN_S = 60.0


def let_write(engine: RealEngine, size: int) -> None:
    """No file of that process grows beyond `size` bytes; each write beyond is an error."""
    assert engine.process
    _, hard = resource.prlimit(engine.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(engine.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def wait_for_notice(client: Client, code: str) -> Notice:
    while True:
        event = client.next_event(WITHIN_S)
        assert event is not None, f"{code} was not told"
        if isinstance(event, Changed) and isinstance(event.event, Notice):
            assert event.event.code == code
            return event.event


def delivered(client: Client, count: int = 1) -> bool:
    peer = client.view.peers[0]
    return peer.last_seq >= count and peer.delivered_seq == peer.last_seq


def test_r20_nothing_is_receipted_that_a_disk_did_not_take(tmp_path: Path) -> None:
    said = [f"text {number}" for number in range(50)]
    with two_engines(tmp_path) as (a, b), a.attach("at a") as at_a, b.attach("at b") as at_b:
        at_a.send_message(1, "while it works")
        assert at_a.wait_until(lambda: delivered(at_a), WITHIN_S)
        before = read_file(b.database)
        let_write(b, 1)
        queue_texts(a.connection_path, 1, said, 1)
        notice = wait_for_notice(at_b, "store-failed")
        assert notice.level == "error"
        assert notice.params[0].endswith(".")
        assert at_a.view.peers[0].delivered_seq == 1
        assert read_file(b.database) == before
        page = at_b.history(FetchHistory(limit=10))
        assert [row.text for row in page.rows] == ["while it works"]
        with pytest.raises(CommandError) as caught:
            at_b.send_message(1, "refused while it fails")
        assert caught.value.code == ErrorCode.STORE
        let_write(b, resource.RLIM_INFINITY)
        wait_for_notice(at_b, "store-works")
        at_b.send_message(1, "taken again")
        for client, count in ((at_a, 1 + len(said)), (at_b, 1)):
            assert client.wait_until(partial(delivered, client, count), WITHIN_S)
        sides = [Side(e.name, e.key, [read_file(e.database)]) for e in (a, b)]
        assert check(sides) == []
        assert [m.body.decode() for m in sides[1].now.got(a.key)] == ["while it works", *said]
        assert [m.body for m in sides[0].now.got(b.key)] == [b"taken again"]


def test_r20_a_killed_engine_whose_disk_was_full_has_what_it_promised(tmp_path: Path) -> None:
    with two_engines(tmp_path) as (a, b), a.attach("at a") as at_a:
        queue_texts(a.connection_path, 1, [f"early {number}" for number in range(200)], 1)
        assert at_a.wait_until(lambda: delivered(at_a), WITHIN_S)
        sending = threading.Thread(
            target=queue_texts,
            args=(a.connection_path, 1, [f"late {number}" for number in range(200)], 2),
        )
        with b.attach("at b") as at_b:
            let_write(b, b.database.with_name("history.db-wal").stat().st_size)
            sending.start()
            wait_for_notice(at_b, "store-failed")
        b.kill()
        sending.join()
        b.start()
        assert at_a.wait_until(lambda: delivered(at_a, 400), WITHIN_S)
        sides = [Side(e.name, e.key, [read_file(e.database)]) for e in (a, b)]
        assert check(sides) == []
        assert len(sides[1].now.got(a.key)) == 400
