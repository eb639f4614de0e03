"""The part of `qt` for D-Bus: loaded with what speaks to the desktop, after the first paint."""

from PyQt5.QtCore import QVariant
from PyQt5.QtDBus import QDBusArgument, QDBusConnection, QDBusError, QDBusMessage, QDBusVariant

__all__ = [
    "QDBusConnection",
    "QDBusError",
    "QDBusMessage",
    "QDBusVariant",
    "string_list",
    "unsigned",
]


def unsigned(number: int) -> QVariant:
    """A number for D-Bus, where int would be sent as a signed one."""
    made = QVariant(number)
    made.convert(QVariant.Type.UInt)
    return made


def string_list(words: list[str]) -> QDBusArgument:
    """Strings for D-Bus; a plain list would be one of variants."""
    made = QDBusArgument()
    made.add(words, int(QVariant.Type.StringList))
    return made
