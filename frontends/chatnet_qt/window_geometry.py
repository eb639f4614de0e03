"""Size and place of the window: kept while it changes, so that a killed window's successor has them
too, and restored on a screen that may be another one."""

from chatnet_qt.qt import QEvent, QMainWindow, QObject, QTimer, present
from chatnet_qt.settings import Settings

FIRST_SIZE = (1040, 720)
OF_SCREEN = 0.92
"""The first window takes no more than this share of the screen."""
KEEP_MS = 500
"""Written down this long after a change: not at every step of a drag."""


class WindowGeometry(QObject):
    """Of one window, which gets its size when this is made."""

    def __init__(self, window: QMainWindow, settings: Settings) -> None:
        super().__init__(window)
        self._window = window
        self._settings = settings
        self._keeping = QTimer(self)
        self._keeping.setSingleShot(True)
        self._keeping.setInterval(KEEP_MS)
        self._keeping.timeout.connect(self.keep)
        self._restore()
        window.installEventFilter(self)

    def keep(self) -> None:
        """Write it down now."""
        self._keeping.stop()
        if (now := self._window.saveGeometry()) != self._settings.geometry:
            self._settings.geometry = now

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Moved or resized."""
        if event is not None and event.type() in (QEvent.Type.Resize, QEvent.Type.Move):
            self._keeping.start()
        return super().eventFilter(watched, event)

    def _restore(self) -> None:
        geometry = self._settings.geometry
        if geometry.isEmpty() or not self._window.restoreGeometry(geometry):
            space = present(self._window.screen()).availableGeometry()
            wide = min(FIRST_SIZE[0], int(space.width() * OF_SCREEN))
            self._window.resize(wide, min(FIRST_SIZE[1], int(space.height() * OF_SCREEN)))
