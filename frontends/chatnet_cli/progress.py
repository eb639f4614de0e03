"""One line on a terminal that is written over; nothing where there is no terminal."""

from chatnet_cli.environment import Environment


class ProgressLine:
    """Shown on stderr, beside the results."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._shown = ""

    def show(self, line: str) -> None:
        """Draw the line anew if it changed, as far as it fits."""
        line = line[: self._env.width() - 1]
        if self._env.stderr_is_tty and line != self._shown:
            self._env.stderr.write(f"\r\x1b[K{line}")
            self._env.stderr.flush()
            self._shown = line

    def end(self) -> None:
        """Leave the last line standing."""
        if self._shown:
            self._env.say("")
            self._shown = ""
