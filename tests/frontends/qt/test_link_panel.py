"""The link in numbers and plots: what the engine says, sampled only while somebody looks."""

import msgspec
import pytest

from chatnet_protocol.ipc.events import LinkGauge
from chatnet_qt.plot import POINTS, Plot, scale_above
from chatnet_qt.qt import QApplication, QLabel, Qt, present
from qtworld import MakeStage, Stage, peer_view, session_view


def gauge(peer: int = 1, rtt_ms: float = 12.4) -> LinkGauge:
    return LinkGauge(peer, 1, rtt_ms, 1.8, 0.008, 10**6, 1_400_000, 41_208, 39_977, 12, 500, 4, 2)


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    view = session_view(peer_view(), peer_view(2, name="Carol"))
    stage = make_stage(view, size=(1280, 700))
    stage.client.gauge(gauge())
    stage.pane.header.activity.click()
    stage.settle()
    return stage


def test_numbers_are_said_plotted_and_copied(stage: Stage) -> None:
    panel = stage.window.right.panel
    assert panel.isVisible()
    panel.sample()
    assert panel.plots[0].values[-1] == 12.4
    panel.copy.click()
    lines = present(QApplication.clipboard()).text().splitlines()
    assert lines[0] == "Link to Bob"
    assert "Round trip: 12 ms ± 1.8" in lines
    assert "Loss, out: 0.8%" in lines
    assert "Queue: 2 messages" in lines
    assert "Packets: 41,208 / 39,977" in lines


def test_the_path_is_described_in_both_directions(stage: Stage) -> None:
    facts = gauge()
    bursty = msgspec.structs.replace(
        facts, revision=2, loss_in=0.03, bursty=True, burst_ms=40.0, copies=2,
        path_rate_bytes_s=1_300_000.0, queue_ms=18.0, mtu_bytes=1452,
    )  # fmt: skip
    stage.client.gauge(bursty)
    stage.settle()
    panel = stage.window.right.panel
    panel.sample()
    lines = panel.as_text().splitlines()
    for line in (
        "Loss, in: 3.0%",
        "Path queue: 18 ms",
        "Loss: in bursts of 40 ms",
        "Copies: 2 of each small message",
        "Capacity: 1.3 MB/s",
        "Datagrams: up to 1,452 bytes",
    ):
        assert line in lines
    plot = next(plot for plot in panel.plots if plot.accessibleName().startswith("Loss, in"))
    assert plot.values[-1] == pytest.approx(3.0)


def test_it_follows_the_conversation_and_closes(stage: Stage) -> None:
    panel = stage.window.right.panel
    stage.window.show_peer(2)
    stage.settle()
    assert panel.title.text() == "Link to Carol"
    assert panel.plots[0].values == []
    assert stage.pane.header.activity.isChecked()
    panel.close_button.click()
    stage.settle()
    assert not panel.isVisible()
    assert not stage.pane.header.activity.isChecked()


def test_nothing_is_sampled_while_it_is_closed(stage: Stage) -> None:
    panel = stage.window.right.panel
    assert panel._timer.isActive()
    panel.close_button.click()
    assert not panel._timer.isActive()


def test_a_reader_learns_what_each_number_is(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    stage.window.attendants.menus.wanted.emit("link")
    stage.settle()
    labels = stage.window.right.panel.findChildren(QLabel)
    named = {name.buddy(): name.text() for name in labels if name.buddy() is not None}
    by_key = Qt.TextInteractionFlag.TextSelectableByKeyboard
    values = [shown for shown in labels if shown.textInteractionFlags() & by_key]
    assert len(values) > 8
    assert all(named.get(shown) for shown in values)


def test_in_a_narrow_window_it_has_the_room(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()), size=(480, 600))
    stage.window.attendants.menus.wanted.emit("link")
    stage.settle()
    assert stage.window.right.panel.isVisible()
    assert not stage.window.stack.isVisible()
    stage.window.right.panel.close_button.click()
    stage.settle()
    assert stage.window.stack.isVisible()


def test_a_plot_holds_a_minute_and_a_round_scale(app: QApplication) -> None:
    plot = Plot("x", "ms")
    for value in range(POINTS + 50):
        plot.add(value)
    assert plot.values == list(range(50, POINTS + 50))
    assert plot.grab().toImage().width() > 0
    assert [scale_above(value) for value in (0.9, 1.1, 30.0, 118e6)] == pytest.approx(
        [1, 2, 50, 200e6]
    )
