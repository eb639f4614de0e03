"""A QR code as a widget: black on white in every theme, because cameras want it so."""

from chatnet_qt.qt import QColor, QPainter, QPaintEvent, QSize, Qt, QWidget

QUIET_MODULES = 4
"""White all around, as the standard wants it."""
MODULE_PIXELS = 5


class QrCode(QWidget):
    """Shows `text`; nothing for an empty one. `name` is what a screen reader says."""

    def __init__(
        self, text: str, name: str, parent: QWidget | None = None, *, module_px: int = MODULE_PIXELS
    ) -> None:
        super().__init__(parent)
        self._module_px = module_px
        self.setAccessibleName(name)
        self.modules = qr_modules(text)
        self.setFixedSize(self.sizeHint())

    def sizeHint(self) -> QSize:
        """Whole pixels a module, so that no edge is blurred."""
        side = len(self.modules) + 2 * QUIET_MODULES if self.modules else 0
        return QSize(side * self._module_px, side * self._module_px)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the modules."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(Qt.GlobalColor.white))
        step, black = self._module_px, QColor(Qt.GlobalColor.black)
        for y, line in enumerate(self.modules):
            for x, dark in enumerate(line):
                if dark:
                    left, top = (x + QUIET_MODULES) * step, (y + QUIET_MODULES) * step
                    painter.fillRect(left, top, step, step, black)


def qr_modules(text: str) -> list[list[bool]]:
    """The dark modules of the code for `text`, line by line; none for an empty text."""
    if not text:
        return []
    import segno  # 40 ms, which the first paint does not wait for

    code = segno.make(text, error="m", micro=False)
    return [[module == 1 for module in line] for line in code.matrix]
