"""Names that a hostile peer may offer."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatnet_engine.files.names import numbered, safe_name, safe_path, shown
from chatnet_protocol.limits import MAX_NAME_BYTES

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "hostile-names.json"

CASES = {
    "../../.ssh/authorized_keys": "authorized_keys",
    "/etc/passwd": "passwd",
    "..": "file",
    ".": "file",
    "": "file",
    "...": "file",
    "a/b/../../c": "c",
    "..\\..\\win.ini": "win.ini",
    "C:\\x": "x",
    "C:x": "C_x",
    "file:///x": "x",
    "\\\\srv\\share": "share",
    "CON": "_CON",
    "nul.txt": "_nul.txt",
    "Aux.tar.gz": "_Aux.tar.gz",
    "COM\u00b9": "_COM\u00b9",
    "con.": "_con",
    "con .txt": "_con .txt",
    "x\0y": "x_y",
    ".bashrc": "bashrc",
    ". . -~.x": "x",
    "-rf": "rf",
    "--help": "help",
    "~root": "root",
    "a" * 256: "a" * 200,
    "a" * 300 + ".tar": "a" * 196 + ".tar",
    "\u00e9" * 150 + ".txt": "\u00e9" * 98 + ".txt",
    "x." + "e" * 300: "x." + "e" * 198,
    "photo\u202egpj.exe": "photo_gpj.exe",
    "a\u200bb": "a_b",
    "\ufeffx": "_x",
    "\x1b]0;pwn\x07.txt": "_]0;pwn_.txt",
    "a\nb": "a_b",
    "a\u2028b": "a_b",
    " name ": "name",
    "\u00a0name\u3000": "name",
    "name. . ": "name",
    "na:me": "na_me",
    "e\u0301.txt": "\u00e9.txt",
    "\ud800x": "_x",
    '<>"|?*': "______",
    "$(id).txt": "$(id).txt",
    "Grüße 漢字.pdf": "Grüße 漢字.pdf",
}


@pytest.mark.parametrize(("raw", "safe"), CASES.items())
def test_what_becomes_of_a_name(raw: str, safe: str) -> None:
    assert safe_name(raw) == safe


def check(name: str) -> None:
    assert 0 < len(name.encode()) <= MAX_NAME_BYTES
    assert name[0] not in " .-~"
    assert name[-1] not in " ."
    assert not set(name) & set('/\\<>:"|?*\0')
    assert all(unicodedata.category(c)[0] != "C" for c in name)
    assert safe_name(name) == name, "a safe name is left alone"


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus lies beside the repository")
def test_the_whole_corpus() -> None:
    for raw in json.loads(CORPUS.read_text(encoding="utf-8"))["names"]:
        check(safe_name(raw))


@given(st.text(st.characters(exclude_categories=()), max_size=300))
@example("." * 5000 + " -" * 5000)
@example("CON" + " " * 300 + ".txt")
@example("com1" + "." * 300)
def test_any_name_is_made_safe(raw: str) -> None:
    check(safe_name(raw))


@given(st.lists(st.text(max_size=20), max_size=8))
def test_any_path_stays_below(raw: list[str]) -> None:
    path = safe_path(raw)
    assert path
    for name in path:
        check(name)


def test_folders_that_say_nothing_are_left_out() -> None:
    assert safe_path(["..", "", "a/b", "...", "c"]) == ["b", "c"]
    assert safe_path([]) == ["file"]


def test_numbers_go_before_the_extension() -> None:
    assert numbered("photo.jpg", 0) == "photo.jpg"
    assert numbered("photo.jpg", 12) == "photo (12).jpg"
    assert numbered("README", 1) == "README (1)"
    assert numbered(".x", 1) == ".x (1)"
    assert len(numbered(safe_name("a" * 300 + ".txt"), 9999).encode()) <= 255


def test_sentences_hold_no_control_characters() -> None:
    assert shown("/home/a\x1b[2J\u202eb\n") == "/home/a_[2J_b_"
