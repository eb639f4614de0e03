"""What is on screen is blurred while another program is used, for those who want that."""

from chatnet_qt.qt import (
    QApplication,
    QPainter,
    QPaintEvent,
    QPixmap,
    QSize,
    Qt,
    QWidget,
    present,
    pyqtSignal,
)
from chatnet_qt.theme import colours_of

BLUR = 24
"""Pixels that become one: no letter is left of a text of any size that settings offer."""


def blurred(picture: QPixmap) -> QPixmap:
    """The same without anything that could be read."""
    smooth = Qt.TransformationMode.SmoothTransformation
    aspect = Qt.AspectRatioMode.IgnoreAspectRatio
    size = picture.size()
    small = QSize(max(1, size.width() // BLUR), max(1, size.height() // BLUR))
    return picture.scaled(small, aspect, smooth).scaled(size, aspect, smooth)


class PrivacyCover(QWidget):
    """Over everything in `window` while it is not the active one. `covered(on)`."""

    covered = pyqtSignal(bool)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._picture = QPixmap()
        self._on = False
        self.setProperty("floats", True)
        self.setAccessibleName("Hidden until the window is used again")
        self.hide()

    def set_on(self, on: bool) -> None:
        """Whether the person wants this."""
        self._on = on
        self.follow()

    def follow(self) -> None:
        """The focus may have gone to another window."""
        active = QApplication.activeWindow() is not None
        if self._on and not active and self.isHidden():
            self.cover()
        elif (active or not self._on) and not self.isHidden():
            self.hide()
            self._picture = QPixmap()
            self.covered.emit(False)

    def cover(self) -> None:
        """Hide everything now."""
        self._picture = blurred(present(self.parentWidget()).grab())
        self.fit()
        self.raise_()
        self.show()
        self.covered.emit(True)

    def fit(self) -> None:
        """Cover all of the window, whose size may have changed."""
        self.setGeometry(present(self.parentWidget()).rect())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The blurred picture, stretched if the window has another size by now."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), colours_of(self.palette()).window)
        painter.drawPixmap(self.rect(), self._picture)
