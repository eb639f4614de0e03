"""Disks that fill up, inboxes that go away and sources that change, at any call to the system: what
is offered arrives whole all the same, or the reason why not is stated on both sides.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import pytest

from chatnet_protocol.ipc.reasons import TransferReason as Why
from file_faults import READ_CALLS, SPACE_CALLS, Calls, Faulty
from file_trees import Tree

BIG = Random(1).randbytes(1_200_000)
SMALL: Tree = {"a.txt": b"a" * 3000, "b.txt": b"b", "sub/c.txt": b"c" * 50}
SMALLER: Tree = {"a.txt": SMALL["a.txt"], "b.txt": b"bb", "new/e.txt": b"e" * 70}
MANY: Tree = {f"{number % 2}/f{number}": b"%d " % number * 100 for number in range(6)}
OTHERS: Tree = MANY | {"0/f0": b"changed", "1/f1": b"too", "2/new": b"new" * 20}
SCENES: dict[str, tuple[Tree | None, Tree | bytes]] = {
    "big": (None, BIG),
    "few": (None, SMALL),
    "many": (None, MANY),
    "update": (SMALL, SMALLER),
    "update of many": (MANY, OTHERS),
}
"""What came before, if anything, and what is sent."""
GONE = ("removed", "moved", "a file instead")
CHANGES = ("written to", "truncated", "longer", "removed", "a folder instead")
VICTIMS = {"big": "", "few": "b.txt", "many": "1/f3", "update": "b.txt", "update of many": "1/f1"}
"""What is changed of each."""
MOMENTS = int(os.environ.get("CHATNET_FAULT_MOMENTS", "3"))
"""At so many calls of each scene something happens. 1000: at each of them, some minutes a test."""


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    faulty = Faulty(tmp_path, monkeypatch)
    yield faulty
    faulty.close()


def begin(faulty: Faulty, scene: str) -> tuple[Tree | None, Tree]:
    """Everything before the offer arrives; what was there before, and what is to arrive."""
    before, sent = SCENES[scene]
    faulty.fresh()
    if before is not None:
        faulty.send(before)
    faulty.begin(sent, update=before is not None)
    return before, {"": sent} if isinstance(sent, bytes) else sent


def count_calls(faulty: Faulty, calls: Calls, scene: str) -> int:
    begin(faulty, scene)
    calls.end()
    faulty.deliver()
    faulty.run_until(faulty.has_ended)
    assert [row.state for row in faulty.rows()] == ["done", "done"]
    return calls.count


def check(faulty: Faulty, before: Tree | None, new: Tree) -> None:
    """Both sides agree; nothing has a final name but what is whole."""
    a, b = faulty.rows()
    assert a.state == b.state
    arrived = faulty.arrived()
    assert all(tree in (before, new) for tree in arrived.values()), arrived.keys()
    if a.state == "done":
        assert arrived["proj"] == new
    else:
        assert a.state == "failed"
        assert a.reason is not None
        assert b.reason is not None
        assert new not in arrived.values()


def only_whole(faulty: Faulty, before: Tree | None, new: Tree) -> None:
    """What holds at any moment."""
    assert all(tree in (before, new) for tree in faulty.arrived().values())
    if before is not None:
        assert before in faulty.everywhere()


def at_moments(
    faulty: Faulty,
    calls: Calls,
    scene: str,
    hows: Sequence[str],
    strike: Callable[[int, str], None],
) -> None:
    """`strike` at some calls of a scene, each in a new run of it, in one way after the other."""
    total = count_calls(faulty, calls, scene)
    for number in range(min(MOMENTS, total)):
        at = (number + 1) * total // (MOMENTS + 1) if total > MOMENTS else number
        strike(1 + at, hows[number % len(hows)])


def full(name: str, args: tuple[object, ...]) -> None:
    if name != "open" or (isinstance(args[1], int) and args[1] & os.O_CREAT):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("scene", SCENES)
def test_a_disk_that_fills_up_at_any_moment_is_waited_for(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch, scene: str
) -> None:
    calls = Calls(monkeypatch, SPACE_CALLS)
    waited: list[int] = []

    def strike(at: int, how: str) -> None:
        before, new = begin(faulty, scene)
        calls.begin(at, full)
        faulty.deliver()

        def is_full() -> bool:
            only_whole(faulty, before, new)
            reason = faulty.pair.b.row(faulty.id).reason
            return faulty.has_ended() or (reason is not None and reason.code == Why.DISK_FULL)

        faulty.run_until(is_full)
        if not faulty.has_ended():
            waited.append(at)
        calls.end()
        faulty.run_until(faulty.has_ended)
        assert faulty.rows()[1].state == "done", at
        check(faulty, before, new)
        if before is not None:
            assert before in faulty.arrived().values(), at

    at_moments(faulty, calls, scene, [""], strike)
    assert waited


def test_a_list_that_came_but_was_not_reported_is_not_waited_for(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(monkeypatch, SPACE_CALLS)
    before, new = begin(faulty, "update of many")
    failed: list[str] = []

    def full_once(name: str, args: tuple[object, ...]) -> None:
        if name == "fdatasync" and not failed:
            failed.append(name)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    calls.begin(1, full_once)
    faulty.deliver()
    faulty.run_until(faulty.has_ended)
    assert failed
    check(faulty, before, new)
    assert before in faulty.arrived().values()


def take_away(faulty: Faulty, how: str) -> None:
    """Somebody does this to the inbox."""
    if how == "removed":
        shutil.rmtree(faulty.inbox, ignore_errors=True)
    elif faulty.inbox.exists():
        faulty.inbox.rename(faulty.moved)
        if how == "a file instead":
            faulty.inbox.touch()


@pytest.mark.parametrize("scene", SCENES)
def test_an_inbox_that_goes_away_at_any_moment_gets_all_of_it_or_the_reason_is_stated(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch, scene: str
) -> None:
    calls = Calls(monkeypatch, SPACE_CALLS)

    def strike(at: int, how: str) -> None:
        before, new = begin(faulty, scene)
        was_there: list[bool] = []

        def act(name: str, args: tuple[object, ...]) -> None:
            if not was_there:
                was_there.append(new in faulty.arrived().values())
                take_away(faulty, how)

        def waits() -> bool:
            reason = faulty.pair.b.row(faulty.id).reason
            return faulty.has_ended() or (reason is not None and reason.code == Why.UNWRITABLE)

        calls.begin(at, act)
        faulty.deliver()
        faulty.run_until(waits)
        calls.end()
        if not faulty.has_ended():
            faulty.inbox.unlink(missing_ok=True)
        faulty.run_until(faulty.has_ended)
        if True not in was_there:
            check(faulty, before, new)

    at_moments(faulty, calls, scene, GONE, strike)


def change(path: Path, how: str) -> None:
    """Somebody does this to a file that is being sent."""
    if not path.is_file():
        return
    content = path.read_bytes()
    match how:
        case "written to":
            path.write_bytes(bytes(reversed(content)))
        case "truncated":
            os.truncate(path, len(content) // 2)
        case "longer":
            path.write_bytes(content + b"more")
        case "removed":
            path.unlink()
        case _:
            path.unlink()
            path.mkdir()


@pytest.mark.parametrize("scene", SCENES)
def test_a_source_that_changes_at_any_moment_arrives_whole_or_the_reason_is_stated(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch, scene: str
) -> None:
    calls = Calls(monkeypatch, READ_CALLS)
    victim = VICTIMS[scene]

    def strike(at: int, how: str) -> None:
        before, new = begin(faulty, scene)
        changed: list[str] = []

        def act(name: str, args: tuple[object, ...]) -> None:
            if not changed:
                changed.append(name)
                change(faulty.source / victim if victim else faulty.source, how)

        calls.begin(at, act)
        faulty.deliver()
        faulty.run_until(faulty.has_ended)
        calls.end()
        other = new | {victim: bytes(reversed(new[victim]))}
        is_other = how == "written to" and faulty.arrived().get("proj") == other
        check(faulty, before, other if is_other else new)

    at_moments(faulty, calls, scene, CHANGES, strike)
