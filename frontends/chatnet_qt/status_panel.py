"""The small line at the bottom: link, round trip, loss, what waits, transfers, who is attached."""

from chatnet_client.words import size_words
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import LinkState, TransferState
from chatnet_qt.labels import ElidedLabel
from chatnet_qt.qt import QFrame, QHBoxLayout, QTimer, QWidget
from chatnet_qt.session import Session
from chatnet_qt.wording import link_words, shown_name

RENEW_MS = 250
"""However often facts change, the words change at most this often."""


class StatusPanel(QFrame):
    """Facts about one peer's link and the session."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._peer = 0
        self.link = ElidedLabel()
        self.transfers = ElidedLabel()
        self.numbers = ElidedLabel()
        for part, name in (
            (self.link, "Connection"),
            (self.transfers, "Transfers"),
            (self.numbers, "Statistics"),
        ):
            part.setAccessibleName(name)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 2, 14, 4)
        row.setSpacing(18)
        row.addWidget(self.link, 1)
        row.addWidget(self.transfers)
        row.addWidget(self.numbers)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(RENEW_MS)
        self._timer.timeout.connect(self.renew)
        for signal in (session.changed, session.gauged):
            signal.connect(self._soon)
        for plain in (session.was_reset, session.connection_changed, session.unconfirmed_changed):
            plain.connect(self.renew)

    def show_peer(self, peer: int) -> None:
        """Tell about this peer's link from now on."""
        self._peer = peer
        self.renew()

    def renew(self) -> None:
        """Put the present facts into words."""
        peer, view = self._session.peer(self._peer), self._session.view
        if peer is None or view is None:
            for part in (self.link, self.transfers, self.numbers):
                part.setText("")
            return
        if not self._session.online:
            self.link.setText("engine not running")
            self.numbers.setText("")
            self.transfers.setText("")
            return
        words = link_words(peer.link, peer.info)
        if peer.link.state == LinkState.UP:
            words += f" · {shown_name(peer.link.address or peer.info.address, 60)}"
        self.link.setText(words)
        facts = []
        gauge = self._session.mirror.link_gauge(self._peer)
        if gauge is not None and peer.link.state == LinkState.UP:
            facts.append(f"{rtt_words(gauge.rtt_ms)} · {gauge.loss:.0%} loss")
        if peer.waiting:
            facts.append(f"{peer.waiting} waiting")
        if len(view.clients) > 1:
            facts.append(f"{len(view.clients)} windows")
        if view.session.impair:
            facts.append("bad network simulated")
        self.numbers.setText(" · ".join(facts))
        self.transfers.setText(self._transfer_words())

    def _transfer_words(self) -> str:
        view = self._session.view
        rows = [row for row in view.transfers if row.state == TransferState.ACTIVE] if view else []
        if not rows:
            return ""
        progress = [self._session.mirror.progress(row) for row in rows]
        total = sum(row.size_bytes for row in rows)
        share = sum(done for done, _ in progress) / total if total else 0.0
        rate = sum(rate for _, rate in progress)
        plural = "transfers" if len(rows) > 1 else "transfer"
        return f"{len(rows)} {plural} · {share:.0%} · {size_words(rate)}/s"

    def _soon(self, _fact: ev.Event | ev.Gauge) -> None:
        if not self._timer.isActive():
            self._timer.start()


def rtt_words(rtt_ms: float) -> str:
    """Milliseconds; with a digit after the point where that says something."""
    return f"{rtt_ms:.1f} ms" if rtt_ms < 10 else f"{rtt_ms:.0f} ms"
