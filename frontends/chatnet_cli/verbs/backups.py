"""`backup`: a copy of the session, made by its engine while it runs."""

import argparse
import os

from chatnet_cli import targets
from chatnet_cli.environment import Environment, ExitStatus
from chatnet_cli.render import escape_line
from chatnet_client.words import size_words
from chatnet_protocol.ipc.commands import BackedUp, MakeBackup

TIMEOUT_S = 3600.0
"""Without --timeout: longer than any history takes to copy."""


def backup(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Ask for it and wait until it is complete."""
    folder = os.path.abspath(options.folder)
    timeout_s = TIMEOUT_S if options.timeout is None else options.timeout
    with targets.attach(env, options) as client:
        made = client.ask(MakeBackup(folder, options.history_only), BackedUp, timeout_s)
    count = f"{made.messages:,} message" + ("s" if made.messages != 1 else "")
    env.out(f"backed up · {count} · {size_words(made.size_bytes)} · {escape_line(made.folder)}")
    if not options.history_only:
        env.say("It holds the identity key: whoever gets it can pose as you.")
    return ExitStatus.DONE
