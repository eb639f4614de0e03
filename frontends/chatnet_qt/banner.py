"""News that do not interrupt: one line above the conversation, with what can be done about it."""

import enum

from msgspec import Struct

from chatnet_client.client_events import Cause
from chatnet_client.mirror import Mirror
from chatnet_client.words import (
    ENGINE_DIED,
    NO_ANSWER,
    count_words,
    engine_lost_words,
    outage_words,
)
from chatnet_client.words.links import A_WHILE, link_sentence
from chatnet_protocol.addresses import show_address
from chatnet_protocol.ipc.rows import LinkState, Trust
from chatnet_protocol.ipc.view import PeerView
from chatnet_qt.qt import QObject, pyqtSignal
from chatnet_qt.wording import duration_words, peer_name, shown_name

SAY_SINCE_MS = 10_000
"""After this long a banner also states for how long the link has been down."""
SHORT_NAME = 24
"""Characters of a name in a sentence that is long without it."""
MAX_SENTENCE = 300
"""Characters; a peer or an operating system may have written a part of it."""


class Tone(enum.Enum):
    """How urgent it is."""

    INFO = "info"
    WARNING = "warning"
    DANGER = "danger"


class Banner(Struct, frozen=True):
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
    since = duration_words(since_ms / 1000) if since_ms >= SAY_SINCE_MS else A_WHILE
    if info.blocked:
        return None  # the words stand where one would write
    if info.trust == Trust.PENDING:
        words = f"{name} at {address} wants to chat. Nothing is sent or received until you accept."
        actions = (("block", "Block"), ("accept", "Accept"))
        return Banner(Tone.INFO, words, actions)
    words = shown_name(link_sentence(link, name, since), MAX_SENTENCE)
    if info.trust == Trust.INVITED:
        if link.state == LinkState.IDLE and link.reason:
            return Banner(Tone.INFO, words, (("invite", "New invite"),))
        if not info.host:  # with an address it is we who entered the code, and dial
            words = "Waiting for your guest to enter the invite."
        return Banner(Tone.INFO, words, (("uninvite", "Cancel invite"),))
    match link.state:
        case LinkState.UP:
            return None
        case LinkState.IDLE | LinkState.PENDING:
            return Banner(Tone.INFO, words)
        case LinkState.RESOLVING if not link.reason:
            return Banner(Tone.INFO, words)
        case LinkState.DIALLING:
            return Banner(Tone.INFO, words, retry)
        case LinkState.RESOLVING | LinkState.SILENT | LinkState.REFUSED:
            return Banner(Tone.WARNING, words, retry)
        case LinkState.KEY_CHANGED:
            review = () if info.offered_key else (("key", "Review…"),)
            return Banner(Tone.WARNING, words, (*review, *retry))
        case _:  # a newer engine's
            return Banner(Tone.INFO, words if link.reason else shown_name(link.state))


def key_banner(peer: PeerView) -> Banner | None:
    """A key that was refused and that nobody has decided about."""
    info, name = peer.info, peer_name(peer.info, SHORT_NAME)
    if info.blocked or not info.offered_key:
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


class BannerSlot(QObject):
    """A place for one Banner among those of a window; `acted(name)` when one of its buttons is
    pressed, `changed` when another one, or none, is in it."""

    acted = pyqtSignal(str)
    changed = pyqtSignal()

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.name = name
        self._shown: Banner | None = None

    @property
    def shown(self) -> Banner | None:
        """What is in it."""
        return self._shown

    def show_banner(self, banner: Banner | None) -> None:
        """Put `banner` in it, or nothing."""
        if banner != self._shown:
            self._shown = banner
            self.changed.emit()
