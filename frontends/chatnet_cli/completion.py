"""What Tab offers in the terminal chat: commands, peers, transfers, paths. Pure but for the
listing of folders, which is handed in."""

import os
import shlex
from collections.abc import Callable, Iterable, Iterator

from chatnet_cli import render
from chatnet_cli.slash import COMMANDS, ON_TRANSFERS
from chatnet_client.words import name_of
from chatnet_protocol.ipc.view import View
from chatnet_protocol.text import typed_text

MAX_OFFERED = 200
"""More than anybody looks through."""
Entries = Callable[[str], Iterable[tuple[str, bool]]]
"""The names in a folder, and which are folders; nothing for one that cannot be read."""
Offered = tuple[str, int]
"""What to put in, and how many characters in front of the cursor it replaces."""


def offers(line: str, view: View | None, peer: int, entries: Entries) -> list[Offered]:
    """What may follow `line`, which is the text in front of the cursor."""
    if not line.startswith("/") or line.startswith("//") or "\n" in line:
        return []
    word, space, rest = line[1:].partition(" ")
    if not space:
        return [(f"/{name} ", len(line)) for name in COMMANDS if name.startswith(word.lower())]
    found = _arguments(word.lower(), rest.lstrip(), view, peer, entries)
    return [offer for offer, _ in zip(found, range(MAX_OFFERED), strict=False)]


def _arguments(
    word: str, rest: str, view: View | None, peer: int, entries: Entries
) -> Iterator[Offered]:
    if word in ("file", "inbox"):
        yield from _paths(rest, entries)
    elif word == "restore" and "stop".startswith(rest):
        yield "stop", len(rest)
    elif word == "limit" and "none".startswith(rest):
        yield "none", len(rest)
    elif view is None:
        return
    elif word == "peer":
        for known in view.peers:
            name = name_of(known.info)
            if render.escape_line(name) == name and name.casefold().startswith(rest.casefold()):
                yield name, len(rest)
    elif word in ON_TRANSFERS:
        _make, states = ON_TRANSFERS[word]
        for row in view.transfers:
            number = str(row.no)
            if row.peer == peer and row.state in states and number.startswith(rest):
                yield number, len(rest)


def _paths(rest: str, entries: Entries) -> Iterator[Offered]:
    """Paths for the word that is being written, quoted where they need it."""
    written, length = _last_word(rest)
    folder, slash, start = written.rpartition("/")
    shown = start.startswith(".")
    for name, is_folder in sorted(entries(os.path.expanduser(folder + slash) or ".")):
        if not name.startswith(start) or (name.startswith(".") and not shown):
            continue
        if typed_text(name) != name or "\n" in name:
            continue  # the line cannot hold it
        path = folder + slash + name
        if is_folder:
            # The quote stays open: a folder is rarely all of it.
            yield (f"{path}/" if _is_bare(path) else f"'{path}/"), length
        else:
            yield (f"{path} " if _is_bare(path) else f"{shlex.quote(path)} "), length


def _last_word(words: str) -> tuple[str, int]:
    """The word at the end, as a shell would read it, and how many characters it is written in."""
    word, start, quote, escaped = "", 0, "", False
    for position, character in enumerate(words):
        if escaped:
            word, escaped = word + character, False
        elif character == "\\" and quote != "'":
            escaped = True
        elif character == quote:
            quote = ""
        elif not quote and character in "\"'":
            quote = character
        elif not quote and character == " ":
            word, start = "", position + 1
        else:
            word += character
    return word, len(words) - start


def _is_bare(path: str) -> bool:
    return shlex.quote(path.removeprefix("~/")) == path.removeprefix("~/")


def folder_entries(folder: str) -> list[tuple[str, bool]]:
    """The real listing of a folder."""
    try:
        with os.scandir(folder) as found:
            return [(entry.name, entry.is_dir()) for entry in found]
    except OSError:
        return []
