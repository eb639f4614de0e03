"""What receiving takes on the disk is counted; what nobody needs goes, and nothing else does."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chatnet_engine.files.space_wire import Earlier, Survey
from chatnet_engine.files.update_wire import KeptFolder
from chatnet_engine.io import file_space
from chatnet_engine.io.file_folder import PARTIAL_FOLDER, Folder
from chatnet_engine.io.file_space import DiskSurvey, remove_folder
from chatnet_engine.io.file_state import MAX_DEPTH, fingerprint
from chatnet_protocol.ipc.results import Space

ENDED, OPEN, UNKNOWN = b"e" * 16, b"o" * 16, b"u" * 16
UNTIL = "proj (until 2026-11-30)"


class Inbox:
    """A folder of received files, with partial files in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partials = path / PARTIAL_FOLDER
        self.partials.mkdir(parents=True)
        self.earlier: list[Earlier] = []

    def add(self, transfer_id: bytes, thing: int | str, *names: str) -> Path:
        """A partial file, or a folder with these files."""
        path = self.partials / f"{transfer_id.hex()}-{thing}"
        if not names:
            path.write_bytes(bytes(9000))
        for name in names:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(b"x")
        return path

    def keep(self, name: str = UNTIL) -> Path:
        """An earlier state of an updated folder."""
        path = self.path / name
        (path / "sub").mkdir(parents=True)
        (path / "sub" / "a.txt").write_bytes(b"a" * 5000)
        folder = Folder(str(self.path))
        state = fingerprint(folder.fd, name)
        folder.close()
        kept = KeptFolder(name, path.stat().st_ino, 5000, state)
        self.earlier.append(Earlier(ENDED, str(self.path), kept))
        return path

    def survey(self, clean: bool = False) -> DiskSurvey:
        return DiskSurvey(Survey([str(self.path)], [ENDED], self.earlier, clean))

    def look(self) -> Space:
        return self._run(self.survey())

    def clean(self) -> Space:
        return self._run(self.survey(clean=True))

    def _run(self, survey: DiskSurvey) -> Space:
        space = survey.run().space
        assert space
        return space


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox")


def taken(path: Path) -> int:
    below = [path, *path.rglob("*")]
    return sum(one.lstat().st_blocks * 512 for one in below)


def counts(space: Space) -> tuple[int, ...]:
    return space.left_over, space.under_way, space.earlier, space.changed, space.removed


def test_everything_is_counted_with_its_bytes_and_nothing_is_touched(inbox: Inbox) -> None:
    left = [inbox.add(ENDED, 0), inbox.add(ENDED, 1, "a", "sub/b"), inbox.add(ENDED, "listing")]
    live = [inbox.add(OPEN, 0), inbox.add(UNKNOWN, 0, "a")]
    kept, changed = inbox.keep(), inbox.keep("other")
    (changed / "mine.txt").write_bytes(b"mine")
    before = inbox.path.stat().st_mtime_ns
    assert inbox.look() == Space(
        3, sum(map(taken, left)), 2, sum(map(taken, live)), 1, taken(kept), 1, taken(changed)
    )
    assert inbox.path.stat().st_mtime_ns == before
    assert all(path.exists() for path in [*left, *live, kept, changed])


def test_what_nobody_needs_goes_and_all_else_stays(inbox: Inbox) -> None:
    left = [inbox.add(ENDED, 0), inbox.add(ENDED, 1, "a", "sub/b")]
    aside = inbox.partials / f"aside-{ENDED.hex()}"
    aside.mkdir()
    live = [inbox.add(OPEN, 0), inbox.add(UNKNOWN, 0, "a"), aside]
    strange = inbox.partials / "z"
    strange.write_bytes(b"")
    kept, changed = inbox.keep(), inbox.keep("other")
    (changed / "sub" / "a.txt").write_bytes(b"mine")
    size = sum(map(taken, [*left, kept]))
    space = inbox.clean()
    assert counts(space) == (0, 4, 0, 1, 3)
    assert space.removed_bytes == size
    assert not any(path.exists() for path in [*left, kept])
    assert all(path.exists() for path in [*live, strange, changed])
    assert inbox.clean() == inbox.look()


def test_an_empty_folder_of_partial_files_goes(inbox: Inbox) -> None:
    inbox.add(ENDED, 0)
    inbox.clean()
    assert os.listdir(inbox.path) == []


