"""Constants of the retransmission machinery, each with where it comes from."""

from msgspec import Struct

from chatnet_protocol.limits import (
    BULK_RECEIVE_WINDOW_BYTES,
    DATA_HEADER_BYTES,
    MAX_MESSAGES_IN_WINDOW,
    MAX_PAYLOAD_BYTES,
    MOST_PAYLOAD_BYTES,
    RECEIVE_WINDOW_BYTES,
)


class ArqConfig(Struct, frozen=True, kw_only=True):
    """What a Connection may be built with; the defaults are the product's."""

    first_packet_number: int = 0
    max_payload_bytes: int = MAX_PAYLOAD_BYTES
    """Until path MTU discovery has found that more arrives."""
    most_payload_bytes: int = MOST_PAYLOAD_BYTES
    datagram_overhead_bytes: int = 2 * DATA_HEADER_BYTES
    """Header and AEAD tag, counted by congestion control."""

    window_bytes: int = RECEIVE_WINDOW_BYTES
    bulk_window_bytes: int = BULK_RECEIVE_WINDOW_BYTES
    window_messages: int = MAX_MESSAGES_IN_WINDOW

    initial_rtt_s: float = 0.333
    """RFC 9002 section 6.2.2. A shorter one of the handshake replaces it."""
    least_assumed_rtt_s: float = 0.05
    """However fast the handshake seemed: what was answered may have been repeated within a round
    trip. It costs a fresh link 0.1 s where its first packet is lost, and spares long paths a
    probe."""
    granularity_s: float = 0.001
    """RFC 9002 section 6.1.2."""
    max_ack_delay_s: float = 0.005
    """ACKs leave at the end of a turn of the pump; a probe timeout allows for this much more."""
    max_rtt_sample_s: float = 10.0
    """A suspended machine must not teach an estimate of hours."""
    packet_threshold: int = 3
    time_threshold: float = 9 / 8
    """RFC 9002 section 6.1; both grow with the reordering that is seen."""
    max_packet_threshold: int = 256
    max_time_threshold: float = 2.0
    max_pto_s: float = 2.0
    """Longest interval between probes while anything is unacknowledged."""
    keepalive_s: float = 9.0
    """The side that leads sends a PING after this long without sending, at the next multiple of
    `keepalive_tick_s`. The ACK keeps the other direction alive."""
    keepalive_tick_s: float = 0.5
    """A wake-up for this alone costs as much as five PINGs."""
    keepalive_other_s: float = 9.75
    """The other side does so, at the next TICK_S: within 10 s, and later than an ACK takes on most
    paths, so that one PING serves both."""

    congestion: str = "path model"
    """Key of `sender.CONTROLLERS`; "illinois" is the control that measurements compare with."""
    initial_window_packets: int = 10
    """RFC 9002 section 7.2."""
    min_window_packets: int = 8
    """Two in RFC 9002; eight carry a burst of text and its copies on a line that loses a fifth."""

    def window_of(self, channel: int) -> int:
        """Bytes of a channel that may be sent and not receipted."""
        return self.bulk_window_bytes if channel else self.window_bytes
