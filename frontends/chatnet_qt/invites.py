"""First contacts from the window: an invite for somebody, and somebody's address and invite."""

from chatnet_client.client_events import Answered
from chatnet_protocol.addresses import parse_host, parse_port, split_address
from chatnet_protocol.errors import CommandError
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
from chatnet_qt.tokens import scaled
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
        self._host_length = 0
        self.host.textEdited.connect(self._edited)
        self.host.editingFinished.connect(self._typed)
        self.port.editingFinished.connect(self._check)
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

    def _edited(self, text: str) -> None:
        pasted = len(text) > self._host_length + 1
        self._host_length = len(text)
        if pasted:
            self._typed()

    def _typed(self) -> None:
        """An address with its port, as it is shown everywhere, fills both boxes."""
        if parts := split_address(self.host.text()):
            self.host.setText(parts[0].strip("[]"))
            self.port.setText(parts[1])
        self._check()

    def _check(self) -> None:
        """Say at once what is wrong with what stands there so far."""
        self.problem.setText("")
        try:
            if host := self.host.text().strip():
                parse_host(host)
            if port := self.port.text().strip():
                parse_port(port)
        except CommandError as error:
            self.problem.setText(shown_name(error.detail, 300))

    def _ask(self) -> None:
        self._typed()
        try:
            host, port = parse_host(self.host.text()), parse_port(self.port.text())
        except CommandError as error:
            self.problem.setText(shown_name(error.detail, 300))
            return
        name, code = self.called.text().strip(), self.code.text().strip()
        self._session.request(AddPeer(host, port, name, code), self._take)

    def _take(self, answer: Answered) -> None:
        if answer.error:
            self.problem.setText(failure_words(answer))
        else:
            self.close()
