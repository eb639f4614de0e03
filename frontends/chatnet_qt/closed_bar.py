"""What stands in the place of the text box while nothing can be sent to a peer."""

from chatnet_protocol.ipc.rows import PeerRow, Trust
from chatnet_qt.controls import push_button
from chatnet_qt.labels import label
from chatnet_qt.qt import QHBoxLayout, Qt, QWidget, pyqtSignal
from chatnet_qt.tokens import measures_of
from chatnet_qt.wording import peer_name

DRAFT_KEPT = " What you had written is kept."


def closed_words(info: PeerRow, draft: bool) -> str:
    """Why nothing can be written to this peer now; empty where it can. `draft`: something was."""
    kept = DRAFT_KEPT if draft else ""
    if info.blocked:
        return f"You have blocked {peer_name(info, 24)}. Unblock to write.{kept}"
    if info.trust == Trust.PENDING:
        return f"Accept to write.{kept}"
    return ""


class ClosedBar(QWidget):
    """One sentence, and a button where it can be undone here. `unblocked`: it was pressed."""

    unblocked = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        m = measures_of(self.font())
        self.words = label("", wrap=True, ink="text_2")
        self.button = push_button("Unblock")
        self.button.clicked.connect(self.unblocked)
        row = QHBoxLayout(self)
        row.setContentsMargins(m.px(16), m.px(8), m.px(8), m.px(8))
        row.setSpacing(m.px(12))
        row.addWidget(self.words, 1, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignVCenter)
        self.setMinimumHeight(m.px(48))
        self.hide()

    def show_reason(self, info: PeerRow, draft: bool) -> bool:
        """Say why nothing can be written; whether that is so."""
        self.words.setText(closed_words(info, draft))
        self.button.setVisible(info.blocked)
        self.setVisible(bool(self.words.text()))
        return bool(self.words.text())
