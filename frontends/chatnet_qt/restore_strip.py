"""The state of a restore, in one line above the bubbles; the peer's request comes first.

An end is shown once.
"""

from chatnet_client.words import asking_words, giving_words
from chatnet_protocol.ipc.commands import AnswerRestore, AskRestore
from chatnet_protocol.ipc.rows import LinkState, RestoreMine, RestoreRow, RestoreTheirs, Trust
from chatnet_protocol.ipc.view import PeerView
from chatnet_qt.banner import Banner, BannerSlot, Tone
from chatnet_qt.qt import QObject, pyqtSignal
from chatnet_qt.session import Session
from chatnet_qt.wording import peer_name

UNVERIFIED = "You have not compared safety numbers."
"""The peer would get every message of the conversation: worth a second look."""


def restore_banner(peer: PeerView, put_off: bool) -> Banner | None:
    """What a person should know and can do; None while there is nothing.

    `put_off`: the offer to ask was declined for now.
    """
    row, name = peer.restore, peer_name(peer.info)
    if row.theirs == RestoreTheirs.ASKED:
        words, tone = giving_words(row, name), Tone.INFO
        answers = (("give", "Send it"), ("refuse", "Refuse"))
        if peer.info.trust != Trust.VERIFIED:
            words, tone = f"{words} {UNVERIFIED}", Tone.WARNING
            return Banner(tone, words, (*answers, ("compare", "Compare…")))
        return Banner(tone, words, answers)
    words = asking_words(row, name)
    match row.mine:
        case RestoreMine.POSSIBLE if not put_off:
            actions = (("ask", f"Ask {peer_name(peer.info, 24)} for it"), ("later", "Not now"))
            return Banner(Tone.INFO, words, actions)
        case RestoreMine.ASKING:
            if peer.link.state != LinkState.UP:
                words += " The question is sent as soon as you are connected."
            return Banner(Tone.INFO, words, (("stop", "Stop asking"),))
        case RestoreMine.RUNNING:
            return Banner(Tone.INFO, words, (("stop", "Stop"),))
        case _:
            pass  # nothing of ours to act on
    if row.theirs == RestoreTheirs.GIVING:
        return Banner(Tone.INFO, giving_words(row, name), (("refuse", "Stop"),))
    return None


def ending_words(before: RestoreRow, row: RestoreRow, name: str) -> str:
    """The sentence about what has just ended; empty: nothing has."""
    ended = []
    if row.mine != before.mine and row.mine in (RestoreMine.DONE, RestoreMine.REFUSED):
        ended.append(asking_words(row, name))
    if row.theirs != before.theirs and row.theirs == RestoreTheirs.GIVEN:
        ended.append(giving_words(row, name))
    return " ".join(ended)


class RestoreStrip(BannerSlot):
    """For the conversation with one peer.

    Signals: `ended(sentence)` it came to an end; `compare_wanted` the safety number is asked for.
    """

    ended = pyqtSignal(str)
    compare_wanted = pyqtSignal()

    def __init__(self, session: Session, peer: int, parent: QObject | None = None) -> None:
        super().__init__("Restoring the conversation", parent)
        self._session = session
        self._peer = peer
        self._put_off = False
        self._known: RestoreRow | None = None
        self.acted.connect(self._act)

    def update_restore(self) -> None:
        """Say anew how it stands, and once what has ended."""
        peer = self._session.peer(self._peer)
        if peer is None:
            self.show_banner(None)
            return
        row, before = peer.restore, self._known
        self._known = row
        if before is not None and before.mine != row.mine:
            self._put_off = False
        self.show_banner(restore_banner(peer, self._put_off) if self._session.online else None)
        words = ending_words(before, row, peer_name(peer.info)) if before else ""
        if words:
            self.ended.emit(words)

    def _act(self, name: str) -> None:
        match name:
            case "later":
                self._put_off = True
                self.update_restore()
            case "compare":
                self.compare_wanted.emit()
            case "ask" | "stop":
                self._session.request(AskRestore(self._peer, wanted=name == "ask"))
            case _:
                self._session.request(AnswerRestore(self._peer, consent=name == "give"))
