"""Comparing keys: the safety number of a peer, and what to do about a key that was refused."""

from chatnet_protocol.ids import fingerprint
from chatnet_protocol.ipc.commands import TrustPeer
from chatnet_protocol.ipc.rows import PeerRow, Trust
from chatnet_qt.labels import label, selectable
from chatnet_qt.qr import QrCode
from chatnet_qt.qt import QFontDatabase, QHBoxLayout, QPushButton, Qt, QWidget, pyqtSignal
from chatnet_qt.session import Session
from chatnet_qt.sheet import Sheet
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import scaled
from chatnet_qt.wording import peer_name

GROUPS_PER_LINE = 4


def number_lines(safety_number: str) -> str:
    """Sixty digits as three lines of four groups of five."""
    digits = "".join(safety_number.split())
    groups = [digits[start : start + 5] for start in range(0, len(digits), 5)]
    lines = (groups[i : i + GROUPS_PER_LINE] for i in range(0, len(groups), GROUPS_PER_LINE))
    return "\n".join("  ".join(line) for line in lines)


def comparing_words(info: PeerRow) -> str:
    """What to do with the number."""
    name = peer_name(info)
    if not info.safety_number:
        return f"There is no safety number yet: {name} has not been reached."
    if info.trust == Trust.VERIFIED:
        return (
            f"{name} was verified by this number or by an invite. As long as the number stays the "
            "same, nobody is intercepting the connection."
        )
    return (
        f"Compare this number with {name} over a call or in person. If both of you see the same "
        "one, nobody is intercepting the connection. The code holds the same digits."
    )


class SafetyDialog(Sheet):
    """The digits both people should see. `review_wanted`: the key that was refused is asked for."""

    review_wanted = pyqtSignal()

    def __init__(self, session: Session, info: PeerRow, parent: QWidget | None = None) -> None:
        super().__init__("Safety number", parent)
        name = peer_name(info)
        verified = info.trust == Trust.VERIFIED
        state = label(f"{name} is verified." if verified else f"{name} is not verified.", wrap=True)
        bold = state.font()
        bold.setBold(True)
        state.setFont(bold)
        self.body.addWidget(state)
        self.body.addWidget(label(comparing_words(info), wrap=True))
        self.digits = selectable(number_lines(info.safety_number))
        fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        self.digits.setFont(scaled(fixed, 1.35))
        self.digits.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.digits.setWordWrap(False)
        self.digits.setAccessibleName("Safety number")
        self.body.addWidget(self.digits)
        self.code = QrCode("".join(info.safety_number.split()), "Safety number as a QR code")
        self.body.addWidget(self.code, 0, Qt.AlignmentFlag.AlignHCenter)
        self.review: QPushButton | None = None
        if info.offered_key or info.refused_keys:
            self._add_review()
        self.body.addStretch(1)
        self.verify = QPushButton("Remove verification" if verified else "They match")
        self.verify.setEnabled(bool(info.safety_number))
        close = QPushButton("Close")
        close.clicked.connect(self.reject)
        self.add_buttons(close, left=(self.verify,))
        decision = "unverified" if verified else "verified"

        def on_decide() -> None:
            session.request(TrustPeer(info.peer, decision, info.key))
            self.close()

        self.verify.clicked.connect(on_decide)

    def _add_review(self) -> None:
        self.review = QPushButton("Review…")
        self.review.setAutoDefault(False)
        self.review.clicked.connect(self._review)
        row = QHBoxLayout()
        row.addWidget(label("A different key was refused.", wrap=True), 1)
        row.addWidget(self.review)
        self.body.addLayout(row)

    def _review(self) -> None:
        self.review_wanted.emit()
        self.close()


class KeyChangedDialog(Sheet):
    """A refused key: go on refusing it, or trust it after asking the person."""

    def __init__(self, session: Session, info: PeerRow, parent: QWidget | None = None) -> None:
        super().__init__("A different key", parent)
        self._session = session
        self._info = info
        kept = info.refused_keys[-1] if info.refused_keys else b""
        self._key = info.offered_key or kept
        name = peer_name(info)
        words = (
            f"Someone is using {name}'s address with a different key. This happens when {name} "
            f"reinstalls ChatNet, and also when someone pretends to be {name}. Ask {name} over a "
            "call to read out the new key before you trust it: it is on their screen."
        )
        if info.key == self._key:
            words = (
                f"{name} has the key that this history remembers, but the file known_peers does "
                "not name it any more. Somebody deleted or changed that file. Compare before you "
                "trust the key again."
            )
        self.body.addWidget(label(words, wrap=True))
        self.body.addWidget(label("Key you trust"))
        self.body.addWidget(self._print(info.key))
        self.body.addWidget(label("Key that was refused"))
        self.body.addWidget(self._print(self._key))
        self.question = label(wrap=True)
        self.question.hide()
        self.body.addWidget(self.question)
        self.body.addStretch(1)
        self.replace = QPushButton("Trust the new key…")
        self.confirm = QPushButton("Trust it")
        self.later = QPushButton("Decide later")
        self.keep = QPushButton("Keep refusing")
        if not info.offered_key:
            self.later.hide()
        self.confirm.hide()
        for button in (self.replace, self.confirm):
            button.setEnabled(bool(self._key))
            palette = button.palette()
            palette.setColor(palette.ButtonText, colours_of(self.palette()).danger)
            button.setPalette(palette)
        self.replace.clicked.connect(self._ask)
        self.confirm.clicked.connect(lambda: self._decide("replace"))
        self.later.clicked.connect(self.reject)
        self.keep.clicked.connect(self._keep)
        self.add_buttons(self.later, self.keep, left=(self.replace, self.confirm))

    def _print(self, key: bytes) -> QWidget:
        made = selectable(fingerprint(key) if key else "none")
        made.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        return made

    def _ask(self) -> None:
        """The second question."""
        name = peer_name(self._info)
        self.question.setText(
            f"Did {name} read out this very key? From then on messages that wait, and all others, "
            "go to its owner."
        )
        self.question.show()
        self.replace.hide()
        self.confirm.show()
        self.keep.setFocus()
        self.fit_screen()

    def _keep(self) -> None:
        if self._info.offered_key:
            self._decide("keep")
        else:
            self.close()

    def _decide(self, decision: str) -> None:
        self._session.request(TrustPeer(self._info.peer, decision, self._key))
        self.close()
