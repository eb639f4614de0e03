"""The engine's command line: one session in the foreground, or with -d in the background.

Errors are one sentence on stderr and an exit code (0 done, 1 failed, 2 usage, 3 no such session or
not running, 4 timed out, 5 refused); tracebacks go to the log. Heavy imports wait until they are
needed, so that --help and -d cost nothing.
"""

import argparse
import enum
import logging
import os
import subprocess
import sys
from collections.abc import Sequence

from chatnet_engine.io.standard_streams import open_standard_streams
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.session_files import SESSION_NAME
from chatnet_protocol.limits import MAX_DISPLAY_NAME_BYTES
from chatnet_protocol.text import is_text

LOG_LEVELS = ("debug", "info", "warning", "error")
MAX_HOST_CHARACTERS = 253
SWITCH_INTERVAL_S = 0.0005
"""How soon a busy pump lets the store's thread run: commits beside it take 1.4 ms at p50 where
the interpreter's own 5 ms make it 11, at no measurable cost to the pump."""
READY = b"ready\n"
MAX_REPORT_BYTES = 4096

ONCE = {
    "--new-identity": "where the identity key is lost: make one; all peers meet a changed key",
    "--without-history": "where the history is lost: begin an empty one",
    "--without-known-peers": "where the trusted keys are lost: trust each again by hand",
    "--adopt-history": "where the history is another identity's: go on with it under this key",
}
"""Answers to a refused start, each once: whoever starts an engine again leaves them out."""


class ExitStatus(enum.IntEnum):
    """The exit codes of every ChatNet program that an engine can end with."""

    DONE = 0
    FAILED = 1
    USAGE = 2


def main(argv: Sequence[str]) -> int:
    """Run an engine; the exit code."""
    open_standard_streams()
    if sys.platform != "linux":
        _say(f"ChatNet runs on Linux; this is {sys.platform}.")
        return ExitStatus.FAILED
    if not all(map(is_text, argv)):
        _say("The arguments are not valid UTF-8.")
        return ExitStatus.USAGE
    options = _parse(argv)
    problem = _problem_with(options)
    if problem:
        _say(problem)
        return ExitStatus.USAGE
    if options.daemon:
        return _start_daemon([word for word in argv if word not in ("-d", "--daemon")])
    return _run(options)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="chatnet engine",
        description="Run the engine of one session: it keeps the link, front ends attach to it.",
        epilog="example: chatnet engine 12345 192.168.233.128 12346",
    )
    parser.add_argument("local_port", type=int, metavar="LOCAL_PORT", help="UDP port, 0: any free")
    parser.add_argument("peer_host", nargs="?", default="", metavar="PEER_HOST")
    parser.add_argument("peer_port", nargs="?", default=None, type=int, metavar="PEER_PORT")
    parser.add_argument("--session", default="", metavar="NAME", help="default: the local port")
    parser.add_argument("--bind", default="", metavar="ADDR", help="default: all addresses")
    parser.add_argument("--name", default="", metavar="DISPLAY", help="what peers call you")
    parser.add_argument("-d", "--daemon", action="store_true", help="go to the background")
    parser.add_argument(
        "--impair",
        default="",
        metavar="SPEC",
        help="send through a bad network: loss=20%%,dup=5%%,delay=50ms,jitter=20ms,reorder=10%%,"
        "seed=7",
    )
    parser.add_argument("--log-level", default="info", choices=LOG_LEVELS)
    for option, summary in ONCE.items():
        parser.add_argument(option, action="store_true", help=summary)
    parser.add_argument("--report-fd", type=int, default=None, help=argparse.SUPPRESS)
    return parser.parse_intermixed_args(argv)


