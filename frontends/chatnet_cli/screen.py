"""The terminal that the chat writes to. Writing there never fails.

prompt_toolkit survives no error of its output: a redraw that raises leaves it waiting for ever, and
its report of the error is written to the same output, which fails again.
"""

from collections.abc import Callable
from typing import Any, Self, TextIO

from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output


class Screen(Vt100_Output):
    """Once nobody is at the other end (EIO after a hang-up), what is written goes nowhere."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.on_gone: Callable[[], None] = lambda: None
        """Called once, when writing has failed."""
        self._is_gone = False

    @classmethod
    def of(cls, stdout: TextIO, term: str | None) -> Self:
        """That of a real terminal."""
        screen = cls.from_pty(stdout, term, default_color_depth=ColorDepth.from_env())
        assert isinstance(screen, cls)
        return screen

    def flush(self) -> None:
        """Write what is pending."""
        try:
            super().flush()
        except OSError:
            if not self._is_gone:
                self._is_gone = True
                self.on_gone()
