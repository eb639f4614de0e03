"""The engine's command line: one session in the foreground, or with -d in the background.

Errors are one sentence on stderr and an exit code (0 done, 1 failed, 2 usage, 3 no such session or
not running, 4 timed out, 5 refused); tracebacks go to the log. Heavy imports wait until they are
needed, so that --help and -d cost nothing.
"""

import argparse
import enum
import gc
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from chatnet_engine.io.restart_policy import EXIT_CRASHED
from chatnet_engine.io.standard_streams import open_standard_streams
from chatnet_engine.io.start_report import FAILED, READY, REFUSED, StartReport
from chatnet_protocol.addresses import parse_host, split_address
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.session_files import SESSION_NAME, session_dir
from chatnet_protocol.limits import MAX_DISPLAY_NAME_BYTES
from chatnet_protocol.text import is_text

if TYPE_CHECKING:
    from chatnet_engine.io.engine import EngineConfig

LOG_LEVELS = ("debug", "info", "warning", "error")
SWITCH_INTERVAL_S = 0.0001
"""How soon a busy pump lets the store's thread run, at each of its statements. Beside a flood the
longest commits took 40 to 180 ms with half a millisecond and 27 to 70 with this, at no measurable
cost to the pump; with the interpreter's own 5 ms a commit takes 11 ms at p50."""

ONCE = {
    "--new-identity": "where the identity key is lost: make one; all peers meet a changed key",
    "--without-history": "where the history is lost: begin an empty one",
    "--without-known-peers": "where the trusted keys are lost: trust each again by hand",
    "--adopt-history": "where the history is another identity's: go on with it under this key",
}
"""Answers to a refused start, each for one start: an automatic restart leaves them out."""


