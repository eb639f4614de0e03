"""The left side: menu and filter, the conversations, what is moving, who one is."""

from chatnet_client.invite_line import own_addresses, shown_addresses
from chatnet_client.words import size_words
from chatnet_protocol.ipc import events as ev
from chatnet_qt.controls import IconButton
from chatnet_qt.labels import ElidedLabel
from chatnet_qt.monogram import Monogram
from chatnet_qt.peer_list import PeerList
from chatnet_qt.qt import (
    QEvent,
    QFrame,
    QGuiApplication,
    QHBoxLayout,
    QKeyEvent,
    QLineEdit,
    QMouseEvent,
    QObject,
    QPainter,
    QPaintEvent,
    QRectF,
    Qt,
    QTimer,
    QVBoxLayout,
    QWidget,
    present,
    pyqtSignal,
)
from chatnet_qt.session import Session, follow
from chatnet_qt.settings import Settings
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import measures_of
from chatnet_qt.wording import duration_words, own_name
from chatnet_qt.work import work_of

RENEW_MS = 250
"""However often progress changes, the words change at most this often."""


class ListPane(QFrame):
    """Signals: `menu_wanted` the menus of the window; `add_wanted` somebody new;
    `settings_wanted`; `transfer_wanted(message id)` show what is moving."""

    menu_wanted = pyqtSignal()
    add_wanted = pyqtSignal()
    settings_wanted = pyqtSignal()
    transfer_wanted = pyqtSignal(bytes)

    def __init__(self, session: Session, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.menu = IconButton("menu", "Menu (F10)")
        self.filter = QLineEdit()
        self.filter.setProperty("kind", "well")
        self.filter.setPlaceholderText("Search")
        self.filter.setAccessibleName("Find a conversation (Ctrl+K)")
        self.filter.setToolTip("Find a conversation (Ctrl+K)")
        self.add = IconButton("plus", "Add or invite someone (Ctrl+N)")
        self.peers = PeerList(session, settings)
        self.work = WorkLine(session)
        self.me = MeLine(session)
        m = measures_of(self.font())
        top = QHBoxLayout()
        top.setContentsMargins(m.px(8), m.px(10), m.px(8), m.px(10))
        top.setSpacing(m.px(4))
        for widget, stretch in ((self.menu, 0), (self.filter, 1), (self.add, 0)):
            top.addWidget(widget, stretch)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self.peers, 1)
        column.addWidget(self.work)
        column.addWidget(self.me)
        self.menu.clicked.connect(self.menu_wanted)
        self.add.clicked.connect(self.add_wanted)
        self.me.settings.clicked.connect(self.settings_wanted)
        self.work.wanted.connect(self.transfer_wanted)
        self.filter.textChanged.connect(self.peers.peers.look_for)
        # The button loads pictures of the style: only once there is something to clear.
        self.filter.textChanged.connect(lambda text: self.filter.setClearButtonEnabled(bool(text)))
        self.filter.returnPressed.connect(self._on_enter)
        self.filter.installEventFilter(self)

    def open_filter(self) -> None:
        """Begin to look for a conversation."""
        self.filter.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filter.selectAll()

    def _on_enter(self) -> None:
        self.peers.choose_first()
        self.filter.clear()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Esc shows all again; Down goes into the list."""
        if watched is self.filter and isinstance(event, QKeyEvent):
            if event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape:
                self.filter.clear()
                self.peers.entered_peer.emit(0)
                return True
            if event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Down:
                self.peers.setFocus(Qt.FocusReason.TabFocusReason)
                return True
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The ground of the window."""
        QPainter(self).fillRect(self.rect(), colours_of(self.palette()).window)


class WorkLine(QFrame):
    """Transfers that move, in one line and a bar; there only while there are some."""

    wanted = pyqtSignal(bytes)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._share = 0.0
        self._next = 0
        self.words = ElidedLabel(font="small")
        self.speed = ElidedLabel(font="small", ink="text_2")
        self.setAccessibleName("Transfers")
        m = measures_of(self.font())
        row = QHBoxLayout(self)
        row.setContentsMargins(m.px(16), m.px(8), m.px(16), m.px(8 + 4 + 8))
        row.addWidget(self.words)
        row.addStretch(1)
        row.addWidget(self.speed)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(RENEW_MS)
        self._timer.timeout.connect(self.renew)
        session.gauged.connect(self._soon)
        session.changed.connect(self._soon)
        for signal in (session.was_reset, session.connection_changed):
            signal.connect(self.renew)
        self.renew()

    def renew(self) -> None:
        """Say how far all of it has come."""
        work = work_of(self._session)
        self.setVisible(work is not None)
        if work is None:
            return
        count = len(work.ids)
        self._share = work.share
        self.words.setText(f"{count} transfers" if count > 1 else "1 transfer")
        left = f" · {duration_words(work.left_s)} left" if work.left_s is not None else ""
        self.speed.setText(f"{size_words(work.rate_bytes_s)}/s{left}")
        self.setAccessibleName(f"Transfers: {self.words.text()}, {self._share:.0%}")
        self.update()

    def _soon(self, _fact: ev.Event | ev.Gauge) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """To the next one that moves."""
        work = work_of(self._session)
        if work is not None:
            self._next = (self._next + 1) % len(work.ids)
            self.wanted.emit(work.ids[self._next])

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """A line above, the bar below."""
        painter, c, m = QPainter(self), colours_of(self.palette()), measures_of(self.font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(0, 0, self.width(), 1, c.line)
        tall = m.px(4)
        bar = QRectF(m.px(16), self.height() - m.px(12), self.width() - 2 * m.px(16), tall)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(c.sunken)
        painter.drawRoundedRect(bar, tall / 2, tall / 2)
        bar.setWidth(bar.width() * min(1.0, self._share))
        painter.setBrush(c.accent)
        painter.drawRoundedRect(bar, tall / 2, tall / 2)


class MeLine(QFrame):
    """Own name and address; a click copies the address."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.face = Monogram(32)
        self.name = ElidedLabel(font="medium")
        self.address = ElidedLabel(font="small", ink="text_2")
        self.settings = IconButton("settings", "Settings (Ctrl+,)")
        m = measures_of(self.font())
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addStretch(1)
        words.addWidget(self.name)
        words.addWidget(self.address)
        words.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(m.px(16), 1, m.px(8), 0)
        row.setSpacing(m.px(12))
        row.addWidget(self.face)
        row.addLayout(words, 1)
        row.addWidget(self.settings)
        self.setFixedHeight(m.px(56))
        self.setToolTip("Copy your address")
        follow(session, self.renew)
        self.renew()

    def renew(self) -> None:
        """Say who one is."""
        view = self._session.view
        if view is None:
            return
        row = view.session
        name = own_name(row)
        self.name.setText(name)
        self.address.setText(own_address(self._session))
        self.face.show_name(name, 2)
        self.setAccessibleName(f"You are {name}, {self.address.text()}")

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Copy the address."""
        if self.address.text():
            present(QGuiApplication.clipboard()).setText(self.address.text())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """A line above it."""
        QPainter(self).fillRect(0, 0, self.width(), 1, colours_of(self.palette()).line)


def own_address(session: Session) -> str:
    """Where others reach this session, as far as is known here; else its port."""
    row = session.view.session if session.view else None
    if row is None:
        return ""
    return shown_addresses(own_addresses(row.host, row.port))[0]
