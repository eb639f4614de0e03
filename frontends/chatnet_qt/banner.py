"""News that do not interrupt: one line above the conversation, with what can be done about it."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from chatnet_client.client_events import Cause
from chatnet_client.mirror import Mirror
from chatnet_client.words import (
    ENGINE_DIED,
    NO_ANSWER,
    count_words,
    engine_lost_words,
    no_answer_words,
    outage_words,
)
from chatnet_protocol.addresses import show_address
from chatnet_protocol.ipc.rows import LinkState, Trust
from chatnet_protocol.ipc.view import PeerView
from chatnet_qt.labels import label
from chatnet_qt.qt import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QPainter,
    QPaintEvent,
    QPushButton,
    QResizeEvent,
    QWidget,
    pyqtSignal,
)
from chatnet_qt.theme import colours_of
from chatnet_qt.wording import duration_words, peer_name, shown_name

SAY_SINCE_MS = 10_000
"""How long a link has been away is said after this long."""
SHORT_NAME = 24
"""Characters of a name in a sentence that is long without it."""
WORDS_EM = 12
"""Less room than this many font heights makes words unreadable."""


class Tone(enum.Enum):
    """How urgent it is."""

    INFO = "info"
    WARNING = "warning"
    DANGER = "danger"


@dataclass(frozen=True)
class Banner:
    """One sentence and the actions offered: (name, words)."""

    tone: Tone
    words: str
    actions: tuple[tuple[str, str], ...] = ()


def link_banner(peer: PeerView, now_ms: int) -> Banner | None:
    """What a person should know about the link to a peer; None while all is well."""
    name, link, info = peer_name(peer.info), peer.link, peer.info
    address = shown_name(link.address or show_address(info.host, info.port))
    retry = (("retry", "Try now"),)
    since_ms = now_ms - link.since_ms
    since = f" for {duration_words(since_ms / 1000)}" if since_ms >= SAY_SINCE_MS else ""
    if info.trust == Trust.PENDING:
        words = (
            f"{name} wants to talk to you from {address}. Nothing is exchanged until you accept."
        )
        return Banner(Tone.INFO, words, (("accept", "Accept"), ("remove", "Refuse")))
    if info.trust == Trust.INVITED:
        if link.state == LinkState.IDLE and link.detail:
            return Banner(Tone.INFO, shown_name(link.detail, 300), (("invite", "New invite"),))
        words = f"Waiting for {name}. Nobody else is let in: an invite is open."
        return Banner(Tone.INFO, words)
    match link.state:
        case LinkState.UP:
            return None
        case LinkState.IDLE:
            words = f"{name} has no address to call; waiting to be found."
            return Banner(Tone.INFO, words)
        case LinkState.RESOLVING if link.detail:
            return Banner(Tone.WARNING, shown_name(link.detail, 300), retry)
        case LinkState.RESOLVING:
            return Banner(Tone.INFO, f"Looking up {shown_name(info.host)}…")
        case LinkState.DIALLING:
            words = no_answer_words(address)
            return Banner(Tone.INFO, words, retry)
        case LinkState.SILENT:
            words = f"{name} has not answered{since}. Messages wait and go out by themselves."
            return Banner(Tone.WARNING, words, retry)
        case LinkState.PENDING:
            return Banner(Tone.INFO, f"{name} has to accept you first. Asking again every minute.")
        case LinkState.REFUSED:
            detail = shown_name(link.detail, 300) if link.detail else "Messages stay here."
            return Banner(Tone.WARNING, f"{name} refuses the connection. {detail}", retry)
        case LinkState.KEY_CHANGED:
            words = (
                f"{peer_name(info, SHORT_NAME)} is not connected: someone with a different key "
                "answers. Messages are held until the key you trust is back."
            )
            review = () if info.offered_key else (("key", "Review…"),)
            return Banner(Tone.WARNING, words, (*review, *retry))
    return Banner(Tone.INFO, shown_name(link.detail or link.state, 300))


def key_banner(peer: PeerView) -> Banner | None:
    """A key that was refused and that nobody has decided about."""
    info, name = peer.info, peer_name(peer.info, SHORT_NAME)
    if not info.offered_key:
        return None
    words = f"Someone is using {name}'s address with a different key. The connection was refused."
    if info.offered_key == info.key:
        words = f"The key of {name} is missing from the file known_peers, so it was refused."
    return Banner(Tone.DANGER, words, (("key", "Review…"), ("keep", "Keep refusing")))


def engine_banner(mirror: Mirror, waiting: int) -> Banner | None:
    """The engine itself is away: everything can be read and written; None while it is there."""
    if mirror.live or not mirror.lost_reason:
        return None
    outage, stopping = mirror.outage, mirror.view.stopping if mirror.view else ""
    actions: tuple[tuple[str, str], ...] = ()
    if outage is not None:
        words = outage_words(outage)
        if outage.command and outage.cause != Cause.RESTARTING and outage.cause != Cause.SILENT:
            actions = (("start", "Start the engine"),)
    elif stopping or mirror.lost_reason in (NO_ANSWER, ENGINE_DIED):
        words = engine_lost_words(stopping or mirror.lost_reason)
    else:
        words = mirror.lost_reason
    if waiting:
        words += f" {count_words(waiting)} kept until then."
    return Banner(Tone.DANGER, shown_name(words, 400), actions)


class BannerStrip(QFrame):
    """Shows one Banner; `acted(name)` when one of its buttons is pressed."""

    acted = pyqtSignal(str)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self._shown: Banner | None = None
        self._label = label(wrap=True)
        self._buttons: list[QPushButton] = []
        self._layout = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._layout.setContentsMargins(14, 7, 10, 7)
        self._layout.addWidget(self._label, 1)
        self._row = QHBoxLayout()
        self._row.addStretch(1)
        self._layout.addLayout(self._row)
        self.hide()

    @property
    def shown(self) -> Banner | None:
        """What stands there."""
        return self._shown

    def show_banner(self, banner: Banner | None) -> None:
        """Show `banner`, or nothing."""
        if banner == self._shown:
            return
        old_actions = self._shown.actions if self._shown else ()
        self._shown = banner
        if banner is not None:
            self._label.setText(banner.words)
            self._label.setAccessibleName(banner.words)
            if banner.actions != old_actions:
                self._make_buttons(banner.actions)
        elif old_actions:
            self._make_buttons(())
        self.setVisible(banner is not None)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The tone as a tint of whatever theme is in force."""
        if self._shown is not None:
            colours = colours_of(self.palette())
            fills = {
                Tone.INFO: colours.info_fill,
                Tone.WARNING: colours.warning_fill,
                Tone.DANGER: colours.danger_fill,
            }
            QPainter(self).fillRect(self.rect(), fills[self._shown.tone])

    def _make_buttons(self, actions: Sequence[tuple[str, str]]) -> None:
        for button in self._buttons:
            self._row.removeWidget(button)
            button.deleteLater()
        self._buttons = []
        for name, words in actions:
            button = QPushButton(words)
            button.setAutoDefault(False)
            button.clicked.connect(lambda _checked, name=name: self.acted.emit(name))
            self._row.addWidget(button)
            self._buttons.append(button)
        self._place_buttons()

    def _place_buttons(self) -> None:
        """Beside the words; below them where they would leave too little room."""
        taken = sum(button.sizeHint().width() for button in self._buttons)
        narrow = self.width() - taken < WORDS_EM * self.fontMetrics().height()
        below, beside = QBoxLayout.Direction.TopToBottom, QBoxLayout.Direction.LeftToRight
        self._layout.setDirection(below if narrow and self._buttons else beside)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Another width is another arrangement."""
        super().resizeEvent(event)
        self._place_buttons()
