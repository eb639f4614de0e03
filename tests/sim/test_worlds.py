"""What kinds of worlds there are, and that each brings about what it is for."""

from pathlib import Path

import pytest

from chatnet_engine.arq.config import ArqConfig
from chatnet_protocol.ipc.rows import LinkState
from simulate.kinds import PLAIN_SHARE, Kind, kind_of
from simulate.run import Outcome
from simulate.tally import Tally
from simworld.pair import Pair


def test_the_kind_of_a_seed_is_its_own_and_a_share_of_the_worlds_is_plain() -> None:
    kinds = [kind_of(seed) for seed in range(400)]
    assert kinds == [kind_of(seed) for seed in range(400)]
    plain = sum(kind.plain for kind in kinds)
    assert 0.8 * PLAIN_SHARE < plain / len(kinds) < 1.2 * PLAIN_SHARE
    assert str(Kind()) == "plain"
    said = {str(kind) for kind in kinds}
    for word in ("turns of 20 ms", "windows of 4 KiB", "commits of up to 4.0 s"):
        assert any(word in text for text in said)


def test_a_turn_takes_what_has_arrived_since_the_last_one() -> None:
    pair = Pair(1)
    pair.settle(5)
    pair.b.turn_s = 0.1
    for number in range(5):
        pair.at_a.say(f"m{number}")
        pair.run(0.01)
    pair.settle(10)
    pair.check([f"m{number}" for number in range(5)], [])
    assert pair.b.counts["batch"] > 0


def test_a_suspended_machine_takes_nothing_until_it_wakes() -> None:
    pair = Pair(2)
    pair.settle(5)
    pair.b.turn_s = 0.1
    pair.at_a.say("you sleep")
    pair.run(0.05)
    pair.b.sleep()
    pair.run(5)
    assert pair.texts(pair.b, mine=False) == []
    pair.b.wake()
    pair.settle(10)
    pair.check(["you sleep"], [])


@pytest.mark.parametrize("window_bytes", [4096, 16384])
def test_a_small_window_fills_and_everything_comes_through(window_bytes: int) -> None:
    pair = Pair(3)
    for engine in (pair.a, pair.b):
        engine.crash()
        engine.arq = ArqConfig(window_bytes=window_bytes)
        engine.up()
    pair.run(5)
    pair.b.commit_s = (1.0, 1.0)
    texts = [f"{number}".ljust(100, "x") for number in range(300)]
    for text in texts:
        pair.at_a.say(text)
    pair.run(0.9)
    assert pair.peer(pair.at_a).link.state == LinkState.UP
    waiting = pair.peer(pair.at_a).waiting
    pair.run(0.05)
    assert pair.peer(pair.at_a).waiting == waiting > window_bytes / 200, "the window is full"
    pair.b.commit_s = (0.001, 0.001)
    pair.settle(30)
    pair.check(texts, [])


def test_a_run_that_was_interrupted_goes_on_where_it_ended(tmp_path: Path) -> None:
    file = tmp_path / "results"
    first = Tally(file)
    first.add(Outcome(1, committed=3, problems=["broken"]))
    first.add(Outcome(2, committed=4, kind=Kind(turn_s=0.1)))
    with file.open("a") as cut_off:
        cut_off.write('{"seed": 3, "pl')
    again = Tally(file)
    again.load()
    assert (again.done, again.failed) == ({1, 2}, [1])
    assert [again.shares[plain].committed for plain in (True, False)] == [3, 4]
    assert again.report() == 1
    again.add(Outcome(3, committed=5))
    third = Tally(file)
    third.load()
    assert third.done == {1, 2, 3}
