"""Everything that is known of one message, in a window of its own that blocks nothing.

What the history holds is there at once; how the message travelled, when the engine has answered.
"""

from chatnet_client.words import deliveries, size_words
from chatnet_client.words.offers import left_out_words, not_updated_words, renamed_words
from chatnet_client.words.states import state_sentence
from chatnet_protocol.ipc.commands import Delivery
from chatnet_qt.bubble import Bubble
from chatnet_qt.bubble_actions import ACTION_WORDS, SHOW_ALL, actions_of, more_actions_of
from chatnet_qt.clipboard import copy
from chatnet_qt.controls import IconButton, Line
from chatnet_qt.labels import label, label_of, selectable
from chatnet_qt.qt import (
    QFormLayout,
    QHBoxLayout,
    QKeySequence,
    QPlainTextEdit,
    QPushButton,
    Qt,
    QWidget,
    pyqtSignal,
)
from chatnet_qt.sheet import Sheet
from chatnet_qt.step_list import StepList
from chatnet_qt.wording import (
    moment_words,
    not_sent_words,
    shown_name,
    shown_text,
    transfer_words,
)

MAX_FILES_LISTED = 1000
TEXT_LINES = 6
"""Of the text box, at least, where there are so many."""
SHORT_TEXT = 80
"""Characters that need no more than two lines."""


class MessageDetails(Sheet):
    """The inspector. `acted(id, action)` as from the bubble itself."""

    acted = pyqtSignal(bytes, str)

    def __init__(self, bubble: Bubble, parent: QWidget | None = None) -> None:
        super().__init__("Message details", parent)
        self._bubble = bubble
        self._facts: list[tuple[str, str]] = []
        text = QPlainTextEdit()
        text.setReadOnly(True)
        text.setPlainText(content_of(bubble))
        text.setAccessibleName("Text")
        text.setTabChangesFocus(True)
        lines = min(TEXT_LINES, 1 + content_of(bubble).count("\n", 0, MAX_FILES_LISTED))
        short = lines < TEXT_LINES and len(bubble.text) < SHORT_TEXT
        tall = (max(2, lines) + 1) * text.fontMetrics().lineSpacing()
        text.setMinimumHeight(tall)
        if short:
            text.setMaximumHeight(tall + text.fontMetrics().lineSpacing())
        self.body.addWidget(text, 0 if short else 1)
        self.state = label(state_of(bubble), wrap=True, font="medium")
        copy_all = IconButton("copy", "Copy all numbers")
        copy_all.clicked.connect(lambda: copy(self.as_text()))
        head = QHBoxLayout()
        head.addWidget(self.state, 1)
        head.addWidget(copy_all)
        self.body.addLayout(head)
        self.steps = StepList()
        self.body.addWidget(self.steps)
        self.missing = label("", wrap=True, font="small", ink="text_2")
        self.missing.hide()
        self.body.addWidget(self.missing)
        self.body.addWidget(Line())
        self._form = QFormLayout()
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignRight)
        self._form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self.body.addLayout(self._form)
        self.show_delivery(Delivery())
        self.missing.hide()
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

    def show_delivery(self, delivery: Delivery) -> None:
        """What the engine remembers of its way."""
        bubble = self._bubble
        if not bubble.is_kept:
            self.steps.show_steps(deliveries.steps_of(bubble.row, delivery, bubble.peer_name))
        self.missing.setText(deliveries.missing_words(bubble.row, delivery, bubble.state))
        self.missing.setVisible(bool(self.missing.text()))
        while self._form.rowCount():
            self._form.removeRow(0)
        self._facts = facts_of(bubble, delivery)
        for name, value in self._facts:
            shown = selectable(value)
            self._form.addRow(label_of(shown, name), shown)
        if self.isVisible():
            self.fit_screen()

    def as_text(self) -> str:
        """All steps and numbers, one a line."""
        lines = [self.state.text(), *self.steps.as_text()]
        lines += [f"{name}: {value}" for name, value in self._facts]
        return "\n".join(lines)

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


def state_of(bubble: Bubble) -> str:
    """How far an own message has come, or whose it is; a sentence without its full stop."""
    row = bubble.row
    if not row.mine:
        return f"Received from {bubble.peer_name}"
    return not_sent_words(row) if row.failed else state_sentence(bubble.state, bubble.peer_name)


def facts_of(bubble: Bubble, delivery: Delivery) -> list[tuple[str, str]]:
    """Names and values, most wanted first."""
    row, transfer = bubble.row, bubble.transfer
    facts = [("From", bubble.author)]
    if row.mine:
        facts.append(("ACK number", str(row.ack) if row.ack else "not known yet"))
        facts += deliveries.facts_of(row, delivery)
        facts.append(("Sequence number", str(row.seq)))
    else:
        facts.append(("ACK number", str(row.ack)))
        facts.append(("Came from", shown_name(row.source)))
        facts.append(("Written", f"{moment_words(row.sent_ms)},\nby their clock"))
        facts += deliveries.facts_of(row, delivery)
    if bubble.text:
        facts.append(("Size", f"{len(row.body):,} bytes"))
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
