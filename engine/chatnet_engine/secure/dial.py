"""The dialling of one peer: its targets, and when INIT and FIN are sent again. Sends nothing
itself."""

from collections.abc import Sequence

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.admission import mac1_key
from chatnet_engine.secure.config import SecureConfig

_NEVER = float("inf")


class Dial:
    """What to dial: addresses, pinned key, secret of an invite."""

    __slots__ = ("addrs", "mac1_key", "psk", "remote_key")

    def __init__(self, addrs: Sequence[Addr], remote_key: bytes | None, psk: bytes | None) -> None:
        self.addrs = tuple(addrs)
        self.remote_key = remote_key
        self.psk = psk
        self.mac1_key = mac1_key(remote_key)

    def equals(self, other: "Dial") -> bool:
        """Whether both want the same."""
        mine = (self.addrs, self.remote_key, self.psk)
        return mine == (other.addrs, other.remote_key, other.psk)


def first_repeat_s(config: SecureConfig, rtt_s: float) -> float:
    """The pause before INIT or FIN is repeated for the first time; `rtt_s`: what a round trip
    took lately, 0 if that is not known."""
    if not rtt_s:
        return config.first_repeat_s
    pause_s = config.first_repeat_rtts * rtt_s
    return min(max(pause_s, config.least_first_repeat_s), config.most_first_repeat_s)


class InitSchedule:
    """When the next INIT goes out."""

    __slots__ = ("_config", "_pause", "_since", "last_sent", "next_at", "urgent")

    def __init__(self, config: SecureConfig, now: float) -> None:
        self._config = config
        self.urgent = False
        self.last_sent = -_NEVER
        self.restart(now)

    def restart(self, now: float) -> None:
        """Begin anew, with an INIT at once."""
        self._since = now
        self._pause = 0.0
        self.next_at = now

    def sent(self, now: float, jitter: int, *, urgent: bool, first_s: float) -> None:
        """An INIT went out, the second follows after `first_s`; `jitter` is a random byte that
        shortens the pause by up to 25 %."""
        config = self._config
        waits = urgent or self.urgent
        is_first = not self._pause
        pause = self._pause or first_s
        if not waits and now - self._since >= config.idle_after_s:
            pause = config.slow_s
        else:
            pause = min(pause, config.urgent_s if waits else config.idle_s)
        self._pause = pause if is_first else 2 * pause
        self.last_sent = now
        self.next_at = now + pause * (1 - jitter / 1024)

    def set_urgent(self, urgent: bool) -> None:
        """Something waits: no pause is longer than `urgent_s`."""
        if urgent and self._pause:
            self.next_at = min(self.next_at, self.last_sent + self._config.urgent_s)
        self.urgent = urgent


class FinRepeat:
    """The repetitions of one FIN until it is confirmed."""

    __slots__ = ("_config", "_ends_at", "_pause", "addr", "next_at", "sent_at")

    def __init__(self, config: SecureConfig) -> None:
        self._config = config
        self.stop()

    @property
    def running(self) -> bool:
        """Whether repetitions are still to come."""
        return self.next_at < _NEVER

    def start(self, addr: Addr, now: float, first_s: float) -> None:
        """The first FIN goes to `addr` now, the second after `first_s`."""
        self.addr: Addr | None = addr
        self.sent_at = now
        self._ends_at = now + self._config.fin_repeat_s
        self._pause = first_s
        self.next_at = now + first_s

    def stop(self) -> None:
        """Confirmed or obsolete."""
        self.addr = None
        self.sent_at = -_NEVER
        self.next_at = _NEVER

    def give_up(self) -> None:
        """Something else is tried; FIN still goes in front of DATA."""
        self.next_at = _NEVER

    def advance(self, now: float) -> bool:
        """A repetition is due; False when it was the last pause and nothing more is to be sent."""
        if now >= self._ends_at:
            self.give_up()
            return False
        self._pause = min(2 * self._pause, self._config.fin_pause_s)
        self.sent_at = now
        self.next_at = now + self._pause
        return True

    def in_front(self, now: float) -> bool:
        """Whether FIN goes in front of a DATA that is sealed now; counts as sent if so."""
        if self.addr is None or now < self.sent_at + self._config.fin_in_front_s:
            return False
        self.sent_at = now
        return True
