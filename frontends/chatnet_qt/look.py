"""How the application looks: theme and text size of the settings, on what the desktop brought."""

from chatnet_qt.desktop import DesktopScheme
from chatnet_qt.qt import QApplication, QFont, QObject, QPalette
from chatnet_qt.settings import TEXT_SIZES, Settings
from chatnet_qt.theme import apply_text_size, apply_theme


class Look(QObject):
    """Made before anything that is drawn: a later palette makes every control draw itself anew."""

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._system_palette = QPalette(QApplication.palette())
        self._system_font = QFont(QApplication.font())
        self._desktop = DesktopScheme(self)
        self._desktop.changed.connect(self.apply)
        self._desktop.ask()
        self.apply()

    def apply(self) -> None:
        """Look as the settings say."""
        app = QApplication.instance()
        if isinstance(app, QApplication):
            apply_theme(app, self._settings.theme, self._system_palette, self._desktop.dark)
            apply_text_size(app, self._system_font, TEXT_SIZES[self._settings.text_size])
