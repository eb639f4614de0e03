"""Progress and its gauges."""

import pytest

from chatnet_engine.files.progress import Progress
from chatnet_protocol.limits import GAUGE_INTERVAL_S

ID = bytes(16)


def test_a_gauge_tells_news_and_not_too_often() -> None:
    progress = Progress(100)
    assert progress.take_gauge(ID, 1, 0.0) is None
    progress.measure(200, 1.0)
    gauge = progress.take_gauge(ID, 1, 1.0)
    assert gauge is not None
    assert (gauge.id, gauge.peer, gauge.revision, gauge.done_bytes) == (ID, 1, 1, 200)
    progress.measure(300, 1.1)
    assert progress.take_gauge(ID, 1, 1.0 + GAUGE_INTERVAL_S / 2) is None
    later = progress.take_gauge(ID, 1, 1.0 + GAUGE_INTERVAL_S)
    assert later is not None
    assert (later.revision, later.done_bytes) == (2, 300)


def test_the_rate_follows_and_starts_afresh_after_a_halt() -> None:
    progress = Progress(0)
    for second in range(20):
        progress.measure(second * 1000, float(second))
    gauge = progress.take_gauge(ID, 1, 20.0)
    assert gauge is not None
    assert gauge.rate_bytes_s == pytest.approx(1000)
    progress.halt()
    progress.measure(20_000, 5000.0)
    progress.measure(25_000, 5001.0)
    gauge = progress.take_gauge(ID, 1, 5001.0)
    assert gauge is not None
    assert gauge.rate_bytes_s == pytest.approx(5000)


def test_a_file_that_starts_over_has_no_negative_rate() -> None:
    progress = Progress(0)
    progress.measure(5000, 1.0)
    progress.measure(0, 2.0)
    gauge = progress.take_gauge(ID, 1, 2.0)
    assert gauge is None or gauge.rate_bytes_s == 0
    progress.measure(10, 2.0)
    gauge = progress.take_gauge(ID, 1, 2.0)
    assert gauge is not None
    assert gauge.rate_bytes_s == 0
