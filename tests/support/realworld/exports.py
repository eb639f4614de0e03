"""What `chatnet export` of real engines writes, judged by the checker."""

import sqlite3

from checker.exports import Export, check_export, check_same, parse_export
from realworld.engines import RealEngine


def check_exports(a: RealEngine, b: RealEngine, *, complete: bool = True) -> list[str]:
    """Each export equals its database, both equal each other; the engines run and are at rest."""
    exports: list[Export] = []
    out: list[str] = []
    for engine in (a, b):
        written = engine.cli("export", "--session", engine.name)
        assert written.returncode == 0, written.stderr
        exports.append(parse_export(written.stdout))
        database = sqlite3.connect(f"file:{engine.database}?mode=ro", uri=True)
        try:
            out += [f"{engine.name}: {text}" for text in check_export(exports[-1], database)]
        finally:
            database.close()
    return out + list(check_same(*exports, complete=complete))
