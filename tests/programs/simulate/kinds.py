"""What kind of world a seed has: how machines keep up, how much fits a link, what people do."""

from dataclasses import dataclass
from random import Random

from chatnet_engine.arq.config import ArqConfig
from chatnet_protocol.limits import MAX_TEXT_BYTES, RECEIVE_WINDOW_BYTES
from simworld.engine import COMMIT_S

PLAIN_SHARE = 0.4
"""Of all seeds: one datagram a turn, the specified windows, quick disks, settled people."""
TURN_S = (0.001, 0.005, 0.02, 0.05, 0.2)
WINDOW_BYTES = (4_096, 8_192, 16_384)
SLOW_COMMIT_S = ((0.02, 0.2), (0.1, 1.0), (0.5, 4.0))


@dataclass(frozen=True, slots=True)
class Kind:
    """One world; the defaults are the plain one."""

    turn_s: float = 0.0
    """What arrives within this is taken in one turn; 0: each thing is a turn of its own."""
    window_bytes: int = RECEIVE_WINDOW_BYTES
    commit_s: tuple[float, float] = COMMIT_S
    hostile: bool = False
    """Somebody with a right key sends what he likes."""
    peers_change: bool = False
    """People add, trust and remove each other."""
    bugs: bool = False
    """Handling something raises now and then, and is contained."""
    calm: bool = False
    """Nothing else goes wrong."""

    @property
    def plain(self) -> bool:
        """Whether it is the plain one."""
        return self == Kind()

    @property
    def arq(self) -> ArqConfig:
        """What links are built with."""
        return ArqConfig(window_bytes=self.window_bytes, bulk_window_bytes=4 * self.window_bytes)

    @property
    def small_windows(self) -> bool:
        """Whether the longest messages, and pages of a restore, do not fit a link."""
        return self.window_bytes < RECEIVE_WINDOW_BYTES

    @property
    def slow_store(self) -> bool:
        """Whether a commit takes many turns."""
        return self.commit_s != COMMIT_S

    @property
    def longest_text(self) -> int:
        """In bytes."""
        return 1_000 if self.small_windows else MAX_TEXT_BYTES

    def __str__(self) -> str:
        if self.plain:
            return "plain"
        turns = f"turns of {self.turn_s * 1000:.0f} ms" if self.turn_s else ""
        window = f"windows of {self.window_bytes // 1024} KiB" if self.small_windows else ""
        slow = f"commits of up to {self.commit_s[1]} s" if self.slow_store else ""
        hostile = "somebody hostile" if self.hostile else ""
        calm = "nothing else is wrong" if self.calm else ""
        bugs = "engines with bugs" if self.bugs else ""
        change = "people change peers" if self.peers_change else ""
        return ", ".join(filter(None, (turns, window, slow, hostile, change, bugs, calm)))


def kind_of(seed: int) -> Kind:
    """The kind of world that a seed has."""
    random = Random(f"kind {seed}")
    if random.random() < PLAIN_SHARE:
        return Kind()
    while True:
        turn_s = random.choice(TURN_S) if random.random() < 0.8 else 0.0
        window_bytes = random.choice(WINDOW_BYTES) if random.random() < 0.5 else 0
        slow = random.random() < 0.4
        hostile = random.random() < 0.3
        peers_change = not hostile and random.random() < 0.5
        kind = Kind(
            turn_s=turn_s,
            window_bytes=window_bytes or RECEIVE_WINDOW_BYTES,
            commit_s=random.choice(SLOW_COMMIT_S) if slow else COMMIT_S,
            hostile=hostile,
            peers_change=peers_change,
            bugs=not hostile and not peers_change and random.random() < 0.4,
            calm=hostile and random.random() < 0.4,
        )
        if not kind.plain:
            return kind
