"""Where messages are written: a text box that grows, the files beside it, and the send button.

Shares what is written through `SharedDraft` and says that somebody is typing. Sends nothing by
itself but drafts: `send_wanted(text, draft revision, paths)` is carried out by the pane.
"""

import time
from functools import cached_property
from typing import TYPE_CHECKING

from chatnet_client.client_events import Answered
from chatnet_client.draft import SharedDraft
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import DraftSet, SetDraft, SetPeer, SetTyping
from chatnet_qt.attachments import AttachmentRow, local_paths
from chatnet_qt.bubble_layout import WIDE_FROM, column_of
from chatnet_qt.closed_bar import ClosedBar
from chatnet_qt.controls import IconButton
from chatnet_qt.qt import (
    QApplication,
    QBrush,
    QDragEnterEvent,
    QDropEvent,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPoint,
    QRectF,
    QResizeEvent,
    Qt,
    QTextCursor,
    QTimer,
    QVBoxLayout,
    QWidget,
    present,
    pyqtSignal,
)
from chatnet_qt.reply_bar import ReplyBar
from chatnet_qt.session import Session
from chatnet_qt.text_box import TextBox
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import measures_of

if TYPE_CHECKING:
    from chatnet_qt.emoji_completion import EmojiCompletion

BAR_PX = 10
"""Of the conversation, which the column does not count."""
TYPING_EVERY_S = 3.0
"""The engine forgets "typing" after a few seconds, so it is sent again this often."""