def _problem_with(options: argparse.Namespace) -> str:
    """What is wrong with the arguments: one sentence, or empty."""
    if not 0 <= options.local_port <= 65535:
        return f"{options.local_port} is no UDP port: use 1 to 65535, or 0 for any free one."
    if options.peer_host and options.peer_port is None:
        return "The peer's UDP port is missing: chatnet engine LOCAL_PORT PEER_HOST PEER_PORT."
    if options.peer_port is not None and not 1 <= options.peer_port <= 65535:
        return f"{options.peer_port} is no UDP port of a peer: use 1 to 65535."
    if len(options.peer_host) > MAX_HOST_CHARACTERS:
        return "The peer's host name is too long."
    if options.session and not SESSION_NAME.fullmatch(options.session):
        return f"{options.session!r} is no session name: use 1 to 32 of a-z, 0-9 and '-'."
    if len(options.name.encode()) > MAX_DISPLAY_NAME_BYTES:
        return f"A display name has at most {MAX_DISPLAY_NAME_BYTES} bytes."
    return ""


def _run(options: argparse.Namespace) -> int:
    from chatnet_engine.io.engine import Engine, EngineConfig
    from chatnet_engine.io.impair import parse_impair

    umask = os.umask(0o077)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    report = _Report(options.report_fd)
    try:
        seed = int.from_bytes(os.urandom(2), "big")
        config = EngineConfig(
            local_port=options.local_port,
            peer_host=options.peer_host,
            peer_port=options.peer_port or 0,
            session=options.session,
            bind=options.bind,
            display_name=options.name,
            impair=parse_impair(options.impair, seed=seed) if options.impair else None,
            log_level=options.log_level,
            ways=tuple(way for way in ONCE if vars(options)[way[2:].replace("-", "_")]),
            umask=umask,
        )
        engine = Engine(config, os.environ)
    except CommandError as error:
        report.failed(error.detail)
        return ExitStatus.USAGE if error.code == ErrorCode.INVALID else ExitStatus.FAILED
    except KeyboardInterrupt:
        return ExitStatus.FAILED
    except Exception as error:  # noqa: BLE001 (what is known of it is in the log)
        kind = type(error).__name__
        report.failed(f"The engine cannot start because of an internal error ({kind}).")
        return ExitStatus.FAILED
    try:
        report.ready(engine.greeting(), engine.log_fd)
        engine.run()
    except KeyboardInterrupt:
        return ExitStatus.FAILED
    except Exception:
        logging.getLogger(__name__).exception("the engine ends")
        _say(f"The engine hit an internal error and ended; the log is {engine.session.log}.")
        return ExitStatus.FAILED
    finally:
        engine.close()
    return ExitStatus.DONE


class _Report:
    """Tells whoever started the engine how the start went: a terminal, or the parent of -d."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    def ready(self, greeting: str, log_fd: int) -> None:
        if self._fd is None:
            _say(greeting)
            return
        os.write(self._fd, READY)
        os.close(self._fd)
        # From here on nobody reads what this process prints.
        os.chdir("/")
        os.dup2(log_fd, 1)
        os.dup2(log_fd, 2)

    def failed(self, sentence: str) -> None:
        if self._fd is None:
            _say(sentence)
        else:
            os.write(self._fd, sentence.encode("utf-8", "replace")[:MAX_REPORT_BYTES])


def _start_daemon(argv: list[str]) -> int:
    """Start the same engine as a process of its own; wait until it serves, or says why not."""
    from chatnet_engine.io.file_link import child_environ

    read_fd, write_fd = os.pipe()
    command = [sys.executable, "-P", "-m", "chatnet_engine", *argv, "--report-fd", str(write_fd)]
    with os.fdopen(read_fd, "rb") as reports:
        child = subprocess.Popen(  # noqa: S603 (our own program)
            command,
            pass_fds=[write_fd],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=child_environ(),
        )
        os.close(write_fd)
        report = reports.read(MAX_REPORT_BYTES)
    if report == READY:
        # It goes on without us; we end before it does.
        child.returncode = 0
        return ExitStatus.DONE
    _say(report.decode("utf-8", "replace") or "The engine ended while starting.")
    return child.wait() or ExitStatus.FAILED


def _say(sentence: str) -> None:
    try:
        sys.stderr.write(sentence + "\n")
    except (OSError, ValueError):
        # Nobody is there to read it.
        pass
