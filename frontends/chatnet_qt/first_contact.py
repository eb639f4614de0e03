"""Starting a conversation: who one is, an invite to give away, and the one that was given."""

from chatnet_client.client_events import Answered
from chatnet_client.invite_line import (
    Contact,
    own_addresses,
    parse_contact,
    show_invite,
    shown_addresses,
)
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import AddPeer, Invited, MakeInvite, PeerAdded, RemovePeer
from chatnet_qt.clipboard import copy
from chatnet_qt.controls import IconButton, push_button
from chatnet_qt.labels import label
from chatnet_qt.monogram import Monogram
from chatnet_qt.page import Card, Page
from chatnet_qt.qr import QrCode
from chatnet_qt.qt import (
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
    pyqtSignal,
)
from chatnet_qt.session import Session
from chatnet_qt.tokens import measures_of
from chatnet_qt.wording import own_name, shown_name

EXAMPLE = "For example 192.0.2.7:5000 or [2001:db8::7]:5000"
UNTIL = "Works once, for 24 hours, while ChatNet is running. Waiting for your guest…"
LINES_SHOWN = 4


class FirstContact(Page):
    """`added(peer)`: a conversation begins."""

    added = pyqtSignal(int)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Start a conversation", parent)
        words = "ChatNet connects two computers directly. Share your invite, or enter the one you "
        self.top.addWidget(label(f"{words}were given.", wrap=True, ink="text_2"))
        self.invite = InviteCard(session)
        self.enter = EnterCard(session)
        self.me = MeCard(session)
        self.first.addWidget(self.invite)
        self.first.addWidget(self.enter)
        self.first.addStretch(1)
        self.second.addWidget(self.me)
        self.second.addStretch(1)
        self.home = self.enter.box
        self.enter.added.connect(self.added)
        self.invite.used.connect(self._on_used)

    def _on_used(self, peer: int) -> None:
        if self.isVisible():
            self.added.emit(peer)

    def open_page(self, *, alone: bool) -> None:
        """Ready to type; `alone`: there is no conversation to go back to."""
        self.set_alone(alone)
        self.me.renew()
        self.enter.box.setFocus()

    def set_alone(self, alone: bool) -> None:
        """Without a conversation there is no way back, but the menu."""
        self.head.back.setVisible(not alone)
        self.head.menu.setVisible(alone)


class InviteCard(Card):
    """Makes an invite when asked, shows it until it is taken back or used. `used(peer)`: the guest
    is here."""

    used = pyqtSignal(int)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent, padded=True)
        self._session = session
        self._peer = 0
        self._is_new = False
        self._asking = False
        self._code: QrCode | None = None
        self.line = ""
        self.body.addWidget(label("Invite someone", font="title"))
        self._how = label(wrap=True, ink="text_2")
        self.body.addWidget(self._how)
        self._shown = QWidget()
        m = measures_of(self.font())
        self._row = QHBoxLayout(self._shown)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(m.px(16))
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setFont(m.numbers)
        self.text.setTabChangesFocus(True)
        self.text.setFrameShape(QFrame.Shape.NoFrame)
        self.text.setAccessibleName("Your invite")
        self.text.setFixedHeight(LINES_SHOWN * self.text.fontMetrics().lineSpacing() + m.px(16))
        self.copy = push_button("Copy invite", "first")
        self.cancel = push_button("Cancel invite", "quiet")
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy)
        buttons.addWidget(self.cancel)
        buttons.addStretch(1)
        right = QVBoxLayout()
        right.addWidget(self.text)
        right.addLayout(buttons)
        right.addStretch(1)
        self._row.addLayout(right, 1)
        self.body.addWidget(self._shown)
        self.until = label(UNTIL, wrap=True, font="small", ink="text_2")
        self.body.addWidget(self.until)
        self.make = push_button("Create invite", "first")
        foot = QHBoxLayout()
        foot.addWidget(self.make)
        foot.addStretch(1)
        self.body.addLayout(foot)
        self.make.clicked.connect(lambda: self.make_for(0))
        self.copy.clicked.connect(lambda: copy(self.line))
        self.cancel.clicked.connect(self.take_back)
        session.changed.connect(self._on_event)
        self._show("")

    @property
    def is_open(self) -> bool:
        """Whether there is an invite, or the engine was asked for one: its guest may be in the view
        before the answer is here."""
        return self._asking or bool(self.line)

    def take_back(self) -> None:
        """Nothing is left of it."""
        if self._peer and self._is_new:
            self._session.request(RemovePeer(self._peer))
        self._peer = 0
        self._show("")

    def _on_event(self, event: ev.Event) -> None:
        """An invite that was cancelled elsewhere, or used, is good for nothing any more."""
        if not self._peer:
            return
        if isinstance(event, ev.PeerRemoved) and event.peer == self._peer:
            guest = event.into
        elif isinstance(event, ev.PeerChanged) and event.row.peer == self._peer and event.row.key:
            guest = event.row.peer
        else:
            return
        self._peer = 0
        self._show("")
        if guest:
            self.used.emit(guest)

    def make_for(self, peer: int) -> None:
        """Ask for an invite; 0: for somebody new."""
        self.make.setEnabled(False)
        self._asking = True
        known = self._session.view
        numbers = {peer.info.peer for peer in known.peers} if known else set()

        def on_answer(answer: Answered) -> None:
            self.make.setEnabled(True)
            self._asking = False
            if not isinstance(answer.result, Invited) or self._session.view is None:
                self._how.setText(shown_name(answer.error.detail, 300) if answer.error else "")
                return
            self._peer = answer.result.peer
            self._is_new = self._peer not in numbers
            row = self._session.view.session
            places = own_addresses(row.host, row.port)
            name = row.display_name or row.name
            self._show(show_invite(Contact(places, answer.result.code, name)))

        self._session.request(MakeInvite(peer), on_answer)

    def _show(self, line: str) -> None:
        self.line = line
        self._how.setText("Send this line to one person, or let them scan the code.")
        self.text.setPlainText(line)
        if self._code is not None:
            self._row.removeWidget(self._code)
            self._code.deleteLater()
            self._code = None
        if line:
            self._code = QrCode(line, "Your invite as a QR code", module_px=3)
            self._row.insertWidget(0, self._code)
        self._shown.setVisible(bool(line))
        self.until.setVisible(bool(line))
        self.make.setVisible(not line)


