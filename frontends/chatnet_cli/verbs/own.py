"""`name`, `inbox` and `limit`: what a person chooses for the session."""

import argparse
import os

from chatnet_cli import render, targets
from chatnet_cli.environment import Environment, ExitStatus, Failure
from chatnet_client.words.numbers import limit_words
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc.commands import SetSession
from chatnet_protocol.ipc.sizes import parse_limit

EVENT_TIMEOUT_S = 5.0


def name(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Show or change the own display name."""
    with targets.attach(env, options) as client:
        if (wanted := options.value) is not None:
            client.request(SetSession(display_name=wanted))
            shown = wanted.strip()
            client.wait_until(lambda: client.view.session.display_name == shown, EVENT_TIMEOUT_S)
        env.out(render.own_name_line(client.view.session.display_name))
    return ExitStatus.DONE


def inbox(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Show or change the folder of received files."""
    with targets.attach(env, options) as client:
        if (wanted := options.value) is not None:
            folder = folder_of(wanted)
            client.request(SetSession(inbox=folder))
            client.wait_until(
                lambda: not folder or client.view.session.inbox == folder, EVENT_TIMEOUT_S
            )
        env.out(render.inbox_line(client.view.session.inbox))
    return ExitStatus.DONE


def limit(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Show or change how fast files may move."""
    with targets.attach(env, options) as client:
        if (wanted := options.value) is not None:
            bytes_s = limit_of(wanted)
            client.request(SetSession(limit_bytes_s=bytes_s))
            client.wait_until(lambda: client.view.session.limit_bytes_s == bytes_s, EVENT_TIMEOUT_S)
        env.out(limit_words(client.view.session.limit_bytes_s))
    return ExitStatus.DONE


def limit_of(words: str) -> int:
    """Bytes a second; `none`: 0. Raises Failure."""
    try:
        return parse_limit(words)
    except CommandError as error:
        raise Failure(render.escape_line(error.detail)) from None


def folder_of(words: str) -> str:
    """The absolute path of a folder that files can be written into; `default`: empty. Raises
    Failure."""
    if words == "default":
        return ""
    folder = os.path.abspath(os.path.expanduser(words))
    shown = render.escape_line(words)
    if not os.path.isdir(folder):
        raise Failure(f"{shown} is not a folder.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Failure(f"Files cannot be written into {shown}.")
    return folder
