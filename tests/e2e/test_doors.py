"""A short look at every way in; `scripts/fuzz --doors` takes longer."""

import os
import tempfile
from pathlib import Path

from fuzz import doors
from fuzz.doors import LOCALES, Doors


def test_every_short_sequence_of_bytes_becomes_text() -> None:
    assert doors.every(2) == 256 + 256**2


def test_no_line_is_lost_and_no_key_breaks_the_chat() -> None:
    def a_few(tried: Doors) -> None:
        for locale in (LOCALES[0], LOCALES[3]):
            tried.pipe(locale)
        keys = doors.single_keys()
        tried.keys("xterm", [b"\x1a", b"\x16\x1b", *keys[::8], *keys[-6:]])
        tried.keys("dumb", keys[::16])
        for verb, word in (
            ("send-file", b"/\xff\x1b"),
            ("send", b"x\xff"),
            ("peer", b"\xed\xa0\x80"),
        ):
            tried.run([verb, word])
        tried.streams((True, True, True), "send x")

    with tempfile.TemporaryDirectory(prefix="cn-", dir=os.path.realpath("/tmp")) as folder:
        assert doors.run(Path(folder), 1, 0, a_few) > 500
