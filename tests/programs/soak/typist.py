"""A real window in which somebody types: `python -m soak.typist CONNECTION_FILE FOLDER`.

Every text is a number of its own, noted in FOLDER before it is typed.
"""

import fcntl
import sys
from dataclasses import dataclass, field
from pathlib import Path

TYPE_MS = 700
LIFE = "-- begins"
HUSH = "hush"
"""A file: nobody types any more."""
CLEAN = "-- ended after its last text was taken"


@dataclass
class Life:
    """What one front end was given, from its start to its end."""

    texts: list[str] = field(default_factory=list)
    clean: bool = False
    """Whether it took all of them; one that was killed may not have seen the last ones."""


class Numbers:
    """The texts that one kind of front end was given, over all its lives."""

    def __init__(self, root: Path, kind: str) -> None:
        self._kind = kind
        self._path = root / f"{kind}.written"
        self._count = 0

    def lives(self) -> list[Life]:
        """All of them, in order."""
        lives: list[Life] = []
        for line in self._path.read_text().splitlines() if self._path.exists() else []:
            if line == LIFE:
                lives.append(Life())
            elif line == CLEAN:
                lives[-1].clean = True
            else:
                lives[-1].texts.append(line)
        return lives

    def begin(self) -> None:
        """A life begins. Raises BlockingIOError while another one goes on."""
        self._file = self._path.open("a")
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._count = sum(len(life.texts) for life in self.lives())
        self._note(LIFE)

    def take(self) -> str:
        """The next text, noted as given."""
        self._count += 1
        text = f"{self._kind}-{self._count:06}"
        self._note(text)
        return text

    def end(self) -> None:
        """The front end has taken everything and is gone."""
        with self._path.open("a") as file:
            file.write(CLEAN + "\n")

    def close(self) -> None:
        """Another life may begin."""
        self._file.close()

    def _note(self, line: str) -> None:
        self._file.write(line + "\n")
        self._file.flush()


def main(argv: list[str]) -> int:
    """Show the window and type until it is closed."""
    from chatnet_qt import window_app
    from chatnet_qt.main_window import MainWindow
    from chatnet_qt.qt import QTimer

    numbers = Numbers(Path(argv[1]), "window")
    numbers.begin()

    class TypedIn(MainWindow):
        """A window with somebody before it."""

        def showEvent(self, event: object) -> None:
            """Begin to type."""
            self._typing = QTimer(self)
            self._typing.timeout.connect(self._type)
            self._typing.start(TYPE_MS)

        def _type(self) -> None:
            pane = self.pane
            if (Path(argv[1]) / HUSH).exists():
                return
            if pane is not None and self.isVisible() and not pane.composer.box.toPlainText():
                pane.composer.box.setPlainText(numbers.take())
                pane.composer.send()

    vars(window_app)["MainWindow"] = TypedIn
    return window_app.run([], argv[0], sys.exit)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
