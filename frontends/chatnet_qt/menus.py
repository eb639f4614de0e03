"""The menu bar and its keys. Every action of the window can be reached from here."""

from collections.abc import Callable

from chatnet_protocol.ipc.commands import StopEngine
from chatnet_qt.conversation_pane import ConversationPane
from chatnet_qt.desktop import DesktopScheme
from chatnet_qt.help_text import HelpDialog
from chatnet_qt.invites import AddPeerDialog, InviteDialog
from chatnet_qt.qt import (
    QAction,
    QActionGroup,
    QApplication,
    QMainWindow,
    QMenu,
    QObject,
    QPalette,
    present,
    pyqtSignal,
)
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings
from chatnet_qt.theme import Theme, apply_theme

THEME_WORDS = {Theme.SYSTEM: "As the &desktop", Theme.LIGHT: "&Light", Theme.DARK: "D&ark"}


class Menus(QObject):
    """Made once for the window; `pane` tells which conversation is on screen.

    Signals: `footers_toggled(on)`; `stepped(by)` another conversation is wanted.
    """

    footers_toggled = pyqtSignal(bool)
    stepped = pyqtSignal(int)

    def __init__(
        self,
        window: QMainWindow,
        pane: Callable[[], ConversationPane | None],
        session: Session,
        settings: Settings,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._pane = pane
        self._session = session
        self._settings = settings
        self._desktop = DesktopScheme(self)
        self._system_palette = QPalette(QApplication.palette())
        bar = present(window.menuBar())
        self._fill_file(present(bar.addMenu("&File")))
        self._fill_view(present(bar.addMenu("&View")))
        self._fill_help(present(bar.addMenu("&Help")))
        self._desktop.changed.connect(self.apply_theme)
        self._desktop.ask()
        self.apply_theme()

    def apply_theme(self) -> None:
        """Look as the settings say."""
        app = QApplication.instance()
        if isinstance(app, QApplication):
            apply_theme(app, self._settings.theme, self._system_palette, self._desktop.dark)

    def _add(self, menu: QMenu, words: str, keys: str = "") -> QAction:
        action = present(menu.addAction(words))
        if keys:
            action.setShortcut(keys)
        return action

    def _fill_file(self, menu: QMenu) -> None:
        self._add(menu, "&Attach files…", "Ctrl+O").triggered.connect(self._attach)
        self._add(menu, "&Find…", "Ctrl+F").triggered.connect(self._find)
        menu.addSeparator()
        self._add(menu, "A&dd somebody…").triggered.connect(
            lambda: AddPeerDialog(self._session, self._window).show()
        )
        self._add(menu, "&Invite somebody…").triggered.connect(self._invite)
        menu.addSeparator()
        leave = self._add(menu, "&Quit", "Ctrl+Q")
        leave.setToolTip("Closes this window; the engine goes on")
        leave.triggered.connect(self._quit)
        self._add(menu, "Quit and &stop the engine").triggered.connect(self._stop)

    def _fill_view(self, menu: QMenu) -> None:
        footers = self._add(menu, "&ACK number and source")
        footers.setCheckable(True)
        footers.setChecked(self._settings.footers)
        footers.toggled.connect(self.footers_toggled)
        self._add(menu, "&Safety number…").triggered.connect(self._safety)
        menu.addSeparator()
        self._add(menu, "To the &first message", "Ctrl+Home").triggered.connect(self._start)
        self._add(menu, "To the &newest message", "Ctrl+End").triggered.connect(self._end)
        self._add(menu, "Ne&xt conversation", "Ctrl+Tab").triggered.connect(
            lambda: self.stepped.emit(1)
        )
        self._add(menu, "&Previous conversation", "Ctrl+Shift+Tab").triggered.connect(
            lambda: self.stepped.emit(-1)
        )
        menu.addSeparator()
        themes = present(menu.addMenu("&Theme"))
        group = QActionGroup(self)
        for theme, words in THEME_WORDS.items():
            action = self._add(themes, words)
            action.setCheckable(True)
            action.setChecked(theme is self._settings.theme)
            action.triggered.connect(lambda _on, theme=theme: self._choose_theme(theme))
            group.addAction(action)
        for words, name in (
            ("Announce new &messages", "notifications"),
            ("Announcements show the &text", "text_in_notifications"),
        ):
            flag = self._add(menu, words)
            flag.setCheckable(True)
            flag.setChecked(getattr(self._settings, name))
            flag.toggled.connect(lambda on, name=name: setattr(self._settings, name, on))

    def _fill_help(self, menu: QMenu) -> None:
        self._add(menu, "&Ticks and keys", "F1").triggered.connect(
            lambda: HelpDialog(self._session, self._window).show()
        )

    def _attach(self) -> None:
        pane = self._pane()
        if pane is not None:
            pane.composer.choose_files()

    def _find(self) -> None:
        pane = self._pane()
        if pane is not None:
            pane.find_bar.open_bar()

    def _safety(self) -> None:
        pane = self._pane()
        if pane is not None:
            pane.show_safety_number()

    def _invite(self) -> None:
        pane = self._pane()
        peer = pane.model.peer() if pane is not None else None
        unmet = peer.info if peer is not None and not peer.info.key else None
        InviteDialog(self._session, unmet, self._window).show()

    def _start(self) -> None:
        pane = self._pane()
        if pane is not None:
            pane.view.go_to_start()

    def _end(self) -> None:
        pane = self._pane()
        if pane is not None:
            pane.view.go_to_end()

    def _choose_theme(self, theme: Theme) -> None:
        self._settings.theme = theme
        self.apply_theme()

    def _quit(self) -> None:
        self._window.close()

    def _stop(self) -> None:
        self._session.request(StopEngine("quit in the window"), lambda _answer: self._quit())
