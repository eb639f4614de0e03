"""What the ticks mean and which keys there are."""

from collections.abc import Sequence

from chatnet_client.words.states import STATES, state_sentence
from chatnet_qt.icons import draw_tick
from chatnet_qt.labels import label, selectable
from chatnet_qt.qt import (
    QAction,
    QFormLayout,
    QLabel,
    QPainter,
    QPixmap,
    QPushButton,
    QRectF,
    Qt,
    QWidget,
)
from chatnet_qt.session import Session
from chatnet_qt.sheet import Sheet
from chatnet_qt.wording import shown_name

KEYS = (
    ("Enter", "send"),
    ("Shift+Enter", "new line"),
    ("Up", "bring the last message back into an empty box"),
    ("Ctrl+V, drop", "attach files"),
    ("Page Up, Page Down", "read the conversation, also while you write"),
    ("Shift+Tab, arrows, Enter", "walk through messages, details"),
    ("Esc", "close what is open, back to the message box"),
    ("Menu key", "what can be done with a message"),
    ("Del", "withdraw a message that was not sent yet; delete one that was withdrawn"),
)
"""Keys that belong to no menu."""


def keys_of(actions: Sequence[QAction]) -> list[tuple[str, str]]:
    """All keys and what they do: those of the menus, and those of the boxes."""
    named = [(a.shortcut().toString(), a.text().replace("&", "").rstrip("…")) for a in actions]
    return [*KEYS, *((key, words[:1].lower() + words[1:]) for key, words in named)]


class HelpDialog(Sheet):
    """A small table; blocks nothing."""

    def __init__(
        self, session: Session, actions: Sequence[QAction], parent: QWidget | None = None
    ) -> None:
        super().__init__("Ticks and keys", parent)
        form = QFormLayout()
        for state in STATES:
            words = label(state_sentence(state, "the other person"), wrap=True)
            form.addRow(self._tick(state), words)
        for keys, what in keys_of(actions):
            form.addRow(label(keys), label(what, wrap=True))
        view = session.view
        if view is not None:
            form.addRow(label("Session"), selectable(view.session.name))
            form.addRow(label("Received files"), selectable(shown_name(view.session.inbox, 400)))
            form.addRow(label("Log"), selectable(shown_name(view.session.log, 400) or "none"))
        self.body.addLayout(form)
        self.body.addStretch(1)
        close = QPushButton("Close")
        close.clicked.connect(self.reject)
        self.add_buttons(close)

    def _tick(self, state: str) -> QLabel:
        size = self.fontMetrics().height()
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap(round(size * 1.3 * ratio), round(size * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().color(self.palette().WindowText)
        draw_tick(painter, QRectF(2, 1, size - 2, size - 2), ink, state)
        painter.end()
        made = label()
        made.setPixmap(pixmap)
        made.setAccessibleName(state)
        return made
