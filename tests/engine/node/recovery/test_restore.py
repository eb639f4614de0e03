"""A conversation comes back after a loss: two whole engines, asked and consented."""

import sqlite3

import pytest

from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import BY_RESTORED
from simulate.world import World
from simworld.client import SimClient
from simworld.engine import SimEngine
from simworld.network import Line
from simworld.pair import Pair

COLUMNS = "mine, id, kind, body, sent_ms, lamport, ack"


def rows(engine: SimEngine) -> list[tuple[object, ...]]:
    """All messages in the order that both sides share, as the engine's own or not."""
    return engine.connection.execute(
        f"SELECT {COLUMNS} FROM conversation ORDER BY lamport, mine, id"
    ).fetchall()


def as_seen_there(engine: SimEngine) -> set[tuple[object, ...]]:
    return {(1 - mine, *rest) for mine, *rest in rows(engine)}  # type: ignore[operator]


def talk(pair: Pair, first: int, count: int = 12) -> None:
    for number in range(first, first + count):
        pair.at_a.say(f"a says {number}")
        pair.at_b.say(f"b says {number}")
        pair.run(0.05)
    pair.settle()


def lose(engine: SimEngine, image: bytes | None = None) -> None:
    engine.crash()
    engine.connection = sqlite3.connect(":memory:", isolation_level=None)
    if image is not None:
        engine.connection.deserialize(image)
    engine.up()
    if image is None:
        other = ("10.0.0.2", 5002) if engine.name == "a" else ("10.0.0.1", 5001)
        engine.dial(other)


def restore_of(client: SimClient) -> tuple[str, str]:
    if client.view is None or not client.view.peers:
        return "", ""
    row = client.view.peers[0].restore
    return row.mine, row.theirs


def ask_and_give(pair: Pair) -> None:
    pair.at_a.ask(cmd.AskRestore(1))
    pair.run(2)
    assert restore_of(pair.at_a)[0] == "asking"
    assert restore_of(pair.at_b)[1] == "asked"
    pair.at_b.ask(cmd.AnswerRestore(1, True))
    done = pair.clock.run(pair.clock.now_s + 60, lambda: restore_of(pair.at_a)[0] == "done")
    assert done


def check(pair: Pair) -> None:
    pair.run(1)
    assert as_seen_there(pair.a) == set(rows(pair.b))
    assert len(rows(pair.a)) == len(rows(pair.b))
    for engine, client in ((pair.a, pair.at_a), (pair.b, pair.at_b)):
        assert client.view
        assert client.view.durable() == engine.ledger.load_view(engine.session())


def test_a_wiped_history_comes_back() -> None:
    pair = Pair(1)
    talk(pair, 0)
    before = rows(pair.a)
    lose(pair.a)
    pair.run(5)
    assert restore_of(pair.at_a) == ("possible", "none")
    talk(pair, 100, 3)
    ask_and_give(pair)
    check(pair)
    assert rows(pair.a)[: len(before)] == before
    assert restore_of(pair.at_b) == ("none", "given")
    assert pair.peer(pair.at_a).restore.restored == len(before)
    assert pair.peer(pair.at_a).unread <= 3


def test_a_rolled_back_history_comes_back_under_loss() -> None:
    pair = Pair(2, Line(loss=0.2, delay_s=0.02))
    talk(pair, 0)
    image = pair.a.connection.serialize()
    talk(pair, 20)
    lose(pair.a, image)
    pair.run(10)
    talk(pair, 40, 3)
    ask_and_give(pair)
    check(pair)


def test_both_ask_at_once() -> None:
    pair = Pair(3)
    talk(pair, 0)
    image = pair.b.connection.serialize()
    talk(pair, 20)
    lose(pair.a)
    lose(pair.b, image)
    pair.run(5)
    for client in (pair.at_a, pair.at_b):
        client.ask(cmd.AskRestore(1))
    pair.run(2)
    for client in (pair.at_a, pair.at_b):
        client.ask(cmd.AnswerRestore(1, True))
    pair.run(5)
    assert restore_of(pair.at_a) == ("done", "given")
    assert restore_of(pair.at_b) == ("done", "given")
    check(pair)