class EnterCard(Card):
    """Takes an invite or an address, and says at once what is wrong with it. `added(peer)`."""

    added = pyqtSignal(int)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent, padded=True)
        self._session = session
        self.body.addWidget(label("Enter an invite or address", font="title"))
        self.box = QLineEdit()
        self.box.setPlaceholderText("Paste an invite, or type host:port")
        self.box.setAccessibleName("Invite or address")
        self.add = push_button("Add")
        row = QHBoxLayout()
        row.addWidget(self.box, 1)
        row.addWidget(self.add)
        self.body.addLayout(row)
        self.problem = label(EXAMPLE, wrap=True, font="small", ink="text_2")
        self.body.addWidget(self.problem)
        self.box.textChanged.connect(self._check)
        self.box.returnPressed.connect(self._ask)
        self.add.clicked.connect(self._ask)

    def _say(self, problem: str) -> None:
        self.problem.set_ink("danger" if problem else "text_2")
        self.problem.setText(shown_name(problem, 300) if problem else EXAMPLE)

    def _check(self) -> None:
        """While it is being typed only what is whole is judged."""
        text = self.box.text().strip()
        if text and (":" not in text or text.endswith(":")):
            self._say("")
            return
        try:
            if text:
                parse_contact(text)
            self._say("")
        except CommandError as error:
            self._say(error.detail)

    def _ask(self) -> None:
        try:
            contact = parse_contact(self.box.text())
        except CommandError as error:
            self._say(error.detail)
            return
        host, port = contact.addresses[0]

        def on_answer(answer: Answered) -> None:
            if isinstance(answer.result, PeerAdded):
                self.box.clear()
                self.added.emit(answer.result.peer)
            elif answer.error is not None:
                self._say(answer.error.detail)

        self._session.request(AddPeer(host, port, contact.name, contact.code), on_answer)


class MeCard(Card):
    """Name and addresses as others need them, each with a button that copies it."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._shown: list[str] = []
        self.renew()

    def renew(self) -> None:
        """Say who one is now."""
        view = self._session.view
        if view is None:
            return
        row = view.session
        name = own_name(row)
        places = shown_addresses(own_addresses(row.host, row.port))
        if [name, *places] == self._shown:
            return
        self._shown = [name, *places]
        self._clear()
        face = Monogram(40)
        face.show_name(name, 2)
        mine = self.add_row(name, "This is how others see you", font="medium")
        layout = mine.layout()
        assert isinstance(layout, QHBoxLayout)
        layout.insertWidget(0, face)
        for place in places:
            button = IconButton("copy", f"Copy {place}")
            button.clicked.connect(lambda _on, place=place: copy(place))
            self.add_row(place, "On this network", button, font="code")

    def _clear(self) -> None:
        while (item := self.body.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._rows = 0
