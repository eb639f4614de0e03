"""How numbers are written, the same in every front end: `12%`, `31 ms`, `loss 0.4%`. Pure."""


def percent_words(share: float) -> str:
    """A fraction 0 … 1 as `0%`, `0.4%`, `12%`: one decimal below 10 %, unless it is zero."""
    percent = 100 * share
    return f"{percent:.1f}%" if 0.05 <= percent < 9.95 else f"{percent:.0f}%"


def rtt_words(rtt_ms: float) -> str:
    """A round-trip time: `0.4 ms`, `31 ms`."""
    return f"{rtt_ms:.1f} ms" if rtt_ms < 9.95 else f"{rtt_ms:.0f} ms"


def loss_words(loss: float) -> str:
    """The fraction of packets lost: `loss 2%`."""
    return f"loss {percent_words(loss)}"
