"""What can be done with a message: menus, links, transfers, details. Draws nothing."""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from chatnet_client.client_events import Answered
from chatnet_client.links import Link, link_of, links_in
from chatnet_protocol.ipc.commands import (
    AcceptTransfer,
    AllowUpdates,
    CancelTransfer,
    Command,
    DeleteMessage,
    Delivery,
    PauseTransfer,
    RejectTransfer,
    ResumeTransfer,
    SetPeer,
    WithdrawMessage,
)
from chatnet_protocol.ipc.rows import MessageKind, MessageRow
from chatnet_qt.bubble import Bubble
from chatnet_qt.bubble_actions import ACTION_WORDS, SHOW_ALL, actions_of, more_actions_of
from chatnet_qt.conversation_view import ConversationView
from chatnet_qt.models import ConversationModel
from chatnet_qt.qt import (
    QCursor,
    QDesktopServices,
    QFileDialog,
    QGuiApplication,
    QMenu,
    QObject,
    QPoint,
    Qt,
    QUrl,
    present,
    pyqtSignal,
)
from chatnet_qt.session import Session
from chatnet_qt.wording import peer_name, shown_name

if TYPE_CHECKING:
    from chatnet_qt.details import MessageDetails

COMMANDS: dict[str, Callable[[bytes], Command]] = {
    "accept": AcceptTransfer,
    "fetch": AcceptTransfer,
    "allow-updates": AllowUpdates,
    "forbid-updates": partial(AllowUpdates, allowed=False),
    "reject": RejectTransfer,
    "pause": PauseTransfer,
    "resume": ResumeTransfer,
    "cancel": CancelTransfer,
}
MAX_LINKS_IN_MENU = 10
ALWAYS_UP_TO = (
    ("Up to 16 MB", 16_000_000),
    ("Up to 256 MB", 256_000_000),
    ("Up to 2 GB", 2_000_000_000),
    ("Of any size", 2**62),
)
JUST_NOW = "It is being handed to the engine at this moment."
TOO_LATE = "Only a text of yours that has not been sent yet can be withdrawn."


def menu_words(text: str) -> str:
    """`text` for a menu, where & would underline a letter."""
    return shown_name(text, 90).replace("&", "&&")


def can_withdraw(bubble: Bubble) -> bool:
    """Whether a message looks as if it had never been sent; the engine has the last word."""
    own_text = bubble.row.mine and bubble.row.kind == MessageKind.TEXT
    return bubble.is_kept or (own_text and bubble.state == "queued")


