"""The only place that makes labels: always plain text, so that no name or message is markup."""

from chatnet_qt.qt import QLabel, QSizePolicy, Qt, QToolButton, QWidget


def label(text: str = "", parent: QWidget | None = None, *, wrap: bool = False) -> QLabel:
    """A label that shows `text` as it is."""
    made = QLabel(parent)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setText(text)
    made.setWordWrap(wrap)
    if wrap:
        made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    return made


def selectable(text: str, parent: QWidget | None = None) -> QLabel:
    """A label whose text can be selected with mouse and keyboard."""
    made = label(text, parent, wrap=True)
    by_mouse = Qt.TextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    made.setTextInteractionFlags(by_mouse | Qt.TextInteractionFlag.TextSelectableByKeyboard)
    return made


def tool_button(name: str, parent: QWidget | None = None) -> QToolButton:
    """A flat button with an icon; `name` is its tooltip and what a screen reader says."""
    made = QToolButton(parent)
    made.setAutoRaise(True)
    made.setToolTip(name)
    made.setAccessibleName(name)
    return made
