"""Names that a hostile peer may offer."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatnet_engine.files.names import (
    inner_name,
    numbered,
    numbered_folder,
    safe_name,
    shown,
    shown_path,
)
from chatnet_protocol.limits import MAX_INNER_NAME_BYTES, MAX_NAME_BYTES, MAX_SHOWN_PATH_BYTES

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "hostile-names.json"

SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f.png"
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
    "e\u0301.txt": "e\u0301.txt",
    "\ud800x": "_x",
    '<>"|?*': "______",
    "$(id).txt": "$(id).txt",
    "family \U0001f468\u200d\U0001f469\u200d\U0001f467.jpg": "family 👨‍👩‍👧.jpg",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.txt": "می‌خواهم.txt",
    SCOTLAND: SCOTLAND,
    "\U0001f3f4\U000e0067": "\U0001f3f4_",
    "a\u200cb \u200d.txt": "a_b _.txt",
    "Grüße 漢字.pdf": "Grüße 漢字.pdf",
}


@pytest.mark.parametrize(("raw", "safe"), CASES.items())
def test_what_becomes_of_a_name(raw: str, safe: str) -> None:
    assert safe_name(raw) == safe


def is_harmless(name: str) -> bool:
    """Joiners and tags where they belong aside."""
    name = re.sub("(?<=[^\x00-\x7f])[\u200c\u200d](?=[^\x00-\x7f])", "", name)
    name = re.sub("\U0001f3f4[\U000e0030-\U000e007a]+\U000e007f", "", name)
    return all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in name)


def check(name: str) -> None:
    assert 0 < len(name.encode()) <= MAX_NAME_BYTES
    assert name[0] not in " .-~"
    assert name[-1] not in " ."
    assert not set(name) & set('/\\<>:"|?*\0')
    assert is_harmless(name)
    assert all(unicodedata.category(c) not in ("Co", "Cn") for c in name)
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


INNER = {
    ".env": ".env",
    "-x": "-x",
    "~": "~",
    " a. ": " a. ",
    "e\u0301": "e\u0301",
    "a\\b:c": "a\\b:c",
    "CON": "CON",
    "\uf8ff": "\uf8ff",
    "a/b": "a_b",
    "": "_",
    ".": "_",
    "..": "__",
    "...": "___",
    "a\u202eb\n": "a_b_",
    "a\u200d": "a_",
    "x" * 255: "x" * 255,
    "x" * 256 + ".txt": "x" * 251 + ".txt",
}


@pytest.mark.parametrize(("raw", "safe"), INNER.items())
def test_a_name_inside_a_folder_stays_as_far_as_it_is_harmless(raw: str, safe: str) -> None:
    assert inner_name(raw) == safe


STRICT = {"a:b": "a_b", "nul.txt": "_nul.txt", "x. .": "x___", "a\\b": "a_b", ".env": ".env"}


@pytest.mark.parametrize(("raw", "safe"), STRICT.items())
def test_a_disk_of_windows_gets_names_that_it_takes(raw: str, safe: str) -> None:
    assert inner_name(raw, strict=True) == safe


@given(st.text(st.characters(exclude_categories=()), max_size=300), st.booleans())
def test_any_inner_name_is_one_name(raw: str, strict: bool) -> None:
    name = inner_name(raw, strict=strict)
    assert 0 < len(name.encode()) <= MAX_INNER_NAME_BYTES
    assert name.strip(".")
    assert not set(name) & set("/\0")
    assert is_harmless(name)
    if strict:
        assert name[-1] not in " ."
        assert not set(name) & set('\\<>:"|?*')
    assert inner_name(name, strict=strict) == name


def test_paths_that_are_shown_are_one_line_and_short() -> None:
    assert shown_path(["a", "b\n\x1b"]) == "a/b__"
    long = shown_path(["first", "ü" * 300, "last.txt"])
    assert len(long.encode()) <= MAX_SHOWN_PATH_BYTES
    assert long.startswith("first/ü")
    assert long.endswith("ü/last.txt")


def test_numbers_go_before_the_extension() -> None:
    assert numbered("photo.jpg", 0) == "photo.jpg"
    assert numbered("photo.jpg", 12) == "photo (12).jpg"
    assert numbered("README", 1) == "README (1)"
    assert numbered(".x", 1) == ".x (1)"
    assert numbered_folder("notes.old", 0) == "notes.old"
    assert numbered_folder("notes.old", 2) == "notes.old (2)"
    assert numbered("ü" * 127 + ".txt", 3) == "ü" * 123 + " (3).txt"
    assert len(numbered(safe_name("a" * 300 + ".txt"), 9999).encode()) <= 255


def test_sentences_hold_no_control_characters() -> None:
    assert shown("/home/a\x1b[2J\u202eb\n") == "/home/a_[2J_b_"
