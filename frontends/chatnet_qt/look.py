"""How the application looks: theme and text size of the settings, on what the desktop brought."""

import os
from typing import TYPE_CHECKING

from chatnet_qt.qt import QApplication, QFont, QObject, QPalette
from chatnet_qt.settings import TEXT_SIZES, Settings
from chatnet_qt.theme import apply_text_size, apply_theme

if TYPE_CHECKING:
    from chatnet_qt.desktop import DesktopScheme


class Look(QObject):
    """Made before anything that is drawn: a later palette makes every control draw itself anew."""

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._system_palette = QPalette(QApplication.palette())
        self._system_font = QFont(QApplication.font())
        self._desktop = self._ask_desktop() if "DBUS_SESSION_BUS_ADDRESS" in os.environ else None
        self.apply()

    def _ask_desktop(self) -> "DesktopScheme":
        from chatnet_qt.desktop import DesktopScheme  # with D-Bus, only where there is one

        scheme = DesktopScheme(self)
        scheme.changed.connect(self.apply)
        scheme.ask()
        return scheme

    def apply(self) -> None:
        """Look as the settings say."""
        app = QApplication.instance()
        if isinstance(app, QApplication):
            dark = self._desktop.dark if self._desktop else None
            apply_theme(app, self._settings.theme, self._system_palette, dark)
            apply_text_size(app, self._system_font, TEXT_SIZES[self._settings.text_size])
