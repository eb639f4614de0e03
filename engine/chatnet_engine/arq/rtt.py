"""Round-trip estimation, RFC 9002 section 5. Every packet number is used once, so every sample is
clean (Karn's ambiguity cannot arise)."""

from chatnet_engine.arq.config import ArqConfig


class RttEstimator:
    """Smoothed round-trip time, its variation, and the least ever seen."""

    __slots__ = ("_config", "latest_s", "min_s", "samples", "smoothed_s", "variation_s")

    def __init__(self, config: ArqConfig) -> None:
        self._config = config
        self.smoothed_s = config.initial_rtt_s
        self.variation_s = config.initial_rtt_s / 2
        self.latest_s = 0.0
        self.min_s = 0.0
        self.samples = 0

    def assume(self, rtt_s: float) -> None:
        """A round trip of before the first packet (RFC 9002 section 6.2.2); it may be too short,
        which costs a probe, and the first sample replaces it."""
        if not self.samples:
            bound_s = self._config.initial_rtt_s
            self.smoothed_s = min(max(rtt_s, self._config.least_assumed_rtt_s), bound_s)
            self.variation_s = self.smoothed_s / 2

    def add(self, sample_s: float, ack_delay_s: float) -> None:
        """One round trip of `sample_s`, of which the peer held the ACK for `ack_delay_s`.

        The delay is not limited as in RFC 9002 section 5.3: an ACK that repeats a lost one, or
        waited for a packet to be sent in, is as late as it claims. A peer that claims too much
        only gets probes too early, and never below the least round trip.
        """
        sample_s = min(max(sample_s, 0.0), self._config.max_rtt_sample_s)
        self.latest_s = sample_s
        self.samples += 1
        if self.samples == 1:
            self.min_s = self.smoothed_s = sample_s
            self.variation_s = sample_s / 2
            return
        self.min_s = min(self.min_s, sample_s)
        adjusted_s = sample_s - ack_delay_s
        if adjusted_s >= self.min_s - self._config.granularity_s:
            self.latest_s = sample_s = max(adjusted_s, self.min_s)
        self.variation_s += (abs(self.smoothed_s - sample_s) - self.variation_s) / 4
        self.smoothed_s += (sample_s - self.smoothed_s) / 8

    def probe_timeout_s(self) -> float:
        """PTO without back-off, RFC 9002 section 6.2.1."""
        spread_s = max(4 * self.variation_s, self._config.granularity_s)
        return self.smoothed_s + spread_s + self._config.max_ack_delay_s
