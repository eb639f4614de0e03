"""A person without a mouse: keys go to whatever has the focus, shortcuts included."""

from typing import Any

from PyQt5.QtTest import QTest

from chatnet_qt.qt import QAbstractButton, QApplication, QLineEdit, Qt, QWidget
from qtworld import Stage

click: Any = QTest.keyClick
"""Static, which its stubs do not know."""
MAX_STEPS = 60
"""More Tabs than any window here has places."""


class Keyboard:
    """Presses keys on a stage, and lets happen what follows."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._last = ""

    @property
    def focus(self) -> QWidget:
        """Where a key goes now."""
        found = QApplication.activePopupWidget() or QApplication.focusWidget()
        assert found is not None, f"nothing has the focus after {self._last!r}"
        return found

    def press(
        self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
    ) -> None:
        """One key."""
        self._last = f"{key:#x} at {name_of(self.focus)}"
        click(self.focus, key, modifiers)
        self._stage.settle()

    def ctrl(self, key: Qt.Key) -> None:
        """The same with Ctrl."""
        self.press(key, Qt.KeyboardModifier.ControlModifier)

    def write(self, text: str) -> None:
        """Letters, one by one."""
        for letter in text:
            click(self.focus, letter)
        self._stage.settle()

    def tab_to(self, words: str) -> QWidget:
        """Tab until something of that name or label has the focus."""
        passed = []
        for _ in range(MAX_STEPS):
            here = QApplication.focusWidget()
            name = name_of(here)
            if words in names_of(here):
                assert here is not None
                return here
            passed.append(name)
            self.press(Qt.Key.Key_Tab)
        raise AssertionError(f"Tab does not come to {words!r}, but to {dict.fromkeys(passed)}")


def name_of(widget: QWidget | None) -> str:
    """What a screen reader says of it, and what stands on it."""
    return " ".join(names_of(widget))


def names_of(widget: QWidget | None) -> list[str]:
    """The same as a list."""
    if widget is None:
        return []
    label = widget.text().replace("&", "") if isinstance(widget, QAbstractButton) else ""
    hint = widget.placeholderText() if isinstance(widget, QLineEdit) else ""
    return [name for name in (widget.accessibleName(), label, hint) if name]
