"""No text of a peer can become markup: the calls that would make it so are not in the source."""

import re
from pathlib import Path

import pytest

import chatnet_qt

SOURCES = sorted(Path(chatnet_qt.__file__).parent.glob("*.py"))
FORBIDDEN = re.compile(
    r"\bQLabel\(|\bQMessageBox\b|setHtml|insertHtml|appendHtml|QTextDocument|QTextBrowser|"
    r"RichText|AutoText|setOpenExternalLinks"
)
MAY_MAKE_LABELS = "labels.py"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_source_makes_rich_text(path: Path) -> None:
    found = set(FORBIDDEN.findall(path.read_text("utf-8")))
    if path.name == MAY_MAKE_LABELS:
        found.discard("QLabel(")
    assert not found
