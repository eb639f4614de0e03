"""What can be offered, and the sentences for what cannot."""

import os
from pathlib import Path

import pytest

from chatnet_engine.files.process_wire import MAX_FRAME_BYTES, encode
from chatnet_engine.io import file_scan
from chatnet_engine.io.file_scan import scan, source_path
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.limits import MAX_FILES_IN_OFFER, MAX_PATH_COMPONENTS

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
    assert "no files" in refused(tmp_path / "empty")[1]
    assert "no such file" in refused(tmp_path / "missing")[1]
    assert refused("/nul\0")[0] == ErrorCode.FILE
    assert refused("/")[0] == ErrorCode.FILE


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    code, sentence = refused(tmp_path / "secret")
    assert code == ErrorCode.FILE
    assert sentence == f"{tmp_path}/secret cannot be read: permission denied."


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with open(os.fsencode(tmp_path / "d") + b"/\xff", "wb"):
        pass
    assert "not valid UTF-8" in refused(tmp_path / "d")[1]


def test_it_stops_one_after_the_limit(tmp_path: Path) -> None:
    for number in range(MAX_FILES_IN_OFFER + 3):
        (tmp_path / str(number)).touch()
    assert len(scan(ID, [str(tmp_path)]).files) == MAX_FILES_IN_OFFER + 1


def test_folders_too_deep_or_too_full_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / "d" / Path(*["x"] * MAX_PATH_COMPONENTS)
    deep.mkdir(parents=True)
    assert "too deep" in refused(tmp_path / "d")[1]
    monkeypatch.setattr(file_scan, "MAX_ENTRIES", 3)
    assert "too many entries" in refused(tmp_path / "d")[1]


def test_a_list_too_long_for_an_offer_ends_where_it_is_made(tmp_path: Path) -> None:
    """A report over long paths must never grow beyond what the engine takes for a report."""
    folder = tmp_path
    for _ in range(8):
        folder = folder / ("n" * 200)
    folder.mkdir(parents=True)
    for number in range(60):
        (folder / f"{number}").touch()
    assert refused(tmp_path / ("n" * 200))[0] == ErrorCode.TOO_LARGE
    assert len(encode(scan(ID, [os.fspath(tmp_path / ("n" * 200))]))) < MAX_FRAME_BYTES // 4
