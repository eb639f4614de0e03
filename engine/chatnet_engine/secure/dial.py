"""The wish to be connected to a peer, and when its next INIT goes out. Sends nothing itself."""

from collections.abc import Sequence

from chatnet_engine.secure.admission import mac1_key
from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.events import Addr

_NEVER = float("inf")


class Dial:
    """The wish to be connected: addresses, pinned key, secret of an invite."""

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


class Cadence:
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

    def pause(self, until: float) -> None:
        """Nothing before `until`, then from the beginning."""
        self.restart(until)

    def sent(self, now: float, jitter: int) -> None:
        """An INIT went out; `jitter` is a random byte that shortens the pause by up to 25 %."""
        config = self._config
        step = self._tries - len(config.init_repeat_s)
        if step < 0:
            pause = config.init_repeat_s[self._tries]
        elif self.urgent:
            pause = config.urgent_s
        elif now - self._since < config.idle_after_s:
            pause = min(config.idle_s, config.urgent_s * 2 ** min(step, 8))
        else:
            pause = config.slow_s
        self._tries += 1
        self.last_sent = now
        self.next_at = now + pause * (1 - jitter / 1024)

    def set_urgent(self, urgent: bool) -> None:
        """Something waits: no pause is longer than `urgent_s`, a pause asked for excepted."""
        if urgent and not self.urgent and self.last_sent + self._config.slow_s > self.next_at:
            self.next_at = min(self.next_at, self.last_sent + self._config.urgent_s)
        self.urgent = urgent
