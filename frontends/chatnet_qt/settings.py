"""What the window remembers of one session: looks, size and place, never what anybody wrote."""

import os
import re
from types import MappingProxyType

from chatnet_qt.bubble_layout import Numbers
from chatnet_qt.qt import QByteArray, QSettings
from chatnet_qt.theme import Theme

FILE_NAME = "qt.ini"
MAX_RECENT_EMOJI = 18
"""Two rows of the picker."""
PLACE = re.compile(r"([0-9]{1,9}) (-|[0-9a-f]{32}) (-?[0-9]{1,5})")
TEXT_SIZES = MappingProxyType({"S": 0.93, "M": 1.0, "L": 1.14, "XL": 1.29})
"""Text, relative to the font of the desktop."""


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
    def numbers(self) -> Numbers:
        """When ACK number and source stand beside messages."""
        value = str(self._file.value("numbers", Numbers.ALWAYS.value))
        return Numbers(value) if value in set(Numbers) else Numbers.ALWAYS

    @numbers.setter
    def numbers(self, when: Numbers) -> None:
        self._file.setValue("numbers", when.value)

    @property
    def text_size(self) -> str:
        """One of TEXT_SIZES."""
        value = str(self._file.value("text-size", "M"))
        return value if value in TEXT_SIZES else "M"

    @text_size.setter
    def text_size(self, size: str) -> None:
        self._file.setValue("text-size", size)

    @property
    def menu_bar(self) -> bool:
        """Whether the menus stand in a bar all the time."""
        return self._flag("menu-bar", False)

    @menu_bar.setter
    def menu_bar(self, on: bool) -> None:
        self._file.setValue("menu-bar", on)

    def is_muted(self, key: bytes) -> bool:
        """Whether messages under this key are announced."""
        return bool(key) and key.hex() in self._muted()

    def mute(self, key: bytes, on: bool) -> None:
        """Announce messages under this key no more, or again."""
        muted = [known for known in self._muted() if known != key.hex()]
        self._file.setValue("muted", ",".join([*muted, key.hex()] if on else muted))

    def _muted(self) -> list[str]:
        value = self._file.value("muted", "")
        words = value if isinstance(value, list) else str(value).split(",")
        return [str(word) for word in words if word]

    @property
    def pictures(self) -> bool:
        """Whether pictures are shown in messages."""
        return self._flag("pictures", True)

    @pictures.setter
    def pictures(self, on: bool) -> None:
        self._file.setValue("pictures", on)

    @property
    def recent_emoji(self) -> list[str]:
        """Those that were chosen last, the newest first."""
        value = self._file.value("recent-emoji", "")
        words = value if isinstance(value, list) else str(value).split(" ")
        return [str(word) for word in words if word][:MAX_RECENT_EMOJI]

    def use_emoji(self, text: str) -> None:
        """One was chosen."""
        others = [known for known in self.recent_emoji if known != text]
        self._file.setValue("recent-emoji", " ".join([text, *others][:MAX_RECENT_EMOJI]))

    @property
    def blur(self) -> bool:
        """Whether the window is blurred while another one is used."""
        return self._flag("blur", False)

    @blur.setter
    def blur(self, on: bool) -> None:
        self._file.setValue("blur", on)

    @property
    def to_tray(self) -> bool:
        """Whether a closed window leaves its icon in the notification area."""
        return self._flag("to-tray", True)

    @to_tray.setter
    def to_tray(self, on: bool) -> None:
        self._file.setValue("to-tray", on)

    @property
    def names_in_notifications(self) -> bool:
        """Whether announcements name the sender."""
        return self._flag("names-in-notifications", True)

    @names_in_notifications.setter
    def names_in_notifications(self, on: bool) -> None:
        self._file.setValue("names-in-notifications", on)

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
    def blink(self) -> bool:
        """Whether the icon in the notification area blinks while something is unread."""
        return self._flag("blink", False)

    @blink.setter
    def blink(self, on: bool) -> None:
        self._file.setValue("blink", on)

    @property
    def announced_background(self) -> bool:
        """Whether the user was informed that closing the window leaves the engine running."""
        return self._flag("announced-background", False)

    @announced_background.setter
    def announced_background(self, announced: bool) -> None:
        self._file.setValue("announced-background", announced)

    @property
    def geometry(self) -> QByteArray:
        """Size and place of the window; empty at first."""
        value = self._file.value("geometry", QByteArray())
        return value if isinstance(value, QByteArray) else QByteArray()

    @geometry.setter
    def geometry(self, geometry: QByteArray) -> None:
        self._file.setValue("geometry", geometry)

    @property
    def place(self) -> tuple[int, bytes, int]:
        """The peer whose conversation is on screen, 0: none; the message that is read in it, empty:
        the newest; how far that is below the upper edge of the window, in px."""
        if (found := PLACE.fullmatch(str(self._file.value("place", "")))) is None:
            return 0, b"", 0
        peer, message, px = found.groups()
        return int(peer), bytes.fromhex(message.strip("-")), int(px)

    @place.setter
    def place(self, place: tuple[int, bytes, int]) -> None:
        peer, message, px = place
        self._file.setValue("place", f"{peer} {message.hex() or '-'} {px}")

    def _flag(self, name: str, default: bool) -> bool:
        return str(self._file.value(name, default)).lower() == "true"
