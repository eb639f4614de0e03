"""A backup made while messages flow is put back, and the two sides agree again."""

import sqlite3
import threading
from functools import partial
from pathlib import Path

from chatnet_client.client import Client
from checker.histories import History, read_file
from checker.verdict import Side, check
from realworld.backlog import queue_texts
from realworld.engines import RealEngine, two_engines
from realworld.exports import check_exports
from realworld.stores import stored_texts

WITHIN_S = 60.0


def delivered(client: Client) -> bool:
    peer = client.view.peers[0]
    return peer.last_seq > 0 and peer.delivered_seq == peer.last_seq


def settle(*engines: RealEngine) -> None:
    """Everything that is queued by now is delivered: a client attaches at the present."""
    for engine in engines:
        with engine.attach() as client:
            assert client.wait_until(partial(delivered, client), WITHIN_S)


def known_missing(database: Path) -> int:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        found = connection.execute("SELECT coalesce(sum(missing), 0) FROM gaps").fetchone()
        return int(found[0])
    finally:
        connection.close()


def put_back(engine: RealEngine, backup: Path) -> History:
    """What people are told to do; what the session held until then."""
    refused = engine.cli("restore-backup", str(backup))
    assert refused.returncode == 1
    assert "is running already" in refused.stderr
    assert engine.stop() == 0
    before = read_file(engine.database)
    restored = engine.cli("restore-backup", str(backup), "--replace")
    assert restored.returncode == 0, restored.stderr
    assert restored.stdout.startswith("restored · ")
    [kept] = engine.database.parent.glob("set-aside-1/history.db")
    assert read_file(kept) == before
    engine.start()
    return before


def test_a_backup_made_in_mid_flow_is_put_back_and_both_agree(tmp_path: Path) -> None:
    backup = tmp_path / "kept" / "backup"
    backup.parent.mkdir()
    with two_engines(tmp_path) as (a, b):
        key = a.key
        others = threading.Thread(
            target=queue_texts, args=(b.connection_path, 1, [f"b {n}" for n in range(600)], 2)
        )
        mine = threading.Thread(
            target=queue_texts, args=(a.connection_path, 1, [f"a {n}" for n in range(600)], 1)
        )
        others.start()
        mine.start()
        made = a.cli("backup", str(backup))
        assert made.returncode == 0, made.stderr
        assert made.stdout.startswith("backed up · ")
        mine.join()
        others.join()
        again = a.cli("backup", str(backup))
        assert (again.returncode, again.stdout) == (1, "")
        assert again.stderr == f"{backup} is not empty; choose another folder.\n"
        with a.attach() as client:
            client.send_message(1, "after the backup")
        settle(a, b)
        assert check_exports(a, b) == []
        copied = read_file(backup / "history.db")
        assert copied.damage == ""
        before = put_back(a, backup)
        assert 0 < len(copied.messages) < len(before.messages)
        assert a.key == key
        with a.attach() as client:
            client.send_message(1, "the old history speaks")
        with b.attach() as client:
            client.send_message(1, "and is answered")
        settle(a, b)
        sides = [
            Side("a", a.key, [before, read_file(a.database)], rolled_back=True),
            Side("b", b.key, [read_file(b.database)]),
        ]
        assert check(sides) == []
        assert check_exports(a, b, complete=False) == []
        assert stored_texts(b.database, mine=False)[-1] == "the old history speaks"
        assert stored_texts(a.database, mine=False)[-1] == "and is answered"
        now = read_file(a.database)
        missing = len(before.got(b.key)) - (len(now.got(b.key)) - 1)
        assert missing == known_missing(a.database), "it is known what did not come back"


def test_the_history_alone_is_put_back_under_the_keys_of_now(tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    with two_engines(tmp_path) as (a, b):
        with a.attach() as client:
            client.send_message(1, "kept")
        settle(a)
        made = a.cli("backup", "--history-only", str(backup))
        assert made.returncode == 0, made.stderr
        assert [path.name for path in backup.iterdir()] == ["history.db"]
        a.stop()
        restored = a.cli("restore-backup", str(backup), "--replace")
        assert restored.returncode == 0, restored.stderr
        a.start()
        with b.attach() as client:
            client.send_message(1, "still you")
        settle(b)
        assert stored_texts(a.database, mine=True) == ["kept"]
        assert stored_texts(a.database, mine=False) == ["still you"]
