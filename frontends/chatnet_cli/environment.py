"""Everything a verb may touch of the process around it, handed in so that tests can stand in."""

import enum
import os
import select
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn, TextIO

from chatnet_protocol.text import is_text, valid_text

DEFAULT_WIDTH = 80


class ExitStatus(enum.IntEnum):
    """The exit codes of `chatnet`."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NO_SESSION = 3
    TIMED_OUT = 4
    REFUSED = 5
    INTERRUPTED = 130


class UsageError(Exception):
    """The command line asks for something impossible; the text is one sentence."""


class Failure(Exception):
    """A verb cannot do what was asked: one sentence, and the exit code."""

    def __init__(self, text: str, status: ExitStatus = ExitStatus.FAILED) -> None:
        super().__init__(text)
        self.status = status


def replace_process(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Become another program; signals then meet it, not us."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], list(command), dict(environ))  # noqa: S606 - our own interpreter


def discard(stream: TextIO) -> None:
    """Whatever is still written there goes nowhere, what the interpreter flushes at its end too."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(null, stream.fileno())
        os.close(null)


def valid_input(text: str, encoding: str) -> str:
    """What was read as UTF-8 with surrogateescape, as valid text; see `Environment.read`."""
    if is_text(text):
        return text
    try:
        data = text.encode("utf-8", "surrogateescape")
        return valid_text(data.decode(encoding, "replace"))
    except (UnicodeError, LookupError):
        return valid_text(text)


@dataclass(frozen=True)
class Environment:
    """Streams, terminals, variables, clock, and how to become another program."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    environ: Mapping[str, str]
    stdin_is_tty: bool
    stdout_is_tty: bool
    stderr_is_tty: bool
    wall_ms: Callable[[], int]
    replace_process: Callable[[Sequence[str], Mapping[str, str]], NoReturn]
    width: Callable[[], int]
    input_encoding: str = "utf-8"
    """For input that is not UTF-8: what the locale says."""

    @classmethod
    def real(cls) -> "Environment":
        """That of this process."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                # What a terminal of another encoding cannot show is no reason to fail.
                stream.reconfigure(errors="replace")
        encoding = sys.stdin.encoding
        if hasattr(sys.stdin, "reconfigure"):
            # Read without loss; `valid_input` then decides what the bytes mean.
            sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
        return cls(
            stdin=sys.stdin,
            stdout=sys.stdout,
            stderr=sys.stderr,
            environ=os.environ,
            stdin_is_tty=sys.stdin.isatty(),
            stdout_is_tty=sys.stdout.isatty(),
            stderr_is_tty=sys.stderr.isatty(),
            wall_ms=lambda: time.time_ns() // 1_000_000,
            replace_process=replace_process,
            width=lambda: shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns,
            input_encoding=encoding,
        )

    def read(self, max_characters: int) -> str:
        """All of the standard input, as valid text, up to that many characters.

        Bytes that are not UTF-8 are taken for the locale's encoding, what that cannot decode
        either for U+FFFD.
        """
        return valid_input(self.stdin.read(max_characters), self.input_encoding)

    def read_line(self, max_characters: int) -> str:
        """The next line of the standard input, likewise; empty at its end."""
        return valid_input(self.stdin.readline(max_characters), self.input_encoding)

    def reader_is_gone(self) -> bool:
        """Whether nobody reads the results any more; writing is the only other way to notice."""
        try:
            poller = select.poll()
            poller.register(self.stdout.fileno(), 0)
            return any(flags & select.POLLERR for _, flags in poller.poll(0))
        except (OSError, ValueError):
            return False

    def out(self, line: str) -> None:
        """One line of results, flushed at once."""
        self.stdout.write(line + "\n")
        self.stdout.flush()

    def say(self, line: str) -> None:
        """One line beside the results."""
        self.stderr.write(line + "\n")
        self.stderr.flush()
