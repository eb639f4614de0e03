"""What can be offered, and the sentences for what cannot."""

import contextlib
import os
from pathlib import Path

import pytest

from chatnet_engine.io import file_scan
from chatnet_engine.io.file_scan import TooMany, scan, source_path
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc.offer import LeftOutKind, OfferedFolder
from chatnet_protocol.limits import (
    MAX_FILES_IN_OFFER,
    MAX_FOLDERS_IN_OFFER,
    MAX_LEFT_OUT_NAMED,
    MAX_PATH_COMPONENTS,
)

ID = bytes(16)


def listed(*roots: Path | str) -> dict[str, int]:
    names = [os.fspath(root) for root in roots]
    report = scan(ID, names)
    assert report.error == ""
    for file in report.files:
        assert os.path.getsize(source_path(names[file.root], file.path)) == file.size_bytes
    return {"/".join(file.path): file.size_bytes for file in report.files}


def refused(*roots: Path | str) -> tuple[str, str]:
    report = scan(ID, [os.fspath(root) for root in roots])
    assert report.files == []
    assert report.error.endswith(".")
    return report.code, report.error


def test_files_by_name_and_folders_with_their_shape(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12")
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "b").write_bytes(b"123")
    (tmp_path / "d" / "c").touch()
    assert listed(tmp_path / "a", f"{tmp_path}/d/") == {"a": 2, "d/c": 0, "d/e/b": 3}


def test_links_are_followed_only_when_named(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"1")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "keep").touch()
    (tmp_path / "d" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "d" / "loop").symlink_to(tmp_path / "d")
    assert listed(tmp_path / "d") == {"d/keep": 0}
    assert listed(tmp_path / "d" / "link") == {"link": 1}


def test_pipes_devices_and_nothing_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "pipe")[0] == ErrorCode.FILE
    assert "no file and no folder" in refused("/dev/zero")[1]
    assert scan(ID, [str(tmp_path / "empty")]).folders == [OfferedFolder(["empty"])]
    assert "no such file" in refused(tmp_path / "missing")[1]
    assert refused("/nul\0")[0] == ErrorCode.FILE
    assert refused("/")[0] == ErrorCode.FILE


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    code, sentence = refused(tmp_path / "secret")
    assert code == ErrorCode.FILE
    assert sentence == f"{tmp_path}/secret cannot be read: permission denied."


def left_out(root: Path) -> dict[str, str]:
    report = scan(ID, [str(root)])
    assert report.error == ""
    assert report.left_out == len(report.left_out_named)
    return {one.path: one.kind for one in report.left_out_named}


def test_what_cannot_be_sent_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "d"
    (folder / "sub").mkdir(parents=True)
    for name in ("keep", "locked", "large"):
        (folder / name).touch()
    os.mkfifo(folder / "pipe")
    (folder / "sub" / "link").symlink_to("nowhere")
    with open(os.fsencode(folder) + b"/\xff", "wb"):
        pass
    os.mkdir(os.fsencode(folder) + b"/folder\xff")
    os.truncate(folder / "large", 1000)
    monkeypatch.setattr(os, "access", lambda path, mode: not path.endswith("locked"))
    monkeypatch.setattr(file_scan, "MAX_FILE_BYTES", 999)
    assert left_out(folder) == {
        "d/folder_": LeftOutKind.NAME,
        "d/_": LeftOutKind.NAME,
        "d/large": LeftOutKind.LARGE,
        "d/locked": LeftOutKind.UNREADABLE,
        "d/pipe": LeftOutKind.SPECIAL,
        "d/sub/link": LeftOutKind.LINK,
    }
    report = scan(ID, [str(folder)])
    assert [file.path for file in report.files] == [["d", "keep"]]
    assert report.folders == [OfferedFolder(["d", "sub"])]


