"""One contact: name, address, what it may do, the safety number, and how to part with it."""

from chatnet_protocol.addresses import parse_address, show_address
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import RemovePeer, SetPeer, TrustPeer
from chatnet_protocol.ipc.rows import PeerRow, Trust
from chatnet_qt.clipboard import copy
from chatnet_qt.controls import Choice, IconButton, Switch, push_button
from chatnet_qt.labels import label, selectable
from chatnet_qt.monogram import Monogram
from chatnet_qt.page import Card, Page
from chatnet_qt.qr import QrCode
from chatnet_qt.qt import QHBoxLayout, QLineEdit, QTimer, QVBoxLayout, QWidget, pyqtSignal
from chatnet_qt.safety import comparing_words, number_lines
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings
from chatnet_qt.tokens import measures_of
from chatnet_qt.wording import link_words, peer_name, shown_name

SIZES = (
    ("Always ask", 0),
    ("Up to 16 MB", 16_000_000),
    ("Up to 256 MB", 256 * 1024 * 1024),
    ("Up to 2 GB", 2_000_000_000),
    ("Any size", 2**62),
)
"""Up to which size files arrive without a question."""
MAX_NAME_BYTES = 64
WHERE = "As host:port. The key stays: only the same contact can answer there."


class ContactPage(Page):
    """For one peer at a time; made anew whenever what it shows has changed."""

    review_wanted = pyqtSignal(int)

    def __init__(self, session: Session, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__("Contact", parent)
        self._session = session
        self._settings = settings
        self._peer = 0
        self._shown: tuple[object, ...] | None = None
        session.changed.connect(self._on_event)
        session.was_reset.connect(self._renew)

    def show_peer(self, number: int) -> None:
        """Show this contact from now on."""
        self._peer = number
        self._shown = None
        self._renew()

    def show_part(self, name: str) -> None:
        """Go to what a menu promised: `rename`, `verify`, `block`, `remove`."""
        kinds = {"verify": SafetyCard, "block": BlockCard, "remove": PartCard}
        if name == "rename":
            self.findChildren(WhoCard)[-1].begin()
        elif name in kinds:  # not before the page has its size
            QTimer.singleShot(0, lambda: self._go_to(kinds[name]))

    def _go_to(self, kind: type["SafetyCard | BlockCard | PartCard"]) -> None:
        """All of a card, and the focus where nothing is decided yet."""
        if cards := self.findChildren(kind):
            self.area.ensureWidgetVisible(cards[-1])
            cards[-1].entry.setFocus()

    def _on_event(self, event: ev.Event) -> None:
        if isinstance(event, ev.PeerChanged | ev.LinkChanged) and event.row.peer == self._peer:
            self._renew()

    def _renew(self) -> None:
        peer = self._session.peer(self._peer)
        if peer is None:
            return
        facts = (peer.info, peer.link.state, peer.link.address)
        if facts == self._shown:
            return
        self._shown = facts
        for column in (self.first, self.second):
            while (item := column.takeAt(0)) is not None:
                if (widget := item.widget()) is not None:
                    widget.hide()
                    widget.deleteLater()
        info = peer.info
        who = WhoCard(self._session, info, link_words(peer.link, info), peer.link.address)
        self.first.addWidget(who)
        if info.trust not in (Trust.PENDING, Trust.INVITED):
            self.first.addWidget(self._may(info))
        if info.key:
            self.first.addWidget(BlockCard(self._session, info))
        self.first.addWidget(PartCard(self._session, info))
        self.first.addStretch(1)
        self.second.addWidget(SafetyCard(self._session, info))
        self.second.addStretch(1)

    def _may(self, info: PeerRow) -> Card:
        """What the contact may do."""
        card = Card()
        mute = Switch("Mute notifications")
        mute.setChecked(self._settings.is_muted(info.key))
        mute.setEnabled(bool(info.key))
        mute.toggled.connect(lambda on: self._settings.mute(info.key, on))
        card.add_row("Mute notifications", "", mute)
        sizes = Choice("Accept files automatically")
        for words, _ in SIZES:
            sizes.addItem(words)
        sizes.setCurrentIndex(
            min(range(len(SIZES)), key=lambda at: abs(SIZES[at][1] - info.auto_accept_bytes))
        )

        def on_chosen(at: int) -> None:
            self._session.request(SetPeer(info.peer, auto_accept_bytes=SIZES[at][1]))

        sizes.activated.connect(on_chosen)
        card.add_row("Accept files automatically", "Larger files are asked about", sizes)
        return card


class WhoCard(Card):
    """Face, name that can be changed, address that can be copied."""

    def __init__(self, session: Session, info: PeerRow, link: str, address: str) -> None:
        super().__init__()
        m = measures_of(self.font())
        self._session, self._info = session, info
        name = peer_name(info)
        face = Monogram(72)
        face.show_name(name, info.peer)
        self.name = label(name, font="page", wrap=True)
        self.box = QLineEdit(name)
        self.box.setAccessibleName("Name")
        self.box.setMaxLength(MAX_NAME_BYTES)
        self.box.hide()
        self.edit = IconButton("pencil", "Rename")
        verified = info.trust == Trust.VERIFIED
        state = label("Verified" if verified else "Not verified", font="small")
        state.set_ink("good" if verified else "text_2")
        words = QVBoxLayout()
        words.addStretch(1)
        words.addWidget(self.name)
        words.addWidget(self.box)
        words.addWidget(state)
        words.addStretch(1)
        top = QWidget()
        row = QHBoxLayout(top)
        row.setContentsMargins(m.px(16), m.px(16), m.px(16), m.px(16))
        row.setSpacing(m.px(16))
        row.addWidget(face)
        row.addLayout(words, 1)
        row.addWidget(self.edit)
        self.body.addWidget(top)
        self._rows = 1
        shown = shown_name(address or info.address or show_address(info.host, info.port), 80)
        copies = IconButton("copy", "Copy address")
        copies.clicked.connect(lambda: copy(shown))
        stranger = info.trust == Trust.PENDING
        self.readdress = IconButton("pencil", "Change address")
        controls = (copies,) if stranger else (copies, self.readdress)
        self.add_row(shown, f"Address · {link}", *controls, font="code")
        self.place = AddressField(show_address(info.host, info.port) if info.host else "")
        self.body.addWidget(self.place)
        self.readdress.clicked.connect(self.place.begin)
        self.place.entered.connect(self._move)
        self.edit.clicked.connect(self.begin)
        self.box.returnPressed.connect(self._rename)

    def _move(self, host: str, port: int) -> None:
        if (host, port) != (self._info.host, self._info.port):
            self._session.request(SetPeer(self._info.peer, host=host, port=port))

    def begin(self) -> None:
        """Type another name; once more: save it."""
        if self.box.isVisible():
            self._rename()
            return
        self.name.hide()
        self.box.show()
        self.box.setFocus()
        self.box.selectAll()
        self.edit.set_icon("check")
        self.edit.rename("Save the name")

    def _rename(self) -> None:
        name = self.box.text().strip()
        if name and name != peer_name(self._info):
            self._session.request(SetPeer(self._info.peer, name=name))
        self.box.hide()
        self.name.show()
        self.edit.set_icon("pencil")
        self.edit.rename("Rename")


class AddressField(QWidget):
    """Where a contact is dialled, to be typed anew. `entered(host, port)`."""

    entered = pyqtSignal(str, int)

    def __init__(self, address: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        m = measures_of(self.font())
        self.box = QLineEdit(address)
        self.box.setAccessibleName("Address, as host:port")
        self.save = push_button("Save")
        self.problem = label(WHERE, font="small", wrap=True, ink="text_2")
        row = QHBoxLayout()
        row.setSpacing(m.px(8))
        row.addWidget(self.box, 1)
        row.addWidget(self.save)
        column = QVBoxLayout(self)
        column.setContentsMargins(m.px(16), 0, m.px(16), m.px(12))
        column.setSpacing(m.px(4))
        column.addLayout(row)
        column.addWidget(self.problem)
        self.save.clicked.connect(self._enter)
        self.box.returnPressed.connect(self._enter)
        self.hide()

    def begin(self) -> None:
        """Type it; once more: leave it as it is."""
        self.setVisible(self.isHidden())
        if self.isVisible():
            self.box.setFocus()
            self.box.selectAll()

    def _enter(self) -> None:
        try:
            host, port = parse_address(self.box.text())
        except CommandError as error:
            self.problem.setText(error.detail)
            self.problem.set_ink("danger")
            return
        self.hide()
        self.entered.emit(host, port)


class BlockCard(Card):
    """Blocking a contact, asked once more before it is done, and taking that back."""

    def __init__(self, session: Session, info: PeerRow) -> None:
        super().__init__()
        self._session, self._info = session, info
        self._asked = info.blocked
        name = peer_name(info, 40)
        word = "Unblock" if info.blocked else "Block"
        what = "Nothing of theirs arrives and nothing is sent. They are not informed."
        if info.blocked:
            what = "Messages and files arrive again."
        self.button = push_button(word if info.blocked else "Block…", "quiet")
        self.button.clicked.connect(self._press)
        self.entry = self.button
        self.add_row(f"{word} {name}", what, self.button)

    def _press(self) -> None:
        if not self._asked:
            self._asked = True
            self.button.setText("Block now")
            return
        self._session.request(SetPeer(self._info.peer, blocked=not self._info.blocked))


class PartCard(Card):
    """Removing a contact or a request to chat: asked once more before it is done."""

    def __init__(self, session: Session, info: PeerRow) -> None:
        super().__init__()
        self._session, self._info = session, info
        self._asked = False
        stranger = info.trust == Trust.PENDING
        name = peer_name(info, 40)
        what = "Deletes this contact and its trusted key here. The history file keeps the texts."
        if stranger:
            what = "Nothing is sent or received; it may ask again."
        elif info.blocked:
            what += " The block goes with it."
        self.button = push_button("Remove…", "danger")
        self.button.clicked.connect(self._press)
        self.entry = self.button
        self.add_row(f"Remove {name}", what, self.button)

    def _press(self) -> None:
        if not self._asked:
            self._asked = True
            self.button.setText("Remove now")
            return
        self._session.request(RemovePeer(self._info.peer))


class SafetyCard(Card):
    """The number that both people should see, and what came of comparing it."""

    def __init__(self, session: Session, info: PeerRow) -> None:
        super().__init__(padded=True)
        self.entry: QWidget = self
        name = peer_name(info, 40)
        verified = info.trust == Trust.VERIFIED
        head = f"{name} is verified" if verified else f"{name} is not verified"
        self.body.addWidget(label(head, font="title", wrap=True))
        self.body.addWidget(label(comparing_words(info), wrap=True, ink="text_2"))
        if not info.safety_number:
            return
        digits = "".join(info.safety_number.split())
        number = selectable(number_lines(info.safety_number), font="code")
        number.setWordWrap(False)
        number.setAccessibleName("Safety number")
        self.entry = number
        self.body.addWidget(number)
        self.body.addWidget(QrCode(digits, "Safety number as a QR code", module_px=4))
        self.verify = push_button("Remove verification" if verified else "They match")
        copies = push_button("Copy number", "quiet")
        row = QHBoxLayout()
        row.addWidget(self.verify)
        row.addWidget(copies)
        row.addStretch(1)
        self.body.addLayout(row)
        decision = "unverified" if verified else "verified"
        command = TrustPeer(info.peer, decision, info.key)
        self.verify.clicked.connect(lambda: session.request(command))
        copies.clicked.connect(lambda: copy(digits))
