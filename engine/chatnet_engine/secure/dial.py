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


class InitSchedule:
    """When the next INIT goes out."""

    __slots__ = ("_config", "_since", "_tries", "last_sent", "next_at", "urgent")

    def __init__(self, config: SecureConfig, now: float) -> None:
        self._config = config
        self.urgent = False
        self.last_sent = -_NEVER
        self.restart(now)

    def restart(self, now: float) -> None:
        """Begin anew, with an INIT at once."""
        self._since = now
        self._tries = 0
        self.next_at = now

    def sent(self, now: float, jitter: int, *, urgent: bool) -> None:
        """An INIT went out; `jitter` is a random byte that shortens the pause by up to 25 %."""
        config = self._config
        step = self._tries - len(config.init_repeat_s)
        if step < 0:
            pause = config.init_repeat_s[self._tries]
        elif urgent or self.urgent:
            pause = config.urgent_s
        elif now - self._since < config.idle_after_s:
            pause = min(config.idle_s, config.urgent_s * 2 ** min(step, 8))
        else:
            pause = config.slow_s
        self._tries += 1
        self.last_sent = now
        self.next_at = now + pause * (1 - jitter / 1024)

    def set_urgent(self, urgent: bool) -> None:
        """Something waits: no pause is longer than `urgent_s`."""
        if urgent and self._tries:
            self.next_at = min(self.next_at, self.last_sent + self._config.urgent_s)
        self.urgent = urgent


class FinRepeat:
    """The repetitions of one FIN until it is confirmed."""

    __slots__ = ("_config", "_step", "addr", "next_at", "sent_at")

    def __init__(self, config: SecureConfig) -> None:
        self._config = config
        self.stop()

    @property
    def running(self) -> bool:
        """Whether repetitions are still to come."""
        return self.next_at < _NEVER

    def start(self, addr: Addr, now: float) -> None:
        """The first FIN goes to `addr` now."""
        self.addr: Addr | None = addr
        self.sent_at = now
        self._step = 0
        self.next_at = now + self._pause()

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
        if self._step >= len(self._config.fin_repeat_s):
            self.give_up()
            return False
        self._step += 1
        self.sent_at = now
        self.next_at = now + self._pause()
        return True

    def in_front(self, now: float) -> bool:
        """Whether FIN goes in front of a DATA that is sealed now; counts as sent if so."""
        if self.addr is None or now < self.sent_at + self._config.fin_in_front_s:
            return False
        self.sent_at = now
        return True

    def _pause(self) -> float:
        pauses = self._config.fin_repeat_s
        if not pauses:
            return self._config.urgent_s
        return pauses[min(self._step, len(pauses) - 1)]
