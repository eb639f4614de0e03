"""One picture alone: as large as the window, closer, to copy and to save."""

import os
import shutil

from chatnet_client.words import size_words
from chatnet_qt.controls import IconButton
from chatnet_qt.decoder import MAX_SIDE_PX, Decoded, Decoder
from chatnet_qt.labels import ElidedLabel, label
from chatnet_qt.qt import (
    QDesktopServices,
    QDialog,
    QFileDialog,
    QGraphicsPixmapItem,
    QGraphicsScene,
    QGraphicsView,
    QGuiApplication,
    QHBoxLayout,
    QImage,
    QKeyEvent,
    QPainter,
    QPixmap,
    QResizeEvent,
    QStackedLayout,
    Qt,
    QUrl,
    QVBoxLayout,
    QWheelEvent,
    QWidget,
    present,
)
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import measures_of
from chatnet_qt.wording import shown_name

STEP = 1.25
MAX_ZOOM = 8.0
"""Device pixels a pixel."""
OF_SCREEN = 0.85
NOT_SHOWN = "This file cannot be shown as a picture. The program for it may: Open."


class Canvas(QGraphicsView):
    """A picture that fits until one goes closer; then it is moved by the mouse."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._item: QGraphicsPixmapItem | None = None
        self.fits = True
        self.setScene(QGraphicsScene(self))
        self.setFrameShape(QGraphicsView.Shape.NoFrame)
        self.setDragMode(QGraphicsView.DragMode.ScrollHandDrag)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.AnchorUnderMouse)
        self.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self.setBackgroundBrush(colours_of(self.palette()).sunken)
        self.setAccessibleName("Picture")

    @property
    def zoom(self) -> float:
        """Size on screen, relative to the picture's own."""
        return float(self.transform().m11())

    def show_picture(self, pixmap: QPixmap) -> None:
        """Show this one, as large as it fits."""
        scene = present(self.scene())
        scene.clear()
        self._item = scene.addPixmap(pixmap)
        present(self._item).setTransformationMode(Qt.TransformationMode.SmoothTransformation)
        self.fit()

    def fit(self) -> None:
        """The whole picture, never larger than it is."""
        self.fits = True
        if self._item is None:
            return
        self.resetTransform()
        space, picture = present(self.viewport()).size(), self._item.boundingRect()
        least = min(space.width() / picture.width(), space.height() / picture.height())
        if least < 1:
            self.scale(least, least)

    def zoom_by(self, factor: float) -> None:
        """Closer, or further away; not beyond what makes sense."""
        wanted = min(MAX_ZOOM, max(0.02, self.zoom * factor))
        if self._item is not None:
            self.fits = False
            self.scale(wanted / self.zoom, wanted / self.zoom)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """The wheel goes closer, around the mouse."""
        if event is not None and event.angleDelta().y():
            self.zoom_by(STEP if event.angleDelta().y() > 0 else 1 / STEP)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """What fits goes on fitting."""
        super().resizeEvent(event)
        if self.fits:
            self.fit()


class PictureViewer(QDialog):
    """Of the picture in a file. Closes by Esc; blocks nothing."""

    def __init__(self, path: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self.image = QImage()
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        name = shown_name(os.path.basename(path), 200)
        self.setWindowTitle(name)
        self.canvas = Canvas()
        self.problem = label("Opening…", wrap=True, ink="text_2")
        self.problem.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.facts = ElidedLabel(name, font="medium")
        self.closer = IconButton("plus", "Closer (+)")
        self.further = IconButton("minus", "Further away (-)")
        self.whole = IconButton("whole", "Whole picture (0)")
        self.copies = IconButton("copy", "Copy picture (Ctrl+C)")
        self.saves = IconButton("download", "Save as… (Ctrl+S)")
        self.opens = IconButton("open", "Open in another program")
        self._lay_out()
        self.closer.clicked.connect(lambda: self.canvas.zoom_by(STEP))
        self.further.clicked.connect(lambda: self.canvas.zoom_by(1 / STEP))
        self.whole.clicked.connect(self.canvas.fit)
        self.copies.clicked.connect(self.copy)
        self.saves.clicked.connect(self.save)
        self.opens.clicked.connect(self.open_elsewhere)
        self._decoder = Decoder(MAX_SIDE_PX, self)
        self._decoder.done.connect(self._on_done)
        self._decoder.ask(b"", path)
        self._enable(False)

    def _lay_out(self) -> None:
        m = measures_of(self.font())
        row = QHBoxLayout()
        row.setContentsMargins(m.px(16), m.px(8), m.px(8), m.px(8))
        row.setSpacing(m.px(4))
        row.addWidget(self.facts, 1)
        for button in self._buttons():
            row.addWidget(button)
        self._middle = QStackedLayout()
        self._middle.addWidget(self.problem)
        self._middle.addWidget(self.canvas)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addLayout(self._middle, 1)
        space = present(self.screen()).availableGeometry()
        self.resize(
            min(m.px(960), int(space.width() * OF_SCREEN)),
            min(m.px(720), int(space.height() * OF_SCREEN)),
        )

    def _buttons(self) -> list[IconButton]:
        return [self.further, self.closer, self.whole, self.copies, self.saves, self.opens]

    def _enable(self, on: bool) -> None:
        for button in (self.further, self.closer, self.whole, self.copies):
            button.setEnabled(on)

    def _on_done(self, _key: bytes, found: Decoded | None) -> None:
        if found is None:
            self.problem.setText(NOT_SHOWN)
            return
        self.image = found.image
        size = size_words(os.path.getsize(self.path)) if os.path.exists(self.path) else ""
        name = shown_name(os.path.basename(self.path), 200)
        self.facts.setText(f"{name} · {found.full[0]} x {found.full[1]} · {size}")
        self._middle.setCurrentWidget(self.canvas)
        self.canvas.show_picture(QPixmap.fromImage(self.image))
        self._enable(True)
        self.canvas.setFocus()

    def copy(self) -> None:
        """The picture onto the clipboard: its pixels, never the file's bytes."""
        if not self.image.isNull():
            present(QGuiApplication.clipboard()).setImage(self.image)

    def save(self) -> None:
        """The file as it came, somewhere else."""
        dialog = QFileDialog(self, "Save picture")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.selectFile(os.path.basename(self.path))
        dialog.fileSelected.connect(self.save_as)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def save_as(self, path: str) -> None:
        """Write the file there; what stands there was asked about."""
        try:
            shutil.copyfile(self.path, path)
        except (OSError, shutil.SameFileError) as error:
            reason = getattr(error, "strerror", "") or "it is the same file"
            self.facts.setText(f"Not saved: {reason}")
        else:
            self.facts.setText(f"Saved as {shown_name(path, 200)}")

    def open_elsewhere(self) -> None:
        """In the program that the desktop has for it."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(self.path))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """+, -, 0, Ctrl+C and Ctrl+S; Esc closes."""
        if event is None:
            return
        ctrl = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        match event.key():
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                self.canvas.zoom_by(STEP)
            case Qt.Key.Key_Minus:
                self.canvas.zoom_by(1 / STEP)
            case Qt.Key.Key_0:
                self.canvas.fit()
            case Qt.Key.Key_C if ctrl:
                self.copy()
            case Qt.Key.Key_S if ctrl:
                self.save()
            case _:
                super().keyPressEvent(event)
