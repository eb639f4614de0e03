"""The front end called `cli`: a chat in this terminal, or lines where there is none."""

import argparse
import contextlib
from collections.abc import Sequence

from chatnet_cli.environment import Environment, ExitStatus, UsageError

BARE_TERMINALS = ("", "dumb", "unknown")
"""Values of TERM that promise no escape sequences, as an editor's shell window has."""


def main(argv: list[str], connection_file: str) -> int:
    """Entry point of `chatnet.frontends`."""
    return run(Environment.real(), argv, connection_file)


def run(env: Environment, argv: Sequence[str], connection_file: str) -> ExitStatus:
    """Chat with the peer that `--peer` names, or the first. Raises UsageError."""
    parser = argparse.ArgumentParser(prog="chatnet attach cli", exit_on_error=False, add_help=False)
    parser.add_argument("--peer")
    try:
        options, rest = parser.parse_known_args(list(argv))
    except argparse.ArgumentError as error:
        raise UsageError(str(error)) from None
    if rest:
        raise UsageError(f"The terminal chat does not know {' '.join(rest)!r}.")
    bare = env.environ.get("TERM", "dumb") in BARE_TERMINALS
    if bare or not (env.stdin_is_tty and env.stdout_is_tty):
        from chatnet_cli import plain

        return plain.run(env, options.peer, connection_file)
    import asyncio

    from chatnet_cli.prompt import Terminal

    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(Terminal(env, options.peer, connection_file).run())
    return ExitStatus.INTERRUPTED
