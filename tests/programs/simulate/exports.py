"""What `chatnet export` would write at the end of a simulated world, judged by the checker."""

from itertools import combinations

from chatnet_cli.verbs.exporting import json_lines, markdown, read_all
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.view import View
from checker.exports import Export, check_export, check_same, parse_export
from simulate.world import World
from simworld.engine import SimEngine


class _Reader:
    """Stands in for an attached client: a view, and pages of history."""

    def __init__(self, engine: SimEngine) -> None:
        self._history = engine.history
        self.view: View = engine.ledger.load_view(engine.session())

    def history(self, query: FetchHistory) -> HistoryPage:
        return self._history.page(query)


def markdown_of(engine: SimEngine) -> list[str]:
    """The lines for people."""
    reader = _Reader(engine)
    return list(markdown(reader, read_all(reader, 0)))


def export_of(engine: SimEngine) -> Export:
    """As the front end writes it."""
    reader = _Reader(engine)
    return parse_export("\n".join(json_lines(reader, read_all(reader, 0))))


def check_exports(world: World, *, at_rest: bool) -> list[str]:
    """Each export equals its database; those of two people equal each other where they should."""
    exports = {engine.name: export_of(engine) for engine in world.engines}
    out = []
    for engine in world.engines:
        problems = check_export(exports[engine.name], engine.connection)
        out += [f"export of {engine.name}: {text}" for text in problems]
    complete = at_rest and not any(world.lost.values()) and not world.kind.peers_change
    for one, other in combinations(exports, 2):
        said = check_same(exports[one], exports[other], complete=complete)
        out += [f"exports of {one} and {other}: {text}" for text in said]
    return out
