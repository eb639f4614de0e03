"""`backup`: a copy of the session, made by its engine while it runs; `restore-backup`: put back."""

import argparse
import os
import sys

from chatnet_cli import targets
from chatnet_cli.environment import Environment, ExitStatus, UsageError
from chatnet_cli.render import escape_line
from chatnet_client import sessions
from chatnet_client.words import size_words
from chatnet_protocol.ipc.commands import BackedUp, MakeBackup
from chatnet_protocol.ipc.session_files import session_dir

TIMEOUT_S = 3600.0
"""Without --timeout: longer than any history takes to copy."""

RESTORE_COMMAND = (sys.executable, "-P", "-m", "chatnet_engine.io.restore_backup")


def backup(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Ask for it and wait until it is complete."""
    folder = os.path.abspath(options.folder)
    timeout_s = TIMEOUT_S if options.timeout is None else options.timeout
    with targets.attach(env, options) as client:
        made = client.ask(MakeBackup(folder, options.history_only), BackedUp, timeout_s)
    count = f"{made.messages:,} message" + ("s" if made.messages != 1 else "")
    env.out(f"backed up · {count} · {size_words(made.size_bytes)} · {escape_line(made.folder)}")
    if not options.history_only:
        env.say("It holds the identity key: anybody who has it can impersonate you.")
    return ExitStatus.DONE


def restore_backup(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Become the engine's program for it: no engine may run, and no front end knows its files."""
    name = options.session or _only_session(env)
    session_dir("", name)  # an impossible name is refused here, as usage
    replace = ["--replace"] if options.replace else []
    folder = os.path.abspath(options.folder)
    env.replace_process([*RESTORE_COMMAND, *replace, "--", folder, name], env.environ)


def _only_session(env: Environment) -> str:
    names = [session.name for session in sessions.find_all(env.environ)]
    if len(names) != 1:
        many = f"There are several: {', '.join(names)}. " if names else "There is none yet. "
        raise UsageError(f"{many}Say which session with --session NAME.")
    return names[0]
