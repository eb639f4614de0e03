"""Numbers about a link for people and tests."""

from msgspec import Struct


class ArqStats(Struct, frozen=True, kw_only=True):
    """A snapshot; counters run from the beginning of the link."""

    smoothed_rtt_s: float
    latest_rtt_s: float
    rtt_variation_s: float
    min_rtt_s: float
    window_bytes: int
    in_flight_bytes: int
    packets_sent: int
    packets_received: int
    duplicate_packets: int
    packets_lost: int
    packets_spurious: int
    """Declared lost, then acknowledged after all."""
    loss_rate: float
    """Moving average over packets, 0 … 1."""
    bursty: bool
    """Losses come in bursts."""
    burst_s: float
    """Mean length of a burst; 0 where losses do not come in bursts."""
    copies: int
    """Early copies of each small message that the line asks for."""
    pto_count: int
    """Probe timeouts since anything was acknowledged."""
    unreceipted_messages: int
    """Of channel 0, sent in full and not known to be committed: where it stays high on a quiet
    link, the peer acknowledges without committing."""
    resent_bytes: int
    """Message bytes put in a packet again, early copies included."""
    mtu_bytes: int
    """Largest datagram to the peer that is known to arrive."""
    rate_bytes_per_s: float
    """What the path is believed to carry; 0 where nothing was long enough to say."""
    queue_s: float
    """What packets wait in the queue of the path."""
    black_hole: bool
    """The path drops large packets (a black hole, RFC 8899); small ones are used."""
    duplicate_messages: int
    """Messages that arrived more than once."""
