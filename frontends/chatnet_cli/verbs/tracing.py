"""`trace`: what the engine does, live, for people who look for a cause."""

import argparse
import contextlib
import time

from chatnet_cli import render
from chatnet_cli.environment import Environment, ExitStatus
from chatnet_client import sessions
from chatnet_client.tracing import TraceFollower
from chatnet_protocol.ipc.envelope import TraceFrame
from chatnet_protocol.ipc.trace import format_trace

READER_CHECK_S = 1.0
LOST = "{} traces were lost here: they came faster than they were read."


def trace(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Print every trace from now on, until the reader or the engine ends."""
    session = sessions.choose(env.environ, options.session)
    follower = TraceFollower(session.connection_file, packets=options.packets)
    more = "" if options.packets else "; --packets shows messages and packets, too"
    env.say(f"Following session {session.name}. Ctrl+C ends it{more}.")
    with contextlib.closing(follower):
        while not env.reader_is_gone():
            for frame, lost in follower.take(READER_CHECK_S):
                if lost:
                    env.say(LOST.format(lost))
                for line in _objects(frame) if options.json else _lines(frame):
                    env.out(line)
    return ExitStatus.DONE


def _lines(frame: TraceFrame) -> list[str]:
    seconds, milliseconds = divmod(frame.at_ms, 1000)
    at = time.strftime("%H:%M:%S", time.localtime(seconds)) + f".{milliseconds:03d}"
    return [f"{at} {render.escape_line(format_trace(row))}" for row in frame.traces]


def _objects(frame: TraceFrame) -> list[str]:
    return [
        render.dumps(
            {
                "type": "trace",
                "at_ms": frame.at_ms,
                "peer": row.peer,
                "kind": row.kind,
                "fields": row.fields,
            }
        )
        for row in frame.traces
    ]
