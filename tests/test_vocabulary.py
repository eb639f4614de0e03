"""One word for each idea: words that are no longer used do not come back.

The terms are in section 1 of `protocol/README.md`. A retired word counts in prose and as part of an
identifier. What is left of it, in the product and in the tests, is in `vocabulary.txt`: it may only
shrink. `python tests/test_vocabulary.py` lowers the numbers after words have been replaced.
"""

import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEFT = Path(__file__).with_name("vocabulary.txt")
PRODUCT = ("protocol", "engine", "frontends", "scripts", ".github")
PAGES = ("README.md", "CHANGELOG.md", "pyproject.toml")
SUFFIXES = {".py", ".md", ".sh", ".toml"}
SLACK = 40
"""How far the numbers in the file may lag behind: parallel work need not touch it each time."""

RETIRED = {
    "told": "notified, reported, published, sent",
    "said": "sent, announced, reported, stated",
    "heard": "received",
    "wish": "request",
    "wishes": "requests",
    "desk": "handler, harness",
    "bell": "wake-up, notification",
    "room": "credit, space; ChatModel",
    "apart": "conflicted; between",
    "shun": "block",
    "shuns": "blocks",
    "shunned": "blocked",
    "doubted": "unlisted",
    "knocked": "called",
    "whoever": "the peer, the client, the caller",
    "faces": "front ends",
    "on the way": "in flight",
    "on its way": "in flight",
    "give up": "declare lost, stop, discard",
    "gives up": "declares lost, stops, discards",
    "given up": "declared lost, discarded",
    "come back": "return, be restored",
    "comes back": "returns, is restored",
    "came back": "returned, was restored",
    "coming back": "returning, being restored",
    "by itself": "automatically",
    "by themselves": "automatically",
    "see the module": "what the class is",
}
"""A word or phrase, and what to write instead."""

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PHRASES = {
    phrase: re.compile(r"\b" + phrase.replace(" ", r"\s+(?:#\s+)?") + r"\b", re.IGNORECASE)
    for phrase in RETIRED
    if " " in phrase
}


def retired(text: str) -> Counter[str]:
    """How often each retired word is in a text, also inside identifiers."""
    parts = Counter(part.lower() for part in _PART.findall(text))
    found = Counter({word: parts[word] for word in RETIRED if parts[word]})
    for phrase, pattern in _PHRASES.items():
        found[phrase] += len(pattern.findall(text))
    return +found


@cache
def counted() -> dict[str, Counter[str]]:
    """Retired words by area."""
    areas = {"product": [*PRODUCT, *PAGES], "tests": ["tests"]}
    return {area: sum(map(_in, names), Counter()) for area, names in areas.items()}


def recorded() -> dict[str, Counter[str]]:
    """The file: a line is an area, a number and a word."""
    found: dict[str, Counter[str]] = {"product": Counter(), "tests": Counter()}
    for line in LEFT.read_text(encoding="utf-8").splitlines():
        area, number, word = line.split(" ", 2)
        found[area][word] = int(number)
    return found


def _in(name: str) -> Counter[str]:
    path = ROOT / name
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.suffix in SUFFIXES]
    texts = (f.read_text(encoding="utf-8") for f in files if f != Path(__file__))
    return sum(map(retired, texts), Counter())


def test_words_are_found_in_prose_and_in_names() -> None:
    text = "# Whoever comes\n# back\nclass LedgerDesk: ...\n_was_told = 'the desktop'"
    assert retired(text) == Counter({"whoever": 1, "comes back": 1, "desk": 1, "told": 1})


def test_no_retired_word_comes_into_use_again() -> None:
    left = recorded()
    more = [
        f"{area}: {number} × {word!r}, at most {left[area][word]}; write {RETIRED[word]}"
        for area, words in counted().items()
        for word, number in words.items()
        if number > left[area][word]
    ]
    assert not more, "\n".join(more)


def test_what_is_left_is_written_down() -> None:
    lag = sum((recorded()[area] - words).total() for area, words in counted().items())
    assert lag <= SLACK, f"{lag} words fewer: run python tests/test_vocabulary.py"


def lower() -> None:
    """Write down what is left; a number never rises."""
    left = recorded() if LEFT.exists() else counted()
    lines = [
        f"{area} {min(number, left[area][word])} {word}\n"
        for area, words in counted().items()
        for word, number in sorted(words.items())
    ]
    LEFT.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    lower()
    sys.exit(0)
