"""Decides when an engine that died is started again, and when no more. Pure.

Imports next to nothing: the process that uses it stays beside every engine.
"""

import signal

FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 10.0
QUICK_DEATH_S = 10.0
"""Only an engine that lived for less than this doubles the pause before the next start."""
CALM_LIFE_S = 60.0
"""After a life of this length the pause is FIRST_PAUSE_S again."""
MAX_DEATHS = 5
DEATHS_WINDOW_S = 60.0
"""MAX_DEATHS within this time, and the engine is not started again."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""An engine that ends by one of these, or exits with 0, was stopped by its user."""
EXIT_CRASHED = 70
"""The engine's exit code after an internal error (EX_SOFTWARE of sysexits.h)."""


class RestartPolicy:
    """One engine's deaths. `now_s`: seconds of a clock that does not go back."""

    def __init__(self) -> None:
        self.restarts = 0
        self._started_s = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._deaths: list[float] = []

    def handle_start(self, now_s: float) -> None:
        """The engine is being started."""
        self._started_s = now_s

    def handle_death(self, now_s: float) -> float | None:
        """The engine died; seconds until the next start, or None: not again."""
        life_s = now_s - self._started_s
        if life_s >= CALM_LIFE_S:
            self._pause_s = FIRST_PAUSE_S
        self._deaths = [death_s for death_s in self._deaths if now_s - death_s < DEATHS_WINDOW_S]
        self._deaths.append(now_s)
        if len(self._deaths) >= MAX_DEATHS:
            return None
        self.restarts += 1
        pause_s = self._pause_s
        if life_s < QUICK_DEATH_S:
            self._pause_s = min(2 * pause_s, MAX_PAUSE_S)
        return pause_s


def is_stop(exit_code: int) -> bool:
    """Whether an engine that ended so was stopped by its user; negative: minus the signal."""
    return exit_code == 0 or -exit_code in STOP_SIGNALS


def cause_of(exit_code: int) -> str:
    """Why it died, for programs and people: `SIGKILL`, `internal-error`, `exit-3`."""
    if exit_code == EXIT_CRASHED:
        return "internal-error"
    if exit_code >= 0:
        return f"exit-{exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal-{-exit_code}"
