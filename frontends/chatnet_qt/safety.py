"""Comparing keys: the safety number of a peer, and what to do about a key that changed."""

from chatnet_protocol.ids import fingerprint
from chatnet_protocol.ipc.commands import TrustPeer
from chatnet_protocol.ipc.rows import PeerRow, Trust
from chatnet_qt.labels import label, selectable
from chatnet_qt.qr import QrCode
from chatnet_qt.qt import QDialog, QFontDatabase, QHBoxLayout, QPushButton, Qt, QVBoxLayout, QWidget
from chatnet_qt.session import Session
from chatnet_qt.theme import scaled
from chatnet_qt.wording import peer_name

GROUPS_PER_LINE = 4


def number_lines(safety_number: str) -> str:
    """Sixty digits as three lines of four groups of five."""
    digits = "".join(safety_number.split())
    groups = [digits[start : start + 5] for start in range(0, len(digits), 5)]
    lines = (groups[i : i + GROUPS_PER_LINE] for i in range(0, len(groups), GROUPS_PER_LINE))
    return "\n".join("  ".join(line) for line in lines)


class SafetyDialog(QDialog):
    """The digits both people should see, to be read to each other."""

    def __init__(self, session: Session, info: PeerRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Safety number")
        self.setModal(False)
        name = peer_name(info)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(14)
        if info.safety_number:
            words = (
                f"Read these digits to {name} in a call or side by side, or scan the code on the "
                "other screen: it holds the same digits. If both of you see the same number, "
                "nobody sits between you."
            )
        else:
            words = f"There is no safety number yet: {name} has not been reached."
        column.addWidget(label(words, wrap=True))
        self.digits = selectable(number_lines(info.safety_number))
        fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        self.digits.setFont(scaled(fixed, 1.5))
        self.digits.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.digits.setWordWrap(False)
        self.digits.setAccessibleName("Safety number")
        column.addWidget(self.digits)
        self.code = QrCode("".join(info.safety_number.split()), "Safety number as a QR code")
        column.addWidget(self.code, 0, Qt.AlignmentFlag.AlignHCenter)
        verified = info.trust == Trust.VERIFIED
        state = "Verified: these digits were compared." if verified else "Not compared yet."
        column.addWidget(label(state))
        row = QHBoxLayout()
        row.addStretch(1)
        self.verify = QPushButton("They are the same")
        self.verify.setEnabled(bool(info.safety_number) and not verified)
        close = QPushButton("Close")
        close.setDefault(True)
        close.clicked.connect(self.reject)
        row.addWidget(self.verify)
        row.addWidget(close)
        column.addLayout(row)

        def on_verify() -> None:
            session.request(TrustPeer(info.peer, "verified", info.key))
            self.close()

        self.verify.clicked.connect(on_verify)


class KeyChangedDialog(QDialog):
    """A refused key: keep the known one, or take the new one after asking the person."""

    def __init__(self, session: Session, info: PeerRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Another key")
        self.setModal(False)
        name = peer_name(info)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(12)
        words = (
            f"Somebody answers in the name of {name} with a key that is not the known one. That "
            f"happens when {name} has set up ChatNet anew, and also when somebody else pretends "
            "to be them. Ask them in another way before you take the new key: their own screen "
            "shows its fingerprint."
        )
        if info.key == info.offered_key:
            words = (
                f"{name} has the key that this history remembers, but the file known_peers does "
                "not name it any more. Somebody deleted or changed that file. Compare before you "
                "take the key again."
            )
        column.addWidget(label(words, wrap=True))
        column.addWidget(label("Known key"))
        column.addWidget(selectable(fingerprint(info.key) if info.key else "none"))
        column.addWidget(label("New key"))
        column.addWidget(selectable(fingerprint(info.offered_key)))
        row = QHBoxLayout()
        row.addStretch(1)
        self.replace = QPushButton("Take the new key")
        self.replace.setEnabled(bool(info.offered_key))
        self.replace.setAutoDefault(False)
        keep = QPushButton("Keep the known key")
        keep.setDefault(True)
        keep.clicked.connect(self.reject)
        row.addWidget(self.replace)
        row.addWidget(keep)
        column.addLayout(row)

        def on_replace() -> None:
            session.request(TrustPeer(info.peer, "replace", info.offered_key))
            self.close()

        self.replace.clicked.connect(on_replace)
