"""What Tab offers."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from chat_model import Chat
from chatnet_cli.completion import MAX_OFFERED, folder_entries, offers
from chatnet_cli.slash import COMMANDS
from local_world import LocalWorld

FOLDERS: dict[str, list[tuple[str, bool]]] = {
    ".": [("notes.txt", False), ("my file.txt", False), ("docs", True), (".hidden", False)],
    "docs/": [("a.txt", False), ("b c", True)],
    "/": [("etc", True)],
    "odd/": [("line\nbreak", False), ("bad\udcff", False), ("esc\x1b", False)],
}


def entries(folder: str) -> Iterable[tuple[str, bool]]:
    return FOLDERS.get(folder, [])


def offered(line: str, world: LocalWorld | None = None) -> list[str]:
    """The whole lines that Tab can make of `line`."""
    found = offers(line, world.view if world else None, 1, entries)
    return [line[: len(line) - length] + text for text, length in found]


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("/fi", ["/file "]),
        ("/re", ["/refuse ", "/reject ", "/reply ", "/restore ", "/resume "]),
        ("/restore ", ["/restore stop"]),
        ("hello", []),
        ("//fi", []),
        ("/fi\nle", []),
        ("/file n", ["/file notes.txt "]),
        ("/file m", ["/file 'my file.txt' "]),
        ("/file 'my", ["/file 'my file.txt' "]),
        ("/file my\\ f", ["/file 'my file.txt' "]),
        ("/file d", ["/file docs/"]),
        ("/file notes.txt docs/", ["/file notes.txt docs/a.txt ", "/file notes.txt 'docs/b c/"]),
        ("/file .", ["/file .hidden "]),
        ("/file /", ["/file /etc/"]),
        ("/file odd/", []),
        ("/file missing/", []),
        ("/file 'my f", ["/file 'my file.txt' "]),
        ('/file notes.txt "my f', ["/file notes.txt 'my file.txt' "]),
        ("/file 'docs/b", ["/file 'docs/b c/"]),
        ("/file 'my file.txt'x\"", []),
    ],
)
def test_commands_and_paths(line: str, lines: list[str]) -> None:
    assert offered(line) == lines


def test_a_home_folder_stays_short() -> None:
    found = offers(
        "/file ~/D", None, 0, lambda folder: [("Documents", True)] if "~" not in folder else []
    )
    assert found == [("~/Documents/", 3)]


def test_peers_and_transfers() -> None:
    world = LocalWorld(peers=2)
    world.peer_offers("a.bin", peer=1)
    world.peer_offers("b.bin", peer=2)
    assert offered("/peer ", world) == ["/peer bob", "/peer peer2"]
    assert offered("/peer P", world) == ["/peer peer2"]
    assert offered("/accept ", world) == ["/accept 1"]
    assert offered("/pause ", world) == []


def test_what_is_offered_is_bounded() -> None:
    many = [(f"f{number}", False) for number in range(1000)]
    assert len(offers("/file ", None, 0, lambda folder: many)) == MAX_OFFERED


def test_a_real_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "file").touch()
    assert sorted(folder_entries(str(tmp_path))) == [("file", False), ("sub", True)]
    assert folder_entries(str(tmp_path / "none")) == []


def test_every_command_offered_is_one() -> None:
    chat = Chat()
    for name in COMMANDS:
        lines = chat.write(f"/{name}")
        assert not any("There is no /" in line for line in lines), name
