"""The box in which a message is written: plain text, files beside it, keys that mean something."""

from chatnet_protocol.text import typed_text
from chatnet_qt.attachments import local_paths, save_picture
from chatnet_qt.qt import (
    QEvent,
    QFocusEvent,
    QFontMetricsF,
    QFrame,
    QImage,
    QKeyEvent,
    QMimeData,
    QPlainTextEdit,
    QResizeEvent,
    Qt,
    QWidget,
    present,
    pyqtSignal,
)
from chatnet_qt.reading_keys import step_of
from chatnet_qt.reply_bar import reply_step
from chatnet_qt.tokens import measures_of

MAX_LINES_SHOWN = 8


class TextBox(QPlainTextEdit):
    """Plain text, as tall as what is in it. `enter` to send, `files(paths)` pasted or dropped."""

    enter = pyqtSignal()
    files = pyqtSignal(list)
    escaped = pyqtSignal()
    stepped = pyqtSignal(int)
    recalled = pyqtSignal()
    focused = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Message")
        present(self.viewport()).setAutoFillBackground(False)
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setProperty("kind", "bare")
        present(present(self.document()).documentLayout()).documentSizeChanged.connect(self._fit)
        self._fit()

    def written(self) -> str:
        """The text as a message may hold it."""
        return typed_text(self.toPlainText())

    def _fit(self) -> None:
        """QPlainTextEdit counts its document's height in lines."""
        lines = max(1.0, present(present(self.document()).documentLayout()).documentSize().height())
        many = lines > MAX_LINES_SHOWN
        line = QFontMetricsF(self.font()).lineSpacing()
        around = 2 * present(self.document()).documentMargin()
        least = measures_of(self.font()).px(36)
        tall = max(least, round(min(lines, MAX_LINES_SHOWN) * line + around) + 1)
        above = round((tall - line * min(lines, MAX_LINES_SHOWN) - around) / 2)
        self.setViewportMargins(0, max(0, above), 0, 0)
        self.setFixedHeight(tall)
        wanted = Qt.ScrollBarPolicy.ScrollBarAsNeeded
        never = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setVerticalScrollBarPolicy(wanted if many else never)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Lines wrap anew."""
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent | None) -> None:
        """Another font is another height."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:
            self._fit()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter sends, Shift+Enter is a new line."""
        if event is None:
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self.insertPlainText("\n")
                self.ensureCursorVisible()
            else:
                self.enter.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
        elif step := reply_step(event):
            self.stepped.emit(step)
        elif event.key() == Qt.Key.Key_Up and not self.toPlainText():
            self.recalled.emit()
        elif step_of(event) is not None:
            event.ignore()  # the conversation is read with it
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        """The edge around the box changes colour."""
        super().focusInEvent(event)
        self.focused.emit()

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        """And back."""
        super().focusOutEvent(event)
        self.focused.emit()

    def canInsertFromMimeData(self, source: QMimeData | None) -> bool:
        """Files and pictures as well as text."""
        if source is not None and (source.hasImage() or source.hasUrls()):
            return True
        return super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData | None) -> None:
        """Files go beside the text; text loses its looks."""
        if source is None:
            return
        paths = local_paths(source)
        if paths:
            self.files.emit(paths)
        elif source.hasImage() and not source.hasText():
            image = source.imageData()
            path = save_picture(image) if isinstance(image, QImage) else ""
            if path:
                self.files.emit([path])
        elif source.hasText():
            self.insertPlainText(typed_text(source.text()))
