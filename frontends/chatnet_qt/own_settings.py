"""The cards of the settings page that change the session itself: the own name, the inbox, the rate
limit of files."""

import os

from chatnet_client.client_events import Answered
from chatnet_client.words.numbers import rate_words
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc.commands import SetSession
from chatnet_protocol.ipc.sizes import parse_limit
from chatnet_protocol.limits import MAX_DISPLAY_NAME_BYTES
from chatnet_qt.controls import push_button
from chatnet_qt.labels import label
from chatnet_qt.page import Card
from chatnet_qt.qt import (
    QDesktopServices,
    QFileDialog,
    QLineEdit,
    Qt,
    QUrl,
    QWidget,
)
from chatnet_qt.session import Session, follow
from chatnet_qt.space_row import SpaceRow
from chatnet_qt.tokens import measures_of
from chatnet_qt.wording import shown_name

NAME_WIDTH = 184
LIMIT_WIDTH = 104
HOW_SEEN = "This is how others see you"


class NameCard(Card):
    """The name that peers see. Enter or leaving the box saves it."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.box = QLineEdit()
        self.box.setAccessibleName("Your name")
        self.box.setMaxLength(MAX_DISPLAY_NAME_BYTES)
        self.box.setFixedWidth(measures_of(self.font()).px(NAME_WIDTH))
        self.add_row("Your name", HOW_SEEN, self.box)
        self.problem = Problem(self)
        self.box.editingFinished.connect(self._save)
        follow(session, self.renew)
        self.renew()

    def renew(self) -> None:
        """Show the present one, unless another one is being typed."""
        view = self._session.view
        if view is None or (self.box.hasFocus() and self.box.isModified()):
            return
        self.box.setText(view.session.display_name)
        self.box.setCursorPosition(0)
        self.box.setPlaceholderText(view.session.name)

    def _save(self) -> None:
        view, name = self._session.view, self.box.text().strip()
        if view is None or not self.box.isModified():
            return
        self.box.setModified(False)
        if name != view.session.display_name:
            command = SetSession(display_name=name)
            self._session.request(command, self.problem.show_answer)


class InboxCard(Card):
    """The folder that received files land in: opened, or another one chosen."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.open = push_button("Open folder")
        self.change = push_button("Change…")
        self.change.setAccessibleName("Change the folder for received files")
        self.place = label(wrap=True, font="small", ink="text_2")
        self.add_row("Save received files in", self.place, self.open, self.change)
        self.problem = Problem(self)
        self.limit = LimitRow(session, self, self.problem)
        self.space = SpaceRow(session, self)
        self.open.clicked.connect(self._open)
        self.change.clicked.connect(self._choose)
        follow(session, self.renew)
        self.renew()

    def renew(self) -> None:
        """Show where it is."""
        if (view := self._session.view) is not None:
            self.place.setText(shown_name(view.session.inbox, 400))

    def _open(self) -> None:
        view = self._session.view
        if view is not None and os.path.isdir(view.session.inbox):
            QDesktopServices.openUrl(QUrl.fromLocalFile(view.session.inbox))
        else:
            self.problem.say("That folder is not there now.")

    def _choose(self) -> None:
        view = self._session.view
        dialog = QFileDialog(self, "Save received files in", view.session.inbox if view else "")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.choose)
        dialog.open()

    def choose(self, folder: str) -> None:
        """Received files land in `folder` from now on."""
        if os.access(folder, os.W_OK | os.X_OK):
            self._session.request(SetSession(inbox=folder), self.problem.show_answer)
        else:
            self.problem.say("Files cannot be written into that folder.")


class LimitRow:
    """How fast files may move, as a row of another card. Enter or leaving the box saves it."""

    def __init__(self, session: Session, card: Card, problem: "Problem") -> None:
        self._session = session
        self._problem = problem
        self.box = QLineEdit()
        self.box.setAccessibleName("Rate limit of files")
        self.box.setPlaceholderText("no limit")
        self.box.setFixedWidth(measures_of(card.font()).px(LIMIT_WIDTH))
        card.add_row("Rate limit", "In each direction, such as 5 MB/s", self.box)
        self.box.editingFinished.connect(self._save)
        follow(session, self.renew)
        self.renew()

    def renew(self) -> None:
        """Show the present one, unless another one is being typed."""
        view = self._session.view
        if view is None or (self.box.hasFocus() and self.box.isModified()):
            return
        self.box.setText(rate_words(view.session.limit_bytes_s))
        self.box.setCursorPosition(0)

    def _save(self) -> None:
        if self._session.view is None or not self.box.isModified():
            return
        self.box.setModified(False)
        try:
            limit = parse_limit(self.box.text().strip() or "none")
        except CommandError as error:
            self._problem.say(error.detail)
            return
        self._problem.say("")
        if limit != self._session.view.session.limit_bytes_s:
            command = SetSession(limit_bytes_s=limit)
            self._session.request(command, self._problem.show_answer)


class Problem:
    """One sentence at the foot of a card, while something did not work."""

    def __init__(self, card: Card) -> None:
        self.words = label(wrap=True, font="small", ink="danger")
        space = measures_of(card.font()).px(16)
        self.words.setContentsMargins(space, 0, space, space // 2)
        self.words.hide()
        card.body.addWidget(self.words)

    def say(self, sentence: str) -> None:
        """Show it; empty: all is well."""
        self.words.setText(shown_name(sentence, 300) if sentence else "")
        self.words.setVisible(bool(sentence))

    def show_answer(self, answer: Answered) -> None:
        """What the engine made of it."""
        self.say(answer.error.detail if answer.error else "")
