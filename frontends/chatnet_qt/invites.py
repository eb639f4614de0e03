"""First contacts from the window: an invite for somebody, and somebody's address and invite."""

from chatnet_client.client_events import Answered
from chatnet_protocol.ipc.commands import AddPeer, Invited, MakeInvite
from chatnet_protocol.ipc.rows import PeerRow
from chatnet_qt.labels import label, selectable
from chatnet_qt.qt import (
    QFontDatabase,
    QFormLayout,
    QLineEdit,
    QPushButton,
    Qt,
    QWidget,
)
from chatnet_qt.session import Session
from chatnet_qt.sheet import Sheet
from chatnet_qt.theme import scaled
from chatnet_qt.wording import peer_name, shown_name


def failure_words(answer: Answered) -> str:
    """Why a command was not done; empty when it was."""
    return shown_name(answer.error.detail, 300) if answer.error else ""


class InviteDialog(Sheet):
    """Asks the engine for a code and shows it; `info`: a peer without a key, or None."""

    def __init__(
        self, session: Session, info: PeerRow | None, parent: QWidget | None = None
    ) -> None:
        super().__init__("Invite", parent)
        whom = peer_name(info) if info else "somebody"
        port = session.view.session.port if session.view else 0
        words = (
            f"Tell {whom} this code by another way, a call for example. Who enters it with the "
            f"address of this machine and port {port} is who you meant, and nobody in between. "
            "It is good once, for 24 hours, while the engine runs."
        )
        self.body.addWidget(label(words, wrap=True))
        self.code = selectable("…")
        fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        self.code.setFont(scaled(fixed, 1.5))
        self.code.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.code.setAccessibleName("Invite code")
        self.body.addWidget(self.code)
        self.body.addStretch(1)
        close = QPushButton("Close")
        close.clicked.connect(self.reject)
        self.add_buttons(close)
        session.request(MakeInvite(info.peer if info else 0), self._take)

    def _take(self, answer: Answered) -> None:
        if isinstance(answer.result, Invited):
            self.code.setText(answer.result.code)
        else:
            self.code.setText(failure_words(answer))
            self.code.setWordWrap(True)


class AddPeerDialog(Sheet):
    """Somebody's address, and the code that they gave, if they did."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Add somebody", parent)
        self._session = session
        self.host, self.port, self.called, self.code = (QLineEdit() for _ in range(4))
        self.code.setPlaceholderText("if you were given one")
        form = QFormLayout()
        form.addRow("&Address", self.host)
        form.addRow("&Port", self.port)
        form.addRow("&Name", self.called)
        form.addRow("&Invite code", self.code)
        self.body.addLayout(form)
        self.problem = label(wrap=True)
        self.body.addWidget(self.problem)
        self.body.addStretch(1)
        self.add = QPushButton("Add")
        self.add.clicked.connect(self._ask)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.reject)
        self.add_buttons(cancel, self.add)

    def first_focus(self) -> QWidget | None:
        """Where one begins to type; adding somebody can be taken back."""
        return self.host

    def _ask(self) -> None:
        port = self.port.text().strip()
        if not (port.isascii() and port.isdigit()):
            self.problem.setText("A port is a number from 1 to 65535.")
            return
        texts = (self.host, self.called, self.code)
        host, name, code = (box.text().strip() for box in texts)
        self._session.request(AddPeer(host, int(port), name, code), self._take)

    def _take(self, answer: Answered) -> None:
        if answer.error:
            self.problem.setText(failure_words(answer))
        else:
            self.close()
