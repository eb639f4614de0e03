"""The menu bar and its keys. Every action of the window can be reached from here."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from chatnet_protocol.ipc.commands import StopEngine
from chatnet_qt.bubble_layout import Numbers
from chatnet_qt.conversation_pane import ConversationPane
from chatnet_qt.look import Look
from chatnet_qt.qt import (
    QAction,
    QActionGroup,
    QMainWindow,
    QMenu,
    QObject,
    QPoint,
    Qt,
    QTimer,
    present,
    pyqtSignal,
)
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings
from chatnet_qt.theme import Theme

T = TypeVar("T")
BAR_AFTER_MS = 500
THEME_WORDS = {Theme.SYSTEM: "Same as &system", Theme.LIGHT: "&Light", Theme.DARK: "D&ark"}
NUMBERS_WORDS = {
    Numbers.ALWAYS: "&Always",
    Numbers.HOVER: "On &hover",
    Numbers.NEVER: "&Never",
}


class Menus(QObject):
    """Made once for the window; `pane` says which conversation is on screen.

    Signals: `numbers_chosen(when)`; `stepped(by)` another conversation is wanted; `wanted(name)`
    another part of the window: `switch`, `add`, `contact`, `settings`.
    """

    numbers_chosen = pyqtSignal(object)
    stepped = pyqtSignal(int)
    wanted = pyqtSignal(str)

    def __init__(
        self,
        window: QMainWindow,
        pane: Callable[[], ConversationPane | None],
        session: Session,
        settings: Settings,
        look: Look,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._pane = pane
        self._session = session
        self._settings = settings
        self._look = look
        self._menus: list[QMenu] = []
        self.actions: list[QAction] = []
        """Everything that has a key, for the table of keys."""
        for words, fill in (
            ("&File", self._fill_file),
            ("&View", self._fill_view),
            ("&Help", self._fill_help),
        ):
            menu = QMenu(words, window)
            self._menus.append(menu)
            fill(menu)
        if settings.menu_bar:
            self._make_bar()
        else:  # 4 ms that the first paint need not wait for; a desktop with one bar for all has it
            QTimer.singleShot(BAR_AFTER_MS, self._make_bar)

    def _make_bar(self) -> None:
        bar = present(self._window.menuBar())
        if not bar.actions():
            bar.setVisible(self._settings.menu_bar)
            for menu in self._menus:
                bar.addMenu(menu)

    def pop_up(self) -> None:
        """The menus in one, at the upper left of the window."""
        menu = QMenu(self._window)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for each in self._menus:
            menu.addMenu(each)
        corner = present(self._window.centralWidget())
        menu.popup(corner.mapToGlobal(corner.rect().topLeft() + QPoint(8, 48)))

    def _add(self, menu: QMenu, words: str, keys: str = "") -> QAction:
        action = present(menu.addAction(words))
        if keys:
            action.setShortcut(keys)
            self.actions.append(action)
            self._window.addAction(action)  # the keys work without a bar
        return action

    def _want(self, menu: QMenu, words: str, keys: str, name: str) -> None:
        self._add(menu, words, keys).triggered.connect(lambda: self.wanted.emit(name))

    def _fill_file(self, menu: QMenu) -> None:
        self._add(menu, "&Attach files…", "Ctrl+O").triggered.connect(self._attach)
        self._add(menu, "&Emoji…", "Ctrl+E").triggered.connect(self._emoji)
        self._add(menu, "&Find…", "Ctrl+F").triggered.connect(self._find)
        menu.addSeparator()
        self._want(menu, "A&dd contact or invite…", "Ctrl+N", "add")
        self._want(menu, "&Contact…", "Ctrl+I", "contact")
        self._want(menu, "&Settings…", "Ctrl+,", "settings")
        menu.addSeparator()
        self._add(menu, "C&lose window", "Ctrl+W").triggered.connect(self._close)
        leave = self._add(menu, "&Quit ChatNet's window", "Ctrl+Q")
        leave.triggered.connect(lambda: self.wanted.emit("quit"))
        self._add(menu, "Quit and s&top the engine…").triggered.connect(self._stop)

    def _fill_view(self, menu: QMenu) -> None:
        self._want(menu, "S&witch conversation", "Ctrl+K", "switch")
        self._add(menu, "Ne&xt conversation", "Ctrl+Tab").triggered.connect(
            lambda: self.stepped.emit(1)
        )
        self._add(menu, "&Previous conversation", "Ctrl+Shift+Tab").triggered.connect(
            lambda: self.stepped.emit(-1)
        )
        menu.addSeparator()
        self._add(menu, "To the &first message", "Ctrl+Home").triggered.connect(self._start)
        self._add(menu, "To the &newest message", "Ctrl+End").triggered.connect(self._end)
        self._want(menu, "&Link", "Ctrl+L", "link")
        self._add(menu, "&Safety number…", "Ctrl+Shift+S").triggered.connect(self._safety)
        menu.addSeparator()
        self._choice(menu, "Show &ACK numbers and addresses", NUMBERS_WORDS, self._settings.numbers)
        self._choice(menu, "&Theme", THEME_WORDS, self._settings.theme)
        self._add(menu, "&Menus", "F10").triggered.connect(self.pop_up)
        bar = self._add(menu, "Menu &bar", "Ctrl+M")
        bar.setCheckable(True)
        bar.setChecked(self._settings.menu_bar)
        bar.toggled.connect(self._show_bar)

    def _choice(self, menu: QMenu, words: str, offered: Mapping[T, str], current: T) -> None:
        sub = present(menu.addMenu(words))
        group = QActionGroup(self)
        for value, name in offered.items():
            action = self._add(sub, name)
            action.setCheckable(True)
            action.setChecked(value is current)
            action.triggered.connect(lambda _on, value=value: self._choose(value))
            group.addAction(action)

    def _choose(self, value: object) -> None:
        if isinstance(value, Theme):
            self._settings.theme = value
            self._look.apply()
        else:
            self.numbers_chosen.emit(value)

    def _show_bar(self, on: bool) -> None:
        self._settings.menu_bar = on
        self._make_bar()
        present(self._window.menuBar()).setVisible(on)

    def _fill_help(self, menu: QMenu) -> None:
        self._add(menu, "&Ticks and keys", "F1").triggered.connect(self._help)

    def _help(self) -> None:
        from chatnet_qt.help_text import HelpDialog  # as late as its window

        HelpDialog(self._session, self.actions, self._window).show()

    def _attach(self) -> None:
        pane = self._pane()
        if pane is not None:
            pane.composer.choose_files()

    def _emoji(self) -> None:
        pane = self._pane()
        if pane is not None:
            pane.composer.choose_emoji()

    def _find(self) -> None:
        pane = self._pane()
        if pane is not None:
            pane.find_bar.open_bar()

    def _safety(self) -> None:
        pane = self._pane()
        if pane is not None:
            pane.show_safety_number()

    def _start(self) -> None:
        pane = self._pane()
        if pane is not None:
            pane.view.go_to_start()

    def _end(self) -> None:
        pane = self._pane()
        if pane is not None:
            pane.view.go_to_end()

    def _close(self) -> None:
        self._window.close()

    def _stop(self) -> None:
        from chatnet_qt.quit_dialog import QuitDialog  # as late as its window

        dialog = QuitDialog(self._session.view, self._window)
        dialog.confirmed.connect(self._stop_now)
        dialog.show()

    def _stop_now(self) -> None:
        self._session.request(
            StopEngine("quit in the window"), lambda _answer: self.wanted.emit("quit")
        )
