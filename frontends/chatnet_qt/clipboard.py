"""What people copy."""

from chatnet_qt.qt import QGuiApplication, present


def copy(words: str) -> None:
    """Put words on the clipboard."""
    present(QGuiApplication.clipboard()).setText(words)