def test_a_folder_that_is_not_there_is_not_made(inbox: Inbox) -> None:
    gone = inbox.path / "gone"
    kept = KeptFolder("x", 7, 1, b"state")
    survey = Survey([str(gone), "nul\0"], [], [Earlier(ENDED, str(gone), kept)], True)
    assert DiskSurvey(survey).run().space == Space()
    assert not gone.exists()


@pytest.mark.parametrize("how", ["gone", "file", "another", "link"])
def test_what_has_an_earlier_states_name_only_is_left_alone(inbox: Inbox, how: str) -> None:
    kept = inbox.keep()
    kept.rename(inbox.path / "moved")
    if how == "file":
        kept.write_bytes(b"x")
    elif how == "another":
        kept.mkdir()
    elif how == "link":
        kept.symlink_to("moved")
    there = sorted(os.listdir(inbox.path))
    assert inbox.clean() == Space()
    assert sorted(os.listdir(inbox.path)) == there


def test_links_are_removed_and_not_followed(inbox: Inbox, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"p")
    partial = inbox.add(ENDED, 0, "a")
    (partial / "link").symlink_to(outside)
    (inbox.partials / f"{ENDED.hex()}-1").symlink_to(outside)
    assert counts(inbox.clean()) == (0, 0, 0, 0, 2)
    assert (outside / "precious").exists()


def test_a_transfer_that_goes_on_meanwhile_keeps_its_partial_files(inbox: Inbox) -> None:
    partial = inbox.add(ENDED, 0)
    survey = inbox.survey(clean=True)
    survey.spare(ENDED)
    space = survey.run().space
    assert space
    assert counts(space) == (0, 1, 0, 0, 0)
    assert partial.exists()


def test_one_that_goes_on_while_its_partial_file_is_looked_at_keeps_it(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial = inbox.add(ENDED, 0)
    survey = inbox.survey(clean=True)
    measure = file_space.size_of

    def size_of(fd: int, name: str) -> int:
        survey.spare(ENDED)
        return measure(fd, name)

    monkeypatch.setattr(file_space, "size_of", size_of)
    survey.run()
    assert partial.exists()


def no_rmdir(*_: object, **__: object) -> None:
    raise OSError("cut")


def no_rename(*_: object) -> bool:
    return False


@pytest.mark.parametrize(
    ("name", "act", "left"), [("os.rmdir", no_rmdir, 2), ("rename_folder", no_rename, 1)]
)
def test_what_is_half_removed_goes_the_next_time(
    inbox: Inbox,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    act: Callable[..., object],
    left: int,
) -> None:
    """A kill in the middle of removing thousands of files is likely enough."""
    inbox.keep()
    inbox.add(ENDED, 0, "a", "sub/b")
    with monkeypatch.context() as patch:
        target = name if "." in name else f"chatnet_engine.io.file_space.{name}"
        patch.setattr(target, act)
        inbox.clean()
    space = inbox.look()
    assert space.left_over == left
    assert space.left_over + space.earlier == 2
    assert counts(inbox.clean()) == (0, 0, 0, 0, 2)
    assert os.listdir(inbox.path) == []


def test_a_folder_with_more_in_it_than_is_listed_at_once_goes(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_space, "NAMES_AT_ONCE", 2)
    inbox.add(ENDED, 0, *(f"{number}/{name}" for number in range(5) for name in "abcde"))
    assert counts(inbox.clean()) == (0, 0, 0, 0, 1)
    assert os.listdir(inbox.path) == []


def test_folders_without_end_are_not_followed(inbox: Inbox) -> None:
    deep = inbox.add(ENDED, 0, "/".join("d" * (MAX_DEPTH + 3)) + "/f")
    assert inbox.clean() == Space()
    fd = os.open(inbox.partials, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="too deep"):
            remove_folder(fd, deep.name)
    finally:
        os.close(fd)


def test_what_is_of_no_transfer_here_goes_when_nobody_has_used_it_for_long(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox.add(UNKNOWN, 0)
    under_way = inbox.add(OPEN, 0)
    aside = inbox.partials / f"aside-{UNKNOWN.hex()}"
    aside.mkdir()
    now_s = time.time()

    def clean() -> Space:
        survey = Survey([str(inbox.path)], [], [], clean=True, under_way=[OPEN])
        found = DiskSurvey(survey).run().space
        assert found is not None
        return found

    assert counts(clean()) == (0, 3, 0, 0, 0)
    monkeypatch.setattr(time, "time", lambda: now_s + file_space.OTHERS_KEPT_S + 60)
    assert counts(clean()) == (0, 2, 0, 0, 1)
    assert {under_way, aside} == set(inbox.partials.iterdir())
