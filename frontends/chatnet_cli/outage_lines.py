"""What a terminal chat says when the engine goes away. Pure."""

from chatnet_cli import render
from chatnet_client.client_events import Cause, EngineLost
from chatnet_client.mirror import Mirror
from chatnet_client.words import ENGINE_DIED, engine_lost_words, outage_words


def outage_lines(lost: EngineLost, mirror: Mirror) -> list[str]:
    """Why, and what starts it; nothing while more is to be known at once."""
    outage = lost.outage
    if outage is None:
        return [] if lost.reason == ENGINE_DIED else [engine_lost_words(lost.reason)]
    lines = []
    stopping = mirror.view is not None and bool(mirror.view.stopping)
    if outage.cause != Cause.STOPPED or not stopping:  # else the event was printed
        lines.append(render.escape_line(outage_words(outage)))
    if outage.command and outage.cause not in (Cause.RESTARTING, Cause.SILENT):
        lines.append(f"Start it with: {render.escape_line(outage.command)}")
    return lines
