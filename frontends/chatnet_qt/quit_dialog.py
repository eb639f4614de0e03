"""Before the engine is stopped: what that stops."""

from chatnet_protocol.ipc.rows import TransferState
from chatnet_protocol.ipc.view import View
from chatnet_qt.controls import push_button
from chatnet_qt.labels import label
from chatnet_qt.qt import QWidget, pyqtSignal
from chatnet_qt.sheet import Sheet

UNDER_WAY = frozenset(
    {TransferState.WAITING, TransferState.ACTIVE, TransferState.PAUSED, TransferState.VERIFYING}
)


def stop_words(view: View | None) -> str:
    """What waits while there is no engine."""
    waiting = sum(peer.waiting for peer in view.peers) if view else 0
    files = sum(row.state in UNDER_WAY for row in view.transfers) if view else 0
    parts = []
    if waiting:
        parts.append(
            "1 message that was not delivered yet"
            if waiting == 1
            else f"{waiting} messages that were not delivered yet"
        )
    if files:
        parts.append("1 transfer" if files == 1 else f"{files} transfers")
    what = " and ".join(parts)
    if not what:
        return "Nobody can reach you until you start it again."
    verb = "waits" if waiting + files == 1 else "wait"
    return f"{what} {verb} until you start it again, and nobody can reach you."


class QuitDialog(Sheet):
    """`confirmed`: stop it."""

    confirmed = pyqtSignal()

    def __init__(self, view: View | None, parent: QWidget | None = None) -> None:
        super().__init__("Stop the engine?", parent)
        self.words = label(stop_words(view), wrap=True)
        self.body.addWidget(label("Stop the engine?", font="title"))
        self.body.addWidget(self.words)
        self.body.addStretch(1)
        self.quit = push_button("Quit and stop", "danger")
        self.keep = push_button("Keep running")
        self.quit.clicked.connect(self._confirm)
        self.keep.clicked.connect(self.reject)
        self.add_buttons(self.keep, left=(self.quit,))

    def _confirm(self) -> None:
        self.accept()
        self.confirmed.emit()