class ExitStatus(enum.IntEnum):
    """What an engine can end with."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CRASHED = EXIT_CRASHED
    """An internal error: the supervisor starts the engine again, as after a signal."""


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
    if options.print_unit:
        return _print_unit(argv, options)
    if options.daemon:
        return _start_in_background(argv, options)
    return _run(options)


class _Parser(argparse.ArgumentParser):
    """A mistake is one sentence, and then the short usage."""

    def error(self, message: str) -> NoReturn:
        words = message.removeprefix("argument ")
        usage = f"usage: {self.prog} [OPTIONS] LOCAL_PORT [PEER_HOST PEER_PORT]"
        self.exit(2, f"{words[:1].upper()}{words[1:]}.\n{usage}\nMore: {self.prog} --help\n")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="chatnet engine",
        description="Run the engine of one session: it keeps the link, front ends attach to it.",
        epilog="example: chatnet engine 12345 192.168.233.128 12346",
    )
    parser.add_argument("local_port", type=int, metavar="LOCAL_PORT", help="UDP port, 0: any free")
    parser.add_argument(
        "peer_host", nargs="?", default="", metavar="PEER_HOST", help="or HOST:PORT"
    )
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
    parser.add_argument(
        "--limit", default="", metavar="RATE", help="files move at most so fast: 5MB a second, ..."
    )
    parser.add_argument("--log-level", default="info", choices=LOG_LEVELS)
    for option, summary in ONCE.items():
        parser.add_argument(option, action="store_true", help=summary)
    parser.add_argument(
        "--print-unit", action="store_true", help="print a systemd user unit for these arguments"
    )
    hidden = argparse.SUPPRESS  # passed by the supervisor
    parser.add_argument("--report-fd", type=int, default=None, help=hidden)
    parser.add_argument("--kept-by", default="", help=hidden)
    parser.add_argument("--restarts", type=int, default=0, help=hidden)
    parser.add_argument("--died-of", default="", help=hidden)
    options = parser.parse_intermixed_args(argv)
    if options.peer_port is None and (parts := split_address(options.peer_host)):
        options.peer_host, port = parts  # HOST:PORT is one word
        options.peer_port = int(port) if port.isascii() and port.isdigit() else 0
    return options


def _problem_with(options: argparse.Namespace) -> str:
    """What is wrong with the arguments: one sentence, or empty."""
    if not 0 <= options.local_port <= 65535:
        return f"{options.local_port} is not a UDP port: use 1 to 65535, or 0 for any free one."
    if options.peer_host and options.peer_port is None:
        return "The peer's UDP port is missing: chatnet engine LOCAL_PORT PEER_HOST PEER_PORT."
    if options.peer_port is not None and not 1 <= options.peer_port <= 65535:
        return f"{options.peer_port} is not a UDP port of a peer: use 1 to 65535."
    if options.peer_host:
        try:
            parse_host(options.peer_host)
        except CommandError as error:
            return error.detail
    if options.session and not SESSION_NAME.fullmatch(options.session):
        return f"{options.session!r} is no session name: use 1 to 32 of a-z, 0-9 and '-'."
    if options.print_unit and not options.local_port:
        return "A unit needs a port: 0 would be another one at each start."
    if len(options.name.encode()) > MAX_DISPLAY_NAME_BYTES:
        return f"A display name has at most {MAX_DISPLAY_NAME_BYTES} bytes."
    return ""


def _run(options: argparse.Namespace) -> int:
    from chatnet_engine.io.engine import Engine

    umask = os.umask(0o077)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    report = StartReport(options.report_fd)
    try:
        engine = Engine(_config(options, umask), os.environ)
    except CommandError as error:
        _tell(report, REFUSED, error.detail)
        return ExitStatus.USAGE if error.code == ErrorCode.INVALID else ExitStatus.FAILED
    except KeyboardInterrupt:
        return ExitStatus.FAILED
    except Exception as error:  # noqa: BLE001 (what is known of it is in the log)
        kind = type(error).__name__
        _tell(report, FAILED, f"The engine cannot start because of an internal error ({kind}).")
        return ExitStatus.CRASHED
    try:
        if report.is_wanted:
            report.send(READY, engine.folder, *engine.arguments)
            _leave_terminal(engine.log_fd)
        else:
            _say(engine.greeting())
        _settle_memory()
        engine.run()
    except KeyboardInterrupt:
        return ExitStatus.FAILED
    except Exception:
        logging.getLogger(__name__).exception("the engine ends")
        _say(f"The engine hit an internal error and ended; the log is {engine.session.log}.")
        return ExitStatus.CRASHED
    finally:
        engine.close()
    return ExitStatus.DONE


def _settle_memory() -> None:
    """Leave what a start has made, code above all, out of later collections: a full one would
    hold up everything for 17 ms, and take a fraction of one without it. Hardly any of it is
    garbage: a collection of its own would hold up the first answers for nothing."""
    gc.freeze()


def _config(options: argparse.Namespace, umask: int) -> "EngineConfig":
    """What an engine is made from. Raises CommandError."""
    from chatnet_engine.io.engine import EngineConfig
    from chatnet_engine.io.impair import parse_impair
    from chatnet_protocol.ipc.sizes import parse_limit

    seed = int.from_bytes(os.urandom(2), "big")
    return EngineConfig(
        local_port=options.local_port,
        peer_host=options.peer_host,
        peer_port=options.peer_port or 0,
        session=options.session,
        bind=options.bind,
        display_name=options.name,
        impair=parse_impair(options.impair, seed=seed) if options.impair else None,
        limit_bytes_s=parse_limit(options.limit) if options.limit else 0,
        log_level=options.log_level,
        umask=umask,
        ways=tuple(way for way in ONCE if vars(options)[way[2:].replace("-", "_")]),
        lasting=_lasting(options),
        kept_by=options.kept_by,
        restarts=options.restarts,
        died_of=options.died_of,
    )


def _lasting(options: argparse.Namespace) -> tuple[str, ...]:
    """The options that hold for the next start of this engine as well."""
    lasting = [f"--log-level={options.log_level}"]
    for name in ("bind", "name", "impair", "limit"):
        if value := getattr(options, name):
            lasting.append(f"--{name}={value}")
    return tuple(lasting)


def _print_unit(argv: Sequence[str], options: argparse.Namespace) -> int:
    from chatnet_engine.systemd_unit import unit_text

    mine = ("-d", "--daemon", "--print-unit", *ONCE)
    arguments = [word for word in argv if word not in mine]
    command = [sys.executable, "-P", "-m", "chatnet_engine", *arguments, "--kept-by", "systemd"]
    home = os.environ.get("CHATNET_HOME")
    environment = [("CHATNET_HOME", os.path.abspath(home))] if home else []
    sys.stdout.write(unit_text(options.session or str(options.local_port), command, environment))
    return ExitStatus.DONE


def _start_in_background(argv: Sequence[str], options: argparse.Namespace) -> int:
    from chatnet_engine.io.background import start_in_background
    from chatnet_engine.io.session import default_home

    name = options.session or (str(options.local_port) if options.local_port else "")
    try:
        folder = session_dir(default_home(os.environ), name) if name else ""
    except CommandError as error:
        _say(error.detail)
        return ExitStatus.USAGE
    arguments = [word for word in argv if word not in ("-d", "--daemon")]
    status, sentence = start_in_background(arguments, folder)
    if sentence:
        _say(sentence)
    return status


def _leave_terminal(log_fd: int) -> None:
    """Nobody reads what this process prints from here on."""
    os.chdir("/")
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)


def _tell(report: StartReport, kind: str, sentence: str) -> None:
    if report.is_wanted:
        report.send(kind, sentence)
    else:
        _say(sentence)


def _say(sentence: str) -> None:
    try:
        sys.stderr.write(sentence + "\n")
    except (OSError, ValueError):
        # Nobody is there to read it.
        pass