class Composer(QFrame):
    """The lower edge of a conversation."""

    send_wanted = pyqtSignal(str, int, list)
    conflict_changed = pyqtSignal(bool)
    refused = pyqtSignal(str)
    recalled = pyqtSignal()
    emoji_wanted = pyqtSignal(object, QPoint)

    def __init__(self, session: Session, peer: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._peer = peer
        self._draft = SharedDraft(peer)
        self._conflict_shown = False
        self._typing_said: float | None = None
        self._adopting = False
        self.box = TextBox()
        self.closed = ClosedBar()
        """In the place of all else while nothing can be sent to this peer."""
        self._open = QWidget()
        self.reply_bar = ReplyBar()
        self.attachments = AttachmentRow()
        self.attach_button = IconButton("clip", "Attach files (Ctrl+O)")
        self.emoji_button = IconButton("smile", "Emoji (Ctrl+E, or :name)")
        self.send_button = IconButton("send", "Send (Enter)")
        self.send_button.filled = True
        self._share_timer = QTimer(self)
        self._share_timer.setSingleShot(True)
        self._lay_out()
        self._connect()
        self._on_reset()
        self._update()

    def _lay_out(self) -> None:
        self.box.setPlaceholderText("Write a message")
        m = measures_of(self.font())
        whole = QVBoxLayout(self)
        whole.setSpacing(0)
        whole.addWidget(self.closed)
        whole.addWidget(self._open)
        column = QVBoxLayout(self._open)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.reply_bar)
        column.addWidget(self.attachments)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.setContentsMargins(m.px(5), m.px(5), m.px(5), m.px(5))
        row.addWidget(self.attach_button, 0, Qt.AlignmentFlag.AlignBottom)
        row.addWidget(self.box, 1, Qt.AlignmentFlag.AlignBottom)
        row.addWidget(self.emoji_button, 0, Qt.AlignmentFlag.AlignBottom)
        row.addWidget(self.send_button, 0, Qt.AlignmentFlag.AlignBottom)
        column.addLayout(row)
        self._put_in_column()

    def _put_in_column(self) -> None:
        """The field has the edges of the bubbles."""
        m = measures_of(self.font())
        left, wide = column_of(self.width() - BAR_PX, m)
        right = max(m.px(8), self.width() - round(left + wide))
        below = m.px(16) if self.width() >= m.px(WIDE_FROM) else m.px(8)
        present(self.layout()).setContentsMargins(round(left), m.px(8), right, below)
        self.update()

    def _connect(self) -> None:
        self.box.textChanged.connect(self._on_edit)
        self.box.enter.connect(self.send)
        self.box.recalled.connect(self.recalled)
        self.box.focused.connect(self.update)
        self.box.files.connect(self.attachments.add)
        self.attachments.changed.connect(self._update)
        self.attachments.refused.connect(self.refused)
        self.attach_button.clicked.connect(self.choose_files)
        self.send_button.clicked.connect(self.send)
        self.emoji_button.clicked.connect(self.choose_emoji)
        self._share_timer.timeout.connect(self._share)
        self.closed.unblocked.connect(
            lambda: self._session.request(SetPeer(self._peer, blocked=False))
        )
        self._session.was_reset.connect(self._on_reset)
        self._session.changed.connect(self._on_event)

    @cached_property
    def completion(self) -> "EmojiCompletion":
        """Emoji by name: made, and its module loaded, at the first colon."""
        from chatnet_qt.emoji_completion import EmojiCompletion

        return EmojiCompletion(self.box)

    # --- what people do ---

    def send(self) -> None:
        """Send what is written and attached."""
        text = self.box.written()
        if self.is_closed or not (text.strip() or self.attachments.paths):
            return
        answers = self.reply_bar.message_id
        if text.strip() and (problem := self._session.keep_text(self._peer, text, answers)):
            self.refused.emit(problem)
            return
        sent, revision = (text, self._draft.take_sent()) if text.strip() else ("", 0)
        if sent:
            self.reply_bar.take()
        self._show(self._draft.text)
        self.send_wanted.emit(sent, revision, self.attachments.take())
        self._say_typing(False)
        self._follow(False)

    def choose_files(self) -> None:
        """Pick files to attach."""
        if self.is_closed:
            return
        dialog = QFileDialog(self, "Attach files")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self.attachments.add)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def choose_emoji(self) -> None:
        """Pick an emoji to write."""
        if self.is_closed:
            return
        button = self.emoji_button
        self.emoji_wanted.emit(self.insert, button.mapToGlobal(button.rect().topRight()))

    def insert(self, text: str) -> None:
        """Write something where the cursor is."""
        self.box.insertPlainText(text)
        self.box.setFocus()

    def take_theirs(self) -> None:
        """Discard the own text for the draft written elsewhere."""
        self._draft.take_theirs()
        self._follow(True)

    def put_back(self, text: str) -> None:
        """A text that is not sent after all: into the box, unless something else stands there."""
        if not self.box.written():
            self.put_below(text)

    def put_below(self, text: str) -> None:
        """A text that is nowhere else: into the box, below what stands there."""
        written = self.box.written()
        self.box.setPlainText(f"{written}\n{text}" if written else text)
        self.box.moveCursor(QTextCursor.MoveOperation.End)
        self.box.setFocus()

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent to this peer: it is blocked, or was not accepted yet."""
        return self.closed.isVisibleTo(self)

    def type_key(self, event: QKeyEvent) -> None:
        """A key pressed elsewhere that belongs here."""
        if self.is_closed:
            return
        self.box.setFocus()
        self.box.keyPressEvent(event)

    def flush(self) -> None:
        """Share what is written before the window goes."""
        self._ask(self._draft.take_flush())
        self._say_typing(False)

    # --- draft ---

    def _on_edit(self) -> None:
        self._update()
        if self._adopting:
            return
        text = self.box.written()
        if ":" in text and "completion" not in vars(self):
            self.completion.look()
        follows = self._draft.handle_edit(text, time.monotonic())
        self._say_typing(bool(text))
        self._follow(follows)

    def _follow(self, shows: bool) -> None:
        """What depends on the draft; `shows`: the text box as well."""
        if shows:
            self._show(self._draft.text)
        if self._conflict_shown != self._draft.conflicted:
            self._conflict_shown = self._draft.conflicted
            self.conflict_changed.emit(self._draft.conflicted)
        self._arm()

    def _arm(self) -> None:
        due = self._draft.next_timeout()
        if due is None:
            self._share_timer.stop()
        else:
            self._share_timer.start(max(0, round((due - time.monotonic()) * 1000) + 1))

    def _share(self) -> None:
        self._ask(self._draft.take_command(time.monotonic()))
        self._arm()

    def _ask(self, command: SetDraft | None) -> None:
        if command is None:
            return
        asked = command

        def on_answer(answer: Answered) -> None:
            result = answer.result if isinstance(answer.result, DraftSet) else None
            self._follow(self._draft.handle_answer(asked, result))

        self._session.request(command, on_answer)

    def _on_event(self, event: ev.Event) -> None:
        if isinstance(event, ev.PeerChanged) and event.row.peer == self._peer:
            self._open_or_close()
        if not isinstance(event, ev.DraftChanged) or event.peer != self._peer:
            return
        self._follow(self._draft.handle_changed(event.text, event.revision))

    def _on_reset(self) -> None:
        peer = self._session.peer(self._peer)
        if peer is not None:
            self._follow(self._draft.handle_snapshot(peer.draft, peer.draft_revision))
            self._open_or_close()

    def _open_or_close(self) -> None:
        """The box, or why there is none; what is written and attached stays either way."""
        peer = self._session.peer(self._peer)
        if peer is None:
            return
        had_focus = self.isAncestorOf(QApplication.focusWidget())
        something = bool(self.box.written().strip() or self.attachments.paths)
        closed = self.closed.show_reason(peer.info, something)
        self._open.setVisible(not closed)
        if closed:
            self._say_typing(False)
        elif had_focus:
            self.box.setFocus()

    def _show(self, text: str) -> None:
        if self.box.written() == text:
            return
        self._adopting = True
        self.box.setPlainText(text)
        self.box.moveCursor(QTextCursor.MoveOperation.End)
        self._adopting = False
        self._update()

    def _say_typing(self, typing: bool) -> None:
        now = time.monotonic()
        if typing:
            if self._typing_said is not None and now - self._typing_said < TYPING_EVERY_S:
                return
            self._typing_said = now
        elif self._typing_said is None:
            return
        else:
            self._typing_said = None
        self._session.request(SetTyping(self._peer, typing), lambda _answer: None)

    # --- looks ---

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """A round field around it all, its edge in colour while it is being written in."""
        painter, c, m = QPainter(self), colours_of(self.palette()), measures_of(self.font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), c.canvas)
        focused = self.box.hasFocus()
        painter.setPen(QPen(c.accent if focused else c.edge, 1))
        painter.setBrush(QBrush(c.field))
        inside = self.rect().marginsRemoved(present(self.layout()).contentsMargins())
        field = QRectF(inside).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(field, m.px(12), m.px(12))

    def _update(self) -> None:
        something = bool(self.box.written().strip() or self.attachments.paths)
        self.send_button.setEnabled(something)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Another column."""
        super().resizeEvent(event)
        self._put_in_column()

    def accept_drag(self, event: QDragEnterEvent) -> bool:
        """Whether what is dragged over the conversation could be attached."""
        data = event.mimeData()
        return not self.is_closed and data is not None and bool(local_paths(data))

    def accept_drop(self, event: QDropEvent) -> None:
        """Attach what was dropped."""
        data = event.mimeData()
        if data is not None:
            self.attachments.add(local_paths(data))
            self.box.setFocus()
