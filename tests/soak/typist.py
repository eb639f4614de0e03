"""A real window in which somebody types: `python -m soak.typist CONNECTION_FILE FOLDER`.

Every text is a number of its own, noted in FOLDER before it is typed.
"""

import sys
from pathlib import Path

TYPE_MS = 700


class Numbers:
    """The texts that one front end has written, over all its lives."""

    def __init__(self, root: Path, kind: str) -> None:
        self._kind = kind
        self._path = root / f"{kind}.written"
        self._count = len(self.written())

    def written(self) -> list[str]:
        """All of them, in order."""
        return self._path.read_text().split() if self._path.exists() else []

    def take(self) -> str:
        """The next one, noted as written."""
        self._count += 1
        text = f"{self._kind}-{self._count:06}"
        with self._path.open("a") as file:
            file.write(text + "\n")
        return text


def main(argv: list[str]) -> int:
    """Show the window and type until it is closed."""
    from chatnet_qt import window_app
    from chatnet_qt.main_window import MainWindow
    from chatnet_qt.qt import QTimer

    numbers = Numbers(Path(argv[1]), "window")

    class TypedIn(MainWindow):
        """A window with somebody before it."""

        def showEvent(self, event: object) -> None:
            """Begin to type."""
            self._typing = QTimer(self)
            self._typing.timeout.connect(self._type)
            self._typing.start(TYPE_MS)

        def _type(self) -> None:
            pane = self.pane
            if pane is not None and not pane.composer.box.toPlainText():
                pane.composer.box.setPlainText(numbers.take())
                pane.composer.send()

    window_app.MainWindow = TypedIn  # type: ignore[misc]
    return window_app.run([], argv[0], sys.exit)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