@pytest.mark.parametrize("who", ["a", "b"])
def test_many_pages_survive_a_restart_in_the_middle(who: str) -> None:
    pair = Pair(4)
    for number in range(60):
        pair.at_a.say(f"{number} " + "x" * 9_000)
        pair.at_b.say(f"{number} " + "y" * 9_000)
    pair.settle()
    lose(pair.a)
    pair.run(5)
    pair.at_a.ask(cmd.AskRestore(1))
    pair.run(2)
    pair.at_b.ask(cmd.AnswerRestore(1, True))
    pair.clock.run(pair.clock.now_s + 60, lambda: restore_of(pair.at_a)[0] == "running")
    engine = pair.a if who == "a" else pair.b
    engine.crash()
    engine.up()
    pair.clock.run(pair.clock.now_s + 60, lambda: restore_of(pair.at_a)[0] == "done")
    assert restore_of(pair.at_a)[0] == "done"
    assert pair.peer(pair.at_a).restore.restored == 120
    check(pair)


def test_nothing_comes_without_consent_and_a_refusal_is_told() -> None:
    pair = Pair(5)
    talk(pair, 0, 3)
    lose(pair.a)
    pair.run(5)
    pair.at_a.ask(cmd.AskRestore(1))
    pair.run(3)
    assert rows(pair.a) == []
    pair.at_b.ask(cmd.AnswerRestore(1, False))
    pair.run(3)
    assert restore_of(pair.at_a) == ("refused", "none")
    assert restore_of(pair.at_b) == ("none", "refused")
    assert rows(pair.a) == []


def test_who_stops_asking_is_asked_for_nothing() -> None:
    pair = Pair(6)
    talk(pair, 0, 3)
    lose(pair.a)
    pair.run(5)
    pair.at_a.ask(cmd.AskRestore(1))
    pair.run(2)
    pair.at_a.ask(cmd.AskRestore(1, False))
    pair.run(2)
    assert restore_of(pair.at_a) == ("possible", "none")
    assert restore_of(pair.at_b) == ("none", "none")
    ask_and_give(pair)
    check(pair)


def test_an_ask_outlives_restarts_and_shows_once() -> None:
    pair = Pair(7)
    talk(pair, 0, 3)
    lose(pair.a)
    pair.run(5)
    pair.b.crash()
    pair.at_a.ask(cmd.AskRestore(1))
    pair.run(1)
    pair.a.crash()
    pair.a.up()
    pair.b.up()
    pair.run(8)
    assert restore_of(pair.at_b)[1] == "asked"
    pair.at_b.ask(cmd.AnswerRestore(1, True))
    pair.run(1)
    pair.b.crash()
    pair.b.up()
    pair.run(8)
    assert restore_of(pair.at_a)[0] == "done"
    assert restore_of(pair.at_b)[1] == "given"
    check(pair)


def test_offers_come_back_and_their_files_can_be_fetched() -> None:
    world = World(3)
    world.begin()
    a, b = world.engines
    files = a.files
    assert files
    files.sources["kept"] = b"k" * 5_000
    a.clients[0].ask(cmd.OfferFiles(b"kept".rjust(16), 1, ["/home/kept"]))
    b.files.sources["mine"] = b"m" * 100  # type: ignore[union-attr]
    b.clients[0].ask(cmd.OfferFiles(b"mine".rjust(16), 1, ["/home/mine"]))
    world.run(5)
    world.lose(b, None)
    b.files.process.disk.clear()  # type: ignore[union-attr]
    world.up(b)
    world.run(8)
    b.clients[0].ask(cmd.AskRestore(1))
    world.run(2)
    a.clients[0].ask(cmd.AnswerRestore(1, True))
    world.run(3)

    def transfers() -> dict[bytes, tuple[bool, str, str]]:
        view = b.clients[0].view
        assert view
        return {row.id.strip(): (row.mine, row.state, row.by) for row in view.transfers}

    assert {key: (mine, state) for key, (mine, state, _) in transfers().items()} == {
        b"kept": (False, "failed"), b"mine": (True, "failed"),
    }  # fmt: skip
    assert all(by == BY_RESTORED for _, _, by in transfers().values())
    b.clients[0].ask(cmd.AcceptTransfer(b"kept".rjust(16)))
    world.run(10)
    assert transfers()[b"kept"][1] == "done"
    assert b"k" * 5_000 in [content for _, content in b.files.process.disk.values()]  # type: ignore[union-attr]
    view = b.clients[0].view
    assert view
    assert view.durable() == b.ledger.load_view(b.session())


def test_a_text_sent_again_after_the_loss_stands_where_it_first_stood() -> None:
    pair = Pair(8)
    message_id = pair.at_a.say("the first words")
    talk(pair, 0, 3)
    before = rows(pair.a)
    lose(pair.a)
    pair.at_a.insist("the first words", message_id, 1)
    pair.run(5)
    pair.settle()
    ask_and_give(pair)
    check(pair)
    assert rows(pair.a) == before
