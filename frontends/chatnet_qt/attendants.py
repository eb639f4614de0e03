"""What serves a window and is not seen in its first moment: menus and keys, the icons of tray and
task bar, announcements, the cover over private words."""

from functools import cached_property
from typing import TYPE_CHECKING

from chatnet_qt.look import Look
from chatnet_qt.panes import Panes
from chatnet_qt.qt import QMainWindow, QObject, QPoint, QTimer, pyqtSignal
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings

if TYPE_CHECKING:
    from chatnet_qt.announcer import Announcer
    from chatnet_qt.launcher import Launcher
    from chatnet_qt.menus import Menus
    from chatnet_qt.peer_menu import PeerMenu
    from chatnet_qt.privacy import PrivacyCover
    from chatnet_qt.tray import Tray

AT_LATEST_MS = 500
"""Keys work after this time, also where no engine answers or nothing is painted."""


class Attendants(QObject):
    """Owns them. Each is made, and its module loaded, when it is needed first, and all of them
    right after the first paint of a conversation, which would wait for them.

    Signals: those of the attendants. `quit_wanted` and `peer_wanted(peer)` of the tray, `wanted`,
    `stepped` and `numbers_chosen` of the menus, `covered` of the cover; `peer_action(peer, name)`
    is `wanted` of the menu of a row.
    """

    quit_wanted = pyqtSignal()
    peer_wanted = pyqtSignal(int)
    peer_action = pyqtSignal(int, str)
    wanted = pyqtSignal(str)
    stepped = pyqtSignal(int)
    numbers_chosen = pyqtSignal(object)
    covered = pyqtSignal(bool)

    def __init__(
        self, session: Session, settings: Settings, look: Look, panes: Panes, window: QMainWindow
    ) -> None:
        super().__init__(window)
        self._session = session
        self._settings = settings
        self._look = look
        self._panes = panes
        self._window = window
        self._unread = 0
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self.make_all)
        self._later.start(AT_LATEST_MS)

    @cached_property
    def tray(self) -> "Tray":
        """Notifications, and the icon of the notification area."""
        from chatnet_qt.tray import Tray

        tray = Tray(self._session, self._settings, self._window)
        tray.quit_wanted.connect(self.quit_wanted)
        tray.peer_wanted.connect(self.peer_wanted)
        tray.show_unread(self._unread)
        return tray

    @cached_property
    def launcher(self) -> "Launcher":
        """The window's entry in the task bar."""
        from chatnet_qt.launcher import Launcher

        return Launcher(self._session, self)

    @cached_property
    def announcer(self) -> "Announcer":
        """New messages for screen readers."""
        from chatnet_qt.announcer import Announcer

        panes = self._panes
        return Announcer(self._session, self._settings, lambda: panes.current, self._window)

    @cached_property
    def menus(self) -> "Menus":
        """The menus of the window, and all keys."""
        from chatnet_qt.menus import Menus

        panes = self._panes
        menus = Menus(self._window, lambda: panes.pane, self._session, self._settings, self._look)
        menus.numbers_chosen.connect(self.numbers_chosen)
        menus.stepped.connect(self.stepped)
        menus.wanted.connect(self.wanted)
        return menus

    @cached_property
    def peer_menu(self) -> "PeerMenu":
        """The menu of a row of the list."""
        from chatnet_qt.peer_menu import PeerMenu

        menu = PeerMenu(self._session, self._settings, self._window)
        menu.wanted.connect(self.peer_action)
        return menu

    @cached_property
    def cover(self) -> "PrivacyCover":
        """Over the window while another program is used."""
        from chatnet_qt.privacy import PrivacyCover

        cover = PrivacyCover(self._window)
        cover.covered.connect(self.covered)
        cover.set_on(self._settings.blur)
        return cover

    def make_all(self) -> None:
        """Make what nobody has asked for yet."""
        for name in ("menus", "tray", "launcher", "announcer", "peer_menu", "cover"):
            getattr(self, name)

    def handle_paint(self) -> None:
        """The window is being painted; what lies on it follows before any timer."""
        if self._session.view is not None and self._later.isActive():
            self._later.start(0)

    def pop_up(self) -> None:
        """The menus of the window."""
        self.menus.pop_up()

    def pop_up_peer(self, number: int, at: QPoint) -> None:
        """The menu of a row, at a place on the screen."""
        self.peer_menu.pop_up(number, at)

    def set_blur(self, on: bool) -> None:
        """Whether the cover is wanted."""
        self.cover.set_on(on)

    def show_unread(self, unread: int) -> None:
        """So many messages have not been read."""
        self._unread = unread
        if "tray" in vars(self):
            self.tray.show_unread(unread)

    def handle_activation(self) -> None:
        """The window, or another program, is used now."""
        if "cover" in vars(self):
            self.cover.follow()

    def handle_resize(self) -> None:
        """The window has another size."""
        if "cover" in vars(self):
            self.cover.fit()

    def clear(self) -> None:
        """The window goes."""
        self.tray.clear()
        self.launcher.clear()
