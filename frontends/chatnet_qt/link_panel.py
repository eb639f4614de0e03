"""The link to a peer in numbers and plots, beside the conversation; all of it can be copied."""

from collections.abc import Callable

from msgspec import Struct

from chatnet_client.words import size_words
from chatnet_client.words.numbers import percent_words, rtt_words
from chatnet_protocol.ipc.events import LinkGauge
from chatnet_protocol.ipc.rows import LinkState, TransferState
from chatnet_qt.clipboard import copy
from chatnet_qt.controls import IconButton, Line
from chatnet_qt.labels import ElidedLabel, label, label_of, selectable
from chatnet_qt.plot import INTERVAL_MS, Plot
from chatnet_qt.qt import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QHideEvent,
    QKeyEvent,
    QLabel,
    QPainter,
    QPaintEvent,
    QScrollArea,
    QShowEvent,
    Qt,
    QTimer,
    QVBoxLayout,
    QWidget,
    pyqtSignal,
)
from chatnet_qt.session import Session
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import PANEL, measures_of
from chatnet_qt.wording import link_words, moment_words, peer_name, shown_name


class Facts(Struct, frozen=True):
    """What is known of a link at one moment."""

    gauge: LinkGauge
    rate_bytes_s: float
    resent_bytes_s: float


class Series(Struct, frozen=True):
    """One row: its name, what is plotted and in which unit, and the value in words."""

    name: str
    unit: str
    value: Callable[[Facts], float]
    words: Callable[[Facts], str]


SERIES = (
    Series(
        "Round trip",
        "ms",
        lambda f: f.gauge.rtt_ms,
        lambda f: f"{rtt_words(f.gauge.rtt_ms)} ± {f.gauge.rtt_var_ms:.1f}",
    ),
    Series("Loss, out", "%", lambda f: f.gauge.loss * 100, lambda f: percent_words(f.gauge.loss)),
    Series(
        "Loss, in", "%", lambda f: f.gauge.loss_in * 100, lambda f: percent_words(f.gauge.loss_in)
    ),
    Series(
        "Extra copies",
        "B/s",
        lambda f: f.resent_bytes_s,
        lambda f: f"{size_words(f.resent_bytes_s)}/s",
    ),
    Series("Rate", "B/s", lambda f: f.rate_bytes_s, lambda f: f"{size_words(f.rate_bytes_s)}/s"),
    Series(
        "In flight",
        "B",
        lambda f: f.gauge.in_flight_bytes,
        lambda f: size_words(f.gauge.in_flight_bytes),
    ),
    Series(
        "Path queue",
        "ms",
        lambda f: f.gauge.queue_ms,
        lambda f: rtt_words(f.gauge.queue_ms),
    ),
    Series(
        "Queue",
        "messages",
        lambda f: f.gauge.waiting,
        lambda f: f"{f.gauge.waiting} messages" if f.gauge.waiting != 1 else "1 message",
    ),
)

FACTS = (
    "State",
    "To",
    "Since",
    "Packets",
    "Lost",
    "Loss",
    "Copies",
    "Sent again",
    "Doubles",
    "Window",
    "Capacity",
    "Datagrams",
)
"""Names of the numbers without a plot, in their order."""


