"""Whether somebody else keeps the queue of the path full, and how to share the path with them.

Owns that verdict. A sender that gives way to every queue finds it empty now and then, unless
another one fills it: then the queue stays, however little we send. From there on the model competes
with BBRv1's gains and window (draft-cardwell-iccrg-bbr-congestion-control-00) until it sees the
queue empty again, which is how Copa (Arun and Balakrishnan, NSDI 2018) leaves its competitive mode.

Who begins second does not know what the whole path carries, so a larger window is used until it
stops bringing more. A rival that halves at losses (CUBIC) is starved by that, and gets a smaller
window of ours. Beside BBR it is the smaller window that starves, and the losses of both look alike:
so it is tried after the growth, and taken back where it costs more than the half.
"""

RIVAL_ROUNDS = 12
"""Rounds without an empty queue that give a rival away: almost two cycles of our own probes."""
AGAIN_ROUNDS = 6
"""The same within `REMEMBERED_S` of the last rival, who may only have paused."""
REMEMBERED_S = 10.0
ALONE_ROUNDS = 5
ALONE_S = 0.4
"""An empty queue for both ends the competition. BBR empties it for 0.2 s to measure its path."""
WINDOW_GAIN = 2.0
"""Contents of the empty path in flight while competing, BBRv1."""
YIELDING_WINDOW_GAIN = 1.6
"""The same beside a rival that halves at losses (CUBIC, NewReno): twice would starve it."""
GROWING_WINDOW_GAIN = 2.5
"""The same until it has stopped bringing more, and with less than a share of what the path is known
to carry."""
GROWTH = 1.1
GROWTH_ROUNDS = 30
"""It has stopped bringing more when so many rounds brought no tenth."""
LOSS_GAIN = 1 / 64
RARE_LOSSES = (0.005, 0.3)
"""The part of rounds with a loss that such a rival brings about; BBR brings about more, or none."""
FAIR_SHARE = 0.45
"""A little less than half of the highest rate seen: below it no consideration is due."""
TOP_DECAY = 0.9995
"""Of the highest rate, per round: a path that got slower is believed after a minute or so."""


class Rivals:
    """The verdict; fed once a round trip."""

    def __init__(self) -> None:
        self.competing = False
        self.window_gain = WINDOW_GAIN
        self._round = 0
        self._emptied_at_round = 0
        self._empty_rounds = 0
        self._empty_since = 0.0
        self._remembered_until = float("-inf")
        self._rate_beside = 0.0
        self._loss_rounds = 0.0
        self._top_rate = 0.0
        self._yields = False
        self._grown_rate = 0.0
        self._grown_at_round = 0

    def note_rate(self, rate: float) -> None:
        """What the path was believed to deliver in the last round, those of startup included."""
        self._top_rate = max(self._top_rate * TOP_DECAY, rate)

    def on_round(self, empty: bool, lost: bool, rate: float, now: float) -> float:
        """A round trip has passed: was the queue empty in it, was anything lost, and what does the
        path deliver? Returns the rate to begin a competition with, or 0."""
        self._round += 1
        if not self.competing:
            return self._look_for_one(empty, rate, now)
        self._loss_rounds += LOSS_GAIN * (lost - self._loss_rounds)
        self._choose_window(rate)
        if not empty:
            self._empty_rounds = 0
            return 0.0
        if not self._empty_rounds:
            self._empty_since = now
        self._empty_rounds += 1
        if self._empty_rounds >= ALONE_ROUNDS and now - self._empty_since >= ALONE_S:
            self.leave(rate, now)
        return 0.0

    def leave(self, rate: float, now: float) -> None:
        """The rival seems gone; `rate` is what there was beside it."""
        if self.competing:
            self.competing = False
            self._emptied_at_round = self._round
            self._rate_beside = rate
            self._remembered_until = now + REMEMBERED_S

    def _choose_window(self, rate: float) -> None:
        if rate >= GROWTH * self._grown_rate:
            self._grown_rate, self._grown_at_round = rate, self._round
        grown = self._round - self._grown_at_round >= GROWTH_ROUNDS
        least, most = RARE_LOSSES
        if rate < FAIR_SHARE * self._top_rate:
            if self._yields:
                self._begin_to_grow(rate)
            self.window_gain = GROWING_WINDOW_GAIN
        elif not least <= self._loss_rounds <= most:
            self._yields = False
            self.window_gain = WINDOW_GAIN if grown else GROWING_WINDOW_GAIN
        else:
            self._yields = self._yields or grown
            self.window_gain = YIELDING_WINDOW_GAIN if self._yields else GROWING_WINDOW_GAIN

    def _begin_to_grow(self, rate: float) -> None:
        self._yields = False
        self._grown_rate, self._grown_at_round = rate, self._round

    def _look_for_one(self, empty: bool, rate: float, now: float) -> float:
        if empty:
            self._emptied_at_round = self._round
        again = now < self._remembered_until
        if self._round - self._emptied_at_round < (AGAIN_ROUNDS if again else RIVAL_ROUNDS):
            return 0.0
        self.competing = True
        self._empty_rounds = 0
        if not again:
            self._begin_to_grow(rate)
        return self._rate_beside if again else 0.0
