"""What the window remembers of one session: looks and size, never anything of the conversation."""

import os

from chatnet_qt.qt import QByteArray, QSettings
from chatnet_qt.theme import Theme

FILE_NAME = "qt.ini"


class Settings:
    """Kept beside the session's other files."""

    def __init__(self, session_folder: str) -> None:
        self._file = QSettings(os.path.join(session_folder, FILE_NAME), QSettings.Format.IniFormat)

    def save(self) -> None:
        """Write to disk now."""
        self._file.sync()

    @property
    def theme(self) -> Theme:
        """Light, dark, or as the desktop says."""
        value = str(self._file.value("theme", Theme.SYSTEM.value))
        return Theme(value) if value in set(Theme) else Theme.SYSTEM

    @theme.setter
    def theme(self, theme: Theme) -> None:
        self._file.setValue("theme", theme.value)

    @property
    def footers(self) -> bool:
        """Whether ACK number and source are shown."""
        return self._flag("footers", True)

    @footers.setter
    def footers(self, on: bool) -> None:
        self._file.setValue("footers", on)

    @property
    def notifications(self) -> bool:
        """Whether new messages are announced while the window is not looked at."""
        return self._flag("notifications", True)

    @notifications.setter
    def notifications(self, on: bool) -> None:
        self._file.setValue("notifications", on)

    @property
    def text_in_notifications(self) -> bool:
        """Whether announcements show what was written."""
        return self._flag("text-in-notifications", False)

    @text_in_notifications.setter
    def text_in_notifications(self, on: bool) -> None:
        self._file.setValue("text-in-notifications", on)

    @property
    def said_engine_goes_on(self) -> bool:
        """Whether it has been said once that closing the window leaves the engine running."""
        return self._flag("said-engine-goes-on", False)

    @said_engine_goes_on.setter
    def said_engine_goes_on(self, said: bool) -> None:
        self._file.setValue("said-engine-goes-on", said)

    @property
    def geometry(self) -> QByteArray:
        """Size and place of the window; empty at first."""
        value = self._file.value("geometry", QByteArray())
        return value if isinstance(value, QByteArray) else QByteArray()

    @geometry.setter
    def geometry(self, geometry: QByteArray) -> None:
        self._file.setValue("geometry", geometry)

    def _flag(self, name: str, default: bool) -> bool:
        return str(self._file.value(name, default)).lower() == "true"
