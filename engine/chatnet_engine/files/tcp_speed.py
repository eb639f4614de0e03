"""What TCP can be expected to carry over a line, to know when a bulk stream is the faster path."""

MSS = 1448
C = 0.4
BETA = 0.7
_CUBIC = (C * (3 + BETA) / (4 * (1 - BETA))) ** 0.25
FAST_BYTES_S = 8e6
"""What a bulk stream reaches on most lines: TCP that is this fast is left alone."""
MIN_LOSS = 0.003
"""A lower estimate may be a single packet, or the queue that a file itself fills."""


def cubic_bytes_s(rtt_s: float, loss: float) -> float:
    """Mean rate of CUBIC with random loss, as RFC 9438 has it (section 5.1, and 5.2's region in
    which it grows like Reno)."""
    cubic = _CUBIC * (rtt_s / loss) ** 0.75
    reno = (1.5 / loss) ** 0.5
    return float(max(cubic, reno) * MSS / rtt_s)


def is_slow(rtt_s: float, loss: float) -> bool:
    """Whether random loss makes TCP slower than a bulk stream, where the kernel has no BBR."""
    if loss < MIN_LOSS or not 0 < rtt_s < float("inf"):
        return False
    return cubic_bytes_s(rtt_s, loss) < FAST_BYTES_S
