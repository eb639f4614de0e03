"""The command line in this process, with strings for streams."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

from chatnet_cli import app
from chatnet_cli.environment import Environment


class Replaced(BaseException):
    """The process would now be another program."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = list(command)


class Shell:
    """Runs `chatnet ...` in this process; `out` and `err` are what the last run printed."""

    def __init__(self, home: Path) -> None:
        self.environ = {"CHATNET_HOME": str(home), "HOME": str(home)}
        self.out = ""
        self.err = ""
        self.stdin_is_tty = False
        self.stderr_is_tty = False
        self.stdout: io.StringIO | None = None
        self.input_encoding = "utf-8"

    def run(self, *words: str, stdin: str | TextIO = "") -> int:
        """The exit code of these words."""
        stdout, stderr = self.stdout or io.StringIO(), io.StringIO()
        env = Environment(
            stdin=io.StringIO(stdin) if isinstance(stdin, str) else stdin,
            stdout=stdout,
            stderr=stderr,
            environ=self.environ,
            stdin_is_tty=self.stdin_is_tty,
            stdout_is_tty=False,
            stderr_is_tty=self.stderr_is_tty,
            wall_ms=lambda: 0,
            replace_process=replace_process,
            width=lambda: 80,
            input_encoding=self.input_encoding,
        )
        try:
            return app.run(words, env)
        finally:
            self.out, self.err = stdout.getvalue(), stderr.getvalue()

    def objects(self) -> list[dict[str, Any]]:
        """What was printed as JSON, an object a line."""
        return [json.loads(line) for line in self.out.splitlines()]


def replace_process(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """In place of `exec`."""
    raise Replaced(command)
