"""`clean`: removes unfinished files and earlier folders that nothing needs."""

import argparse

from chatnet_cli import render, targets
from chatnet_cli.environment import Environment, ExitStatus, Failure
from chatnet_client.words.space import (
    NOTHING,
    NOTHING_TO_REMOVE,
    removable_words,
    removed_words,
    space_line,
)
from chatnet_protocol.ipc.commands import CleanUp, FetchSpace, Space

TIMEOUT_S = 600.0
"""Without --timeout: as long as a slow disk takes."""
MAX_ANSWER_CHARACTERS = 100
"""Of a yes or no."""


def clean(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Say what there is, ask, remove."""
    timeout_s = TIMEOUT_S if options.timeout is None else options.timeout
    with targets.attach(env, options) as client:
        space = client.ask(FetchSpace(), Space, timeout_s)
        removable = removable_words(space)
        if not removable:
            _show(env, options, space, _nothing(space))
            return ExitStatus.DONE
        if not options.yes:
            env.say(f"This would be removed: {removable}.")
            if not env.stdin_is_tty:
                _show(env, options, space, "")
                env.say("To remove them: chatnet clean --yes")
                return ExitStatus.DONE
            env.stderr.write("Remove them? [y/N] ")
            env.stderr.flush()
            if env.read_line(MAX_ANSWER_CHARACTERS).strip().lower() not in ("y", "yes"):
                raise Failure("Nothing was removed.", ExitStatus.REFUSED)
        space = client.ask(CleanUp(), Space, timeout_s)
    removed = removed_words(space)
    _show(env, options, space, f"removed · {removed}" if removed else _nothing(space))
    return ExitStatus.DONE


def _nothing(space: Space) -> str:
    return NOTHING_TO_REMOVE if space_line(space) else NOTHING


def _show(env: Environment, options: argparse.Namespace, space: Space, result: str) -> None:
    if options.json:
        env.out(render.dumps(space_object(space)))
        return
    for line in (result, space_line(space)):
        if line:
            env.out(line)


def space_object(space: Space) -> dict[str, object]:
    """As `--json` shows it."""
    return render.struct_object(space) | {"type": "space"}
