"""`chatnet`: words in, a verb run, an exit code out; no traceback ever reaches a person."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TypeAlias

from chatnet_cli import grammar, render
from chatnet_cli.environment import Environment, ExitStatus, Failure, UsageError, discard
from chatnet_cli.parser import GrammarError
from chatnet_client.errors import (
    ClientError,
    EngineStartFailed,
    EngineUnreachable,
    NoSession,
    RequestTimeout,
    SeveralSessions,
)
from chatnet_client.streams import open_standard_streams
from chatnet_protocol.errors import ChatNetError, CommandError, ErrorCode
from chatnet_protocol.text import is_text
from chatnet_protocol.version import PRODUCT_VERSION

Verb: TypeAlias = Callable[[Environment, argparse.Namespace], ExitStatus]

# Verb, module, function: imported when used, so that `send` does not pay for the others.
VERBS = {
    "start": ("attaching", "start"),
    "attach": ("attaching", "attach"),
    "send": ("sending", "send"),
    "withdraw": ("sending", "withdraw"),
    "send-file": ("sending", "send_file"),
    "events": ("reading", "events"),
    "history": ("reading", "history"),
    "export": ("exporting", "export"),
    "backup": ("backups", "backup"),
    "restore-backup": ("backups", "restore_backup"),
    "transfers": ("transfers", "transfers"),
    "accept": ("transfers", "change"),
    "allow-updates": ("transfers", "change"),
    "reject": ("transfers", "change"),
    "pause": ("transfers", "change"),
    "resume": ("transfers", "change"),
    "cancel": ("transfers", "change"),
    "peers": ("peers", "peers"),
    "peer": ("peers", "peer"),
    "peer-add": ("peers", "peer"),
    "invite": ("invites", "invite"),
    "join": ("invites", "join"),
    "name": ("own", "name"),
    "inbox": ("own", "inbox"),
    "limit": ("own", "limit"),
    "clean": ("cleaning", "clean"),
    "status": ("session", "status"),
    "sessions": ("session", "sessions"),
    "stop": ("session", "stop"),
    "trace": ("tracing", "trace"),
    "doctor": ("doctor", "doctor"),
    "demo": ("demo", "demo"),
}
REFUSALS = (ErrorCode.REFUSED, ErrorCode.NOT_ALLOWED)


def main(argv: Sequence[str] | None = None) -> int:
    """The program; the exit code."""
    open_standard_streams()
    return run(sys.argv[1:] if argv is None else argv, Environment.real())


def run(argv: Sequence[str], env: Environment) -> int:
    """The program in a given environment; the exit code."""
    try:
        return _run(list(argv), env)
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        # The reader went away, as `head` does; the interpreter must not flush into it again.
        discard(env.stdout)
        return ExitStatus.DONE
    except Exception as error:  # noqa: BLE001 - the last line of defence against tracebacks
        if env.reader_is_gone():
            discard(env.stdout)
        sentence, status = _explain(error)
        with contextlib.suppress(OSError, ValueError):
            env.say(sentence)
        return status


def _run(words: list[str], env: Environment) -> int:
    if sys.platform != "linux":
        env.say(f"ChatNet runs on Linux; this is {sys.platform}.")
        return ExitStatus.FAILED
    for word in words:
        if not is_text(word):
            raise UsageError(
                f"{word!r} is not valid UTF-8; set the terminal to UTF-8, or rename the file."
            )
    position = _first_word(words)
    if position is not None and words[position].isdigit():
        words.insert(position, "start")
    verb = words[position] if position is not None else ""
    if position is not None and verb == "engine":
        from chatnet_cli.verbs import attaching

        attaching.engine(env, words[:position] + words[position + 1 :])
    if position:
        # `chatnet --session x send ...`: options in front belong to the verb as well.
        words = [verb, *words[:position], *words[position + 1 :]]
    try:
        with contextlib.redirect_stdout(env.stdout), contextlib.redirect_stderr(env.stderr):
            parser = grammar.build()
            options = parser.parse_args(words)
            if options.version:
                env.out(f"chatnet {PRODUCT_VERSION}")
                return ExitStatus.DONE
            if options.verb is None:
                parser.print_help(env.stderr)
                return ExitStatus.USAGE
    except GrammarError as error:
        env.stderr.write(str(error))
        return error.status
    module, function = VERBS[options.verb]
    verb_function: Verb = getattr(import_module(f"chatnet_cli.verbs.{module}"), function)
    return verb_function(env, options)


def _first_word(words: list[str]) -> int | None:
    """Position of the first word that is neither an option nor an option's value."""
    skip = False
    for position, word in enumerate(words):
        if skip:
            skip = False
        elif word in grammar.VERB_OPTIONS:
            skip = True
        elif not word.startswith("-"):
            return position
    return None


def _explain(error: Exception) -> tuple[str, ExitStatus]:
    """One sentence and an exit code for whatever went wrong."""
    match error:
        case Failure(status=status):
            return str(error), status
        case UsageError() | SeveralSessions():
            return str(error), ExitStatus.USAGE
        case NoSession() | EngineUnreachable():
            return str(error), ExitStatus.NO_SESSION
        case RequestTimeout():
            return str(error), ExitStatus.TIMED_OUT
        case EngineStartFailed(status=status):
            known = status in set(ExitStatus) and status != ExitStatus.DONE
            return str(error), ExitStatus(status) if known else ExitStatus.FAILED
        case CommandError(code=code):
            return error.detail, ExitStatus.REFUSED if code in REFUSALS else ExitStatus.FAILED
        case ClientError() | ChatNetError():
            return str(error), ExitStatus.FAILED
        case OSError(strerror=text, filename=name):
            words = text or str(error)
            return f"{name}: {words}." if name else f"{words}.", ExitStatus.FAILED
        case _:
            detail = render.escape_line(str(error))
            return f"A bug in ChatNet: {type(error).__name__} {detail}", ExitStatus.FAILED