def test_what_goes_away_or_closes_meanwhile_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d" / "closed").mkdir(parents=True)
    really_scan = os.scandir

    def scan_open_ones(path: str) -> object:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return really_scan(path)

    monkeypatch.setattr(os, "scandir", scan_open_ones)
    assert left_out(tmp_path / "d") == {"d/closed": LeftOutKind.UNREADABLE}
    assert scan(ID, [str(tmp_path / "d")]).folders == [OfferedFolder(["d"])]
    monkeypatch.setattr(os, "scandir", lambda path: scan_open_ones("closed"))
    assert refused(tmp_path / "d")[1].endswith("cannot be read: permission denied.")


def test_an_entry_that_is_gone_when_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        name, path = "gone", "gone"

        def stat(self, *, follow_symlinks: bool) -> os.stat_result:
            raise FileNotFoundError(2, "No such file or directory")

    (tmp_path / "d").mkdir()
    entries = contextlib.nullcontext([Gone()])
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", lambda path: entries)
        assert left_out(tmp_path / "d") == {"d/gone": LeftOutKind.UNREADABLE}


def test_only_the_first_of_much_that_is_left_out_is_named(tmp_path: Path) -> None:
    for number in range(MAX_LEFT_OUT_NAMED + 3):
        (tmp_path / str(number)).symlink_to("nowhere")
    report = scan(ID, [str(tmp_path)])
    assert (report.left_out, len(report.left_out_named)) == (
        MAX_LEFT_OUT_NAMED + 3,
        MAX_LEFT_OUT_NAMED,
    )


def test_a_named_file_that_cannot_be_sent_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "\udcff").touch()
    (tmp_path / "folder\udcff").mkdir()
    (tmp_path / "large").write_bytes(b"12")
    for name in ("\udcff", "folder\udcff"):
        assert "not valid UTF-8" in refused(tmp_path / name)[1]
    monkeypatch.setattr(file_scan, "MAX_FILE_BYTES", 1)
    assert refused(tmp_path / "large")[0] == ErrorCode.TOO_LARGE


def test_who_may_run_a_file_comes_along(tmp_path: Path) -> None:
    for name, mode in (("run", 0o4755), ("read", 0o655)):
        (tmp_path / name).touch(mode)
        (tmp_path / name).chmod(mode)
    files = scan(ID, [str(tmp_path)]).files
    assert {file.path[-1]: file.executable for file in files} == {"run": True, "read": False}


def test_more_files_than_an_offer_names_need_a_listing(tmp_path: Path) -> None:
    for number in range(MAX_FILES_IN_OFFER + 1):
        (tmp_path / str(number)).touch()
    with pytest.raises(TooMany):
        scan(ID, [str(tmp_path)])


def test_more_empty_folders_than_an_offer_names_need_a_listing(tmp_path: Path) -> None:
    for number in range(MAX_FOLDERS_IN_OFFER + 1):
        (tmp_path / str(number)).mkdir()
    with pytest.raises(TooMany):
        scan(ID, [str(tmp_path)])


def test_what_is_too_deep_is_left_out_and_many_entries_need_a_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / "d" / Path(*["x"] * MAX_PATH_COMPONENTS)
    deep.mkdir(parents=True)
    below = ["d", *["x"] * (MAX_PATH_COMPONENTS - 1)]
    assert scan(ID, [str(tmp_path / "d")]).folders == [OfferedFolder(below)]
    assert left_out(tmp_path / "d") == {"/".join([*below, "x"]): LeftOutKind.DEEP}
    monkeypatch.setattr(file_scan, "MAX_ENTRIES", 3)
    with pytest.raises(TooMany):
        scan(ID, [str(tmp_path / "d")])


def test_long_paths_need_a_listing(tmp_path: Path) -> None:
    """A report over long paths must never grow beyond what the engine takes for a report."""
    folder = tmp_path
    for _ in range(8):
        folder = folder / ("n" * 200)
    folder.mkdir(parents=True)
    for number in range(60):
        (folder / f"{number}").touch()
    with pytest.raises(TooMany):
        scan(ID, [os.fspath(tmp_path / ("n" * 200))])
