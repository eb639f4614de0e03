"""How numbers are written, the same in every front end: `12%`, `31 ms`, `loss 0.4%`. Pure."""

from collections.abc import Mapping

from chatnet_client.words import size_words


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


def rate_words(bytes_s: float) -> str:
    """Bytes a second: `5.0 MB/s`; empty for 0."""
    return f"{size_words(bytes_s)}/s" if bytes_s else ""


def limit_words(bytes_s: int) -> str:
    """How fast files may move; 0: there is no limit."""
    if not bytes_s:
        return "files move as fast as they can"
    return f"files move at {rate_words(bytes_s)} at most in each direction"


def gauge_words(gauge: Mapping[str, object]) -> list[str]:
    """The numbers of a link that is up, by the names of `LinkGauge`; what is not known is left
    out, and so is what is usual."""

    def number(name: str) -> float:
        value = gauge.get(name)
        return float(value) if isinstance(value, int | float) else 0.0

    words = []
    if rtt_ms := number("rtt_ms"):
        words.append(f"RTT {rtt_words(rtt_ms)}")
    if "loss" in gauge:
        lost_in = percent_words(number("loss_in"))
        words.append(f"{loss_words(number('loss'))} out, {lost_in} in")
    if burst_ms := number("burst_ms"):
        words.append(f"bursts of {rtt_words(burst_ms)}")
    if copies := int(number("copies")):
        words.append(f"{copies} {'copies' if copies > 1 else 'copy'} of each message")
    if rate_bytes_s := number("path_rate_bytes_s"):
        words.append(f"path {size_words(rate_bytes_s)}/s, queue {rtt_words(number('queue_ms'))}")
    if mtu_bytes := int(number("mtu_bytes")):
        words.append(f"datagrams up to {mtu_bytes} B")
    return words
