"""Everything that is known of one message, in a window of its own that blocks nothing."""

from chatnet_client.words import size_words
from chatnet_client.words.offers import left_out_words, not_updated_words, renamed_words
from chatnet_client.words.states import state_sentence
from chatnet_qt.bubble import Bubble
from chatnet_qt.bubble_actions import ACTION_WORDS, SHOW_ALL, actions_of, more_actions_of
from chatnet_qt.labels import label, selectable
from chatnet_qt.qt import (
    QFormLayout,
    QKeySequence,
    QPlainTextEdit,
    QPushButton,
    Qt,
    QWidget,
    pyqtSignal,
)
from chatnet_qt.sheet import Sheet
from chatnet_qt.wording import (
    moment_words,
    not_sent_words,
    shown_name,
    shown_text,
    transfer_words,
)

MAX_FILES_LISTED = 1000
TEXT_LINES = 6
"""Of the text box, at least."""


class MessageDetails(Sheet):
    """The inspector. `acted(id, action)` as from the bubble itself."""

    acted = pyqtSignal(bytes, str)

    def __init__(self, bubble: Bubble, parent: QWidget | None = None) -> None:
        super().__init__("Message details", parent)
        text = QPlainTextEdit()
        text.setReadOnly(True)
        text.setPlainText(content_of(bubble))
        text.setAccessibleName("Text")
        text.setTabChangesFocus(True)
        text.setMinimumHeight(TEXT_LINES * text.fontMetrics().lineSpacing())
        self.body.addWidget(text, 1)
        form = QFormLayout()
        form.setLabelAlignment(Qt.AlignmentFlag.AlignRight)
        for name, value in facts_of(bubble):
            form.addRow(label(name), selectable(value))
        self.body.addLayout(form)
        actions = [
            act
            for act in actions_of(bubble) + more_actions_of(bubble)
            if act not in (SHOW_ALL, "always")
        ]
        close = QPushButton("Close")
        close.setShortcut(QKeySequence(Qt.Key.Key_Escape))
        close.clicked.connect(self.reject)
        buttons = tuple(self._button(bubble.row.id, action) for action in actions)
        self.add_buttons(close, left=buttons)

    def _button(self, message_id: bytes, action: str) -> QPushButton:
        button = QPushButton(ACTION_WORDS[action])

        def on_click() -> None:
            self.acted.emit(message_id, action)
            self.close()

        button.clicked.connect(on_click)
        return button


def content_of(bubble: Bubble) -> str:
    """The whole text, or the list of files."""
    if bubble.offer is None:
        return shown_text(bubble.text)
    if bubble.offer.listing is not None:
        things = bubble.offer.listing.things[:MAX_FILES_LISTED]
        return "\n".join(
            f"{shown_name(one.name, 400)}  ({one.files:,} files, {size_words(one.size_bytes)})"
            for one in things
        )
    files = bubble.offer.files[:MAX_FILES_LISTED]
    folders = bubble.offer.folders[: MAX_FILES_LISTED - len(files)]
    lines = [
        f"{shown_name('/'.join(file.path), 400)}  ({size_words(file.size_bytes)})" for file in files
    ]
    lines += [f"{shown_name('/'.join(folder.path), 400)}/  (empty)" for folder in folders]
    return "\n".join(lines)


def facts_of(bubble: Bubble) -> list[tuple[str, str]]:
    """Names and values, most wanted first."""
    row, transfer = bubble.row, bubble.transfer
    facts = [("From", bubble.author)]
    if row.mine:
        state = state_sentence(bubble.state, bubble.peer_name)
        facts.append(("State", not_sent_words(row) if row.failed else state))
        facts.append(("ACK number", str(row.ack) if row.ack else "not known yet"))
        facts.append(("Written", moment_words(row.sent_ms)))
        facts.append(("Sequence number", str(row.seq)))
    else:
        facts.append(("ACK number", str(row.ack)))
        facts.append(("Came from", shown_name(row.source)))
        facts.append(("Written", f"{moment_words(row.sent_ms)} (by their clock)"))
        facts.append(("Arrived", moment_words(row.arrived_ms)))
    if transfer is not None:
        facts.append(("Transfer", transfer_words(transfer, bubble.peer_name, delivered=True)))
        facts.append(("Size", f"{size_words(transfer.size_bytes)} ({transfer.size_bytes:,} bytes)"))
        if left_out := left_out_words(transfer.differences, shown_name):
            facts.append(("Left out", left_out))
        if renamed := renamed_words(transfer.differences, shown_name):
            facts.append(("Names", renamed))
        if not_updated := not_updated_words(transfer):
            facts.append(("Update", shown_name(not_updated)))
        elif transfer.updates_allowed:
            facts.append(("Update", "later ones may take its place"))
        if transfer.path:
            facts.append(("Path", shown_name(transfer.path, 4096)))
    facts.append(("Position in history", str(row.no)))
    facts.append(("Lamport counter", str(row.lamport)))
    facts.append(("Id", row.id.hex()))
    return facts