class MessageActions(QObject):
    """Carries out what the view's signals ask for.

    Signals: `withdrawn(text)` a text will never be sent; `taken_back(text)` one that waited is
    nowhere else now; `reply_wanted(id)` a message is to be answered; `refused(sentence)`.
    """

    withdrawn = pyqtSignal(str)
    taken_back = pyqtSignal(str)
    reply_wanted = pyqtSignal(bytes)
    refused = pyqtSignal(str)

    def __init__(
        self, session: Session, model: ConversationModel, view: ConversationView, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._model = model
        self._view = view
        self._details: set[MessageDetails] = set()
        """Those that are open."""
        view.acted.connect(self.act)
        view.link_clicked.connect(self.offer_link)
        view.details_wanted.connect(self.show_details)
        view.withdraw_wanted.connect(self.withdraw)
        view.menu_wanted.connect(self.show_menu)

    def act(self, message_id: bytes, action: str) -> None:
        """Carry out an action of a bubble."""
        view = self._session.view
        transfer = view.transfer(message_id) if view else None
        if action in COMMANDS:
            self._session.request(COMMANDS[action](message_id))
        elif action == "accept-to":
            self._choose_folder(message_id)
        elif action == "always":
            self._ask_always(message_id)
        elif action == "view":
            self._view_picture(message_id)
        elif action in ("open", "folder"):
            self._open_file(message_id, folder=action == "folder")
        elif action == "again" and transfer is not None:
            self._session.offer_files(transfer.peer, [transfer.path])
        elif action == "answered":
            row = self._model.row_of(message_id)
            found = self._model.quotes.answered(self._model.message(row)) if row >= 0 else None
            if found is not None:
                self._model.show_message(found)
        elif action == SHOW_ALL:
            self.show_details(message_id)
        elif action == "delete-text":
            self._session.request(DeleteMessage(message_id, self._model.peer_number))
        elif action == "take-back":
            self.withdraw(message_id)
        elif action == "retry-text":
            row = self._model.row_of(message_id)
            if row >= 0:
                self._send_again(self._model.message(row))

    def withdraw(self, message_id: bytes) -> None:
        """Take back a text that was never sent."""
        row = self._model.row_of(message_id)
        if row >= 0 and self._model.bubble(row).state == "withdrawn":
            self.act(message_id, "delete-text")
            return
        if row < 0 or not can_withdraw(bubble := self._model.bubble(row)):
            self.refused.emit(TOO_LATE)
            return
        if bubble.is_kept:
            text = self._session.take_back(message_id)
            if text is None:
                self.refused.emit(JUST_NOW)
            else:
                self.taken_back.emit(text)
            return

        def on_answer(answer: Answered) -> None:
            if answer.error is None:
                self.withdrawn.emit(bubble.row.text)
            else:
                self.refused.emit(answer.error.detail)

        self._session.request(WithdrawMessage(message_id, self._model.peer_number), on_answer)

    def show_details(self, message_id: bytes) -> None:
        """Open the inspector, whose modules are loaded with the first one."""
        from chatnet_client.words.deliveries import question
        from chatnet_qt.details import MessageDetails

        row = self._model.row_of(message_id)
        if row < 0:
            return
        bubble = self._model.bubble(row)
        dialog = MessageDetails(bubble, self._view)
        dialog.acted.connect(self.act)
        dialog.show()
        if bubble.is_kept:
            return
        self._details.add(dialog)
        dialog.finished.connect(lambda: self._details.discard(dialog))

        def on_answer(answer: Answered) -> None:
            if dialog in self._details and isinstance(answer.result, Delivery):
                dialog.show_delivery(answer.result)

        self._session.request(question(bubble.row, self._model.peer_number), on_answer)

    def offer_link(self, address: str) -> None:
        """Ask before opening: the menu shows where it really leads."""
        menu = self._new_menu()
        self._add_link(menu, link_of(address))
        menu.popup(QCursor.pos())

    def show_menu(self, message_id: bytes, at: QPoint) -> None:
        """The menu of one message."""
        menu = self.menu_for(message_id)
        if menu is not None:
            menu.popup(at)

    def menu_for(self, message_id: bytes) -> QMenu | None:
        """What can be done with a message, as a menu."""
        row = self._model.row_of(message_id)
        if row < 0:
            return None
        bubble = self._model.bubble(row)
        menu = self._new_menu()
        actions = actions_of(bubble) + more_actions_of(bubble)
        for action in actions:
            entry = present(menu.addAction(ACTION_WORDS[action]))
            entry.triggered.connect(lambda _on, action=action: self.act(message_id, action))
        if actions:
            menu.addSeparator()
        if bubble.picture is not None:
            entry = present(menu.addAction("&View picture"))
            entry.triggered.connect(lambda: self.act(message_id, "view"))
        if not bubble.row.failed and not bubble.is_kept:
            reply = present(menu.addAction("&Reply"))
            reply.triggered.connect(lambda: self.reply_wanted.emit(message_id))
        if bubble.text:
            copy = present(menu.addAction("&Copy text"))
            copy.triggered.connect(lambda: self._copy(bubble.text))
        for link in links_in(bubble.text)[:MAX_LINKS_IN_MENU]:
            self._add_link(menu, link)
        if can_withdraw(bubble):
            back = present(menu.addAction("&Withdraw\tDel"))
            back.triggered.connect(lambda: self.withdraw(message_id))
        if bubble.row.failed and bubble.text and not bubble.is_kept:
            again = present(menu.addAction("&Send again"))
            again.triggered.connect(lambda: self._send_again(bubble.row))
            delete = present(menu.addAction("De&lete"))
            delete.triggered.connect(lambda: self.act(message_id, "delete-text"))
        details = present(menu.addAction("&Details…"))
        details.triggered.connect(lambda: self.show_details(message_id))
        return menu

    def _new_menu(self) -> QMenu:
        menu = QMenu(self._view)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        return menu

    def _add_link(self, menu: QMenu, link: Link) -> None:
        host = menu_words(link.host)
        where = "" if link.is_plain else f" (leads to {host})"
        go = present(menu.addAction(f"Open {menu_words(link.honest)}{where}"))
        go.setToolTip(link.host)
        go.triggered.connect(lambda: self._open(link.honest))
        copy = present(menu.addAction(f"Copy address of {host}"))
        copy.triggered.connect(lambda: self._copy(link.address))

    def _open(self, address: str) -> None:
        QDesktopServices.openUrl(QUrl(address))

    def _send_again(self, row: MessageRow) -> None:
        problem = self._session.keep_text(self._model.peer_number, row.text, row.reply_to)
        if problem:
            self.refused.emit(problem)
        else:
            self._session.hand_over(0)

    def _copy(self, text: str) -> None:
        present(QGuiApplication.clipboard()).setText(text)

    def _choose_folder(self, message_id: bytes) -> None:
        dialog = QFileDialog(self._view, "Save to folder")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

        def on_chosen(folder: str) -> None:
            self._session.request(AcceptTransfer(message_id, folder))

        dialog.fileSelected.connect(on_chosen)
        dialog.open()

    def _open_file(self, message_id: bytes, *, folder: bool) -> None:
        """What has arrived, in the program that the desktop has for it, or where it lies."""
        transfer = self._session.view.transfer(message_id) if self._session.view else None
        if transfer is None or not transfer.path:
            return
        path = os.path.dirname(transfer.path) if folder else transfer.path
        if not os.path.exists(path):
            self.refused.emit("It is not there any more: somebody has moved or deleted it.")
            return
        QDesktopServices.openUrl(QUrl.fromLocalFile(path))

    def _view_picture(self, message_id: bytes) -> None:
        view = self._session.view
        transfer = view.transfer(message_id) if view else None
        if transfer is not None and transfer.path:
            # Few conversations show a picture in large; none is painted later for it.
            from chatnet_qt.picture_viewer import PictureViewer

            PictureViewer(transfer.path, self._view).show()

    def _ask_always(self, message_id: bytes) -> None:
        """Up to which size files of this peer arrive without a question from now on."""
        menu = self._new_menu()
        peer = self._model.peer()
        name = peer_name(peer.info, 24) if peer else ""
        menu.addSection(f"Accept files from {menu_words(name)} automatically")
        for words, size in ALWAYS_UP_TO:
            entry = present(menu.addAction(words))
            entry.triggered.connect(lambda _on, size=size: self._always(message_id, size))
        menu.popup(QCursor.pos())

    def _always(self, message_id: bytes, size: int) -> None:
        number = self._model.peer_number
        self._session.request(SetPeer(number, auto_accept_bytes=size))
        self._session.request(AcceptTransfer(message_id))
