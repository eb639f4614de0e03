"""What the ticks mean and which keys there are."""

from chatnet_qt.icons import draw_tick
from chatnet_qt.labels import label, selectable
from chatnet_qt.qt import (
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
from chatnet_qt.wording import STATE_SENTENCES, shown_name

KEYS = (
    ("Enter", "send"),
    ("Shift+Enter", "new line"),
    ("Ctrl+O, Ctrl+V, drop", "attach files"),
    ("Ctrl+F", "find"),
    ("Page Up, Page Down", "read the conversation, also while you write"),
    ("Ctrl+Home, Ctrl+End", "to the first message, to the newest one"),
    ("Shift+Tab, arrows, Enter", "walk through messages, details"),
    ("Esc", "back to the message box"),
    ("Menu key", "what can be done with a message"),
    ("Del", "withdraw a message that was not sent yet"),
    ("Ctrl+Tab", "next conversation"),
    ("Ctrl+Q", "close the window, the engine goes on"),
)


class HelpDialog(Sheet):
    """A small table; blocks nothing."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Ticks and keys", parent)
        form = QFormLayout()
        for state, sentence in STATE_SENTENCES.items():
            words = label(f"{state.capitalize()}. {sentence}", wrap=True)
            form.addRow(self._tick(state), words)
        for keys, what in KEYS:
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
