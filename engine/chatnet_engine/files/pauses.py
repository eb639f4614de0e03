"""Owns the pauses of one transfer: after deaths of the file process, and between two dials."""

DEATHS_WITHOUT_PAUSE = 2
MAX_DEATH_PAUSE_S = 60.0
"""A job that the file process dies of again and again must not keep everybody's transfers still."""

MIN_DIAL_INTERVAL_S, MAX_DIAL_INTERVAL_S = 0.2, 10.0
"""Between two dials of one transfer, however often the sender asks; doubles while they fail."""


class DeathPause:
    """Deaths of the file process while it had this job, since something was achieved."""

    def __init__(self) -> None:
        self._deaths = 0

    def achieved(self) -> None:
        """The job is not what it dies of."""
        self._deaths = 0

    def died(self) -> float:
        """Once more: seconds without a job."""
        self._deaths += 1
        over = self._deaths - DEATHS_WITHOUT_PAUSE
        return min(MAX_DEATH_PAUSE_S, 2.0 ** (over - 1)) if over > 0 else 0.0


class DialPause:
    """When the next connection may be tried."""

    def __init__(self) -> None:
        self.next_s = 0.0
        self._interval_s = MIN_DIAL_INTERVAL_S

    def reset(self) -> None:
        """Bytes have moved."""
        self._interval_s = MIN_DIAL_INTERVAL_S

    def lengthen(self) -> None:
        """It failed."""
        self._interval_s = min(MAX_DIAL_INTERVAL_S, self._interval_s * 2)

    def take(self, now_s: float) -> float:
        """When the next one is to be tried; the one after it, a pause later."""
        start_s = max(now_s, self.next_s)
        self.next_s = start_s + self._interval_s
        return start_s