class LinkPanel(QFrame):
    """Follows one peer while it is on screen. `left`: closed."""

    left = pyqtSignal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._peer = 0
        self._last: LinkGauge | None = None
        m = measures_of(self.font())
        self.title = ElidedLabel(font="title")
        self.copy = IconButton("copy", "Copy all numbers")
        self.close_button = IconButton("close", "Close (Esc)")
        head = QWidget()
        row = QHBoxLayout(head)
        row.setContentsMargins(m.px(16), 0, m.px(12), 0)
        row.setSpacing(m.px(4))
        for widget in (self.title, self.copy, self.close_button):
            row.addWidget(widget, 1 if widget is self.title else 0)
        head.setFixedHeight(m.px(56))
        self._body = QWidget()
        self._column = QVBoxLayout(self._body)
        self._column.setContentsMargins(m.px(16), m.px(16), m.px(16), m.px(16))
        self._column.setSpacing(m.px(8))
        self._column.addWidget(label("Last 60 seconds", font="small_bold", ink="text_2"))
        self.plots: list[Plot] = []
        self._values: list[QLabel] = []
        for series in SERIES:
            self._add_series(series)
        self._column.addWidget(Line())
        self._column.addWidget(label("Path", font="small_bold", ink="text_2"))
        self._form = QFormLayout()
        self._facts: dict[str, QLabel] = {}
        for name in FACTS:
            self._facts[name] = selectable("–", font="small")
            self._form.addRow(
                label_of(self._facts[name], name, font="small", ink="text_2"), self._facts[name]
            )
        self._column.addLayout(self._form)
        self._column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(self._body)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(Line())
        column.addWidget(scroll, 1)
        self.setFixedWidth(m.px(PANEL))
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self.sample)
        self.copy.clicked.connect(lambda: copy(self.as_text()))
        self.close_button.clicked.connect(self.left)
        self.hide()

    def show_peer(self, number: int) -> None:
        """Follow this peer's link from now on."""
        if number != self._peer:
            self._peer, self._last = number, None
            for plot in self.plots:
                plot.clear()
        self.sample()

    def sample(self) -> None:
        """Take what is known now into plots and numbers."""
        peer = self._session.peer(self._peer)
        if peer is None:
            return
        self.title.setText(f"Link to {peer_name(peer.info, 40)}")
        up = peer.link.state == LinkState.UP and self._session.online
        words = link_words(peer.link, peer.info) if self._session.online else "engine not running"
        self._facts["State"].setText(words)
        self._facts["To"].setText(shown_name(peer.link.address or peer.info.address or "–", 60))
        since = moment_words(peer.link.since_ms) if peer.link.since_ms else "–"
        self._facts["Since"].setText(since.rpartition(", ")[2])
        gauge = self._session.mirror.link_gauge(self._peer)
        if gauge is None:
            for value in self._values:
                value.setText("–")
            return
        facts = self._facts_of(gauge)
        for series, plot, value in zip(SERIES, self.plots, self._values, strict=True):
            plot.add(series.value(facts) if up else 0.0)
            value.setText(series.words(facts) if up else "–")
        self._facts["Packets"].setText(f"{gauge.packets_sent:,} / {gauge.packets_received:,}")
        self._facts["Lost"].setText(f"{gauge.packets_lost:,}")
        self._facts["Sent again"].setText(size_words(gauge.resent_bytes))
        self._facts["Doubles"].setText(f"{gauge.duplicates:,}")
        self._facts["Window"].setText(size_words(gauge.window_bytes))
        for name, words in path_words(gauge).items():
            self._facts[name].setText(words)

    def as_text(self) -> str:
        """All numbers, one a line."""
        lines = [self.title.text()]
        values = zip(SERIES, self._values, strict=True)
        lines += [f"{series.name}: {value.text()}" for series, value in values]
        lines += [f"{name}: {value.text()}" for name, value in self._facts.items()]
        return "\n".join(lines)

    def _facts_of(self, gauge: LinkGauge) -> Facts:
        view = self._session.view
        moving = [
            row
            for row in (view.transfers if view else [])
            if row.peer == self._peer and row.state == TransferState.ACTIVE
        ]
        rate = sum(self._session.mirror.progress(row).rate_bytes_s for row in moving)
        before = self._last.resent_bytes if self._last else gauge.resent_bytes
        self._last = gauge
        again = max(0, gauge.resent_bytes - before) * 1000 / INTERVAL_MS
        return Facts(gauge, rate, again)

    def _add_series(self, series: Series) -> None:
        m = measures_of(self.font())
        row = QHBoxLayout()
        row.setSpacing(m.px(12))
        words = QVBoxLayout()
        words.setSpacing(0)
        value = label("–", font="medium")
        value.setFixedWidth(m.px(128))
        words.addStretch(1)
        words.addWidget(label(series.name, font="small", ink="text_2"))
        words.addWidget(value)
        words.addStretch(1)
        plot = Plot(series.name, series.unit)
        plot.setMinimumHeight(m.px(40))
        row.addLayout(words)
        row.addWidget(plot, 1)
        self._column.addLayout(row)
        self.plots.append(plot)
        self._values.append(value)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Esc closes."""
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Nothing is sampled while nobody looks."""
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """And stopped again."""
        super().hideEvent(event)
        self._timer.stop()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The ground of the window, and a line to the left."""
        painter, c = QPainter(self), colours_of(self.palette())
        painter.fillRect(self.rect(), c.window)
        painter.fillRect(0, 0, 1, self.height(), c.line)


def path_words(gauge: LinkGauge) -> dict[str, str]:
    """What the path is believed to be like, and what is done about it, by name."""
    capacity = f"{size_words(gauge.path_rate_bytes_s)}/s"
    bursts = f"in bursts of {rtt_words(gauge.burst_ms)}" if gauge.burst_ms else "in bursts"
    return {
        "Loss": bursts if gauge.bursty else "one at a time",
        "Copies": f"{gauge.copies} of each small message" if gauge.copies else "none",
        "Capacity": capacity if gauge.path_rate_bytes_s else "not measured yet",
        "Datagrams": f"up to {gauge.mtu_bytes:,} bytes" if gauge.mtu_bytes else "–",
    }
