"""Which gauge is news, and that no list of them grows for ever."""

from chatnet_client.gauges import MAX_GAUGES, NewestGauges
from chatnet_protocol.ipc.events import TransferGauge


def gauge(number: int, revision: int) -> TransferGauge:
    return TransferGauge(number.to_bytes(16, "big"), 1, revision, 0, 0.0)


def test_an_older_gauge_is_no_news_until_another_boot() -> None:
    newest = NewestGauges()
    assert newest.handle(gauge(1, 2))
    assert not newest.handle(gauge(1, 2))
    assert not newest.handle(gauge(1, 1))
    assert newest.handle(gauge(2, 1))
    newest.clear()
    assert newest.handle(gauge(1, 1))


def test_the_oldest_are_forgotten() -> None:
    newest = NewestGauges()
    for number in range(MAX_GAUGES + 1):
        assert newest.handle(gauge(number, 5))
    assert newest.handle(gauge(0, 5)), "forgotten"
    assert not newest.handle(gauge(MAX_GAUGES, 5))
