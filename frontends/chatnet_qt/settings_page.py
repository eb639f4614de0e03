"""What a person can choose, on one page; all of it takes effect at once."""

from collections.abc import Callable, Mapping

from chatnet_qt.autostart import set_start_at_login, starts_at_login
from chatnet_qt.bubble_layout import Numbers
from chatnet_qt.controls import Choice, Switch
from chatnet_qt.labels import label
from chatnet_qt.own_settings import InboxCard, NameCard
from chatnet_qt.page import Card, Page, add_all
from chatnet_qt.qt import QWidget, pyqtSignal
from chatnet_qt.session import Session
from chatnet_qt.settings import TEXT_SIZES, Settings
from chatnet_qt.theme import Theme

THEMES = {"System": Theme.SYSTEM, "Light": Theme.LIGHT, "Dark": Theme.DARK}
NUMBERS = {"Always": Numbers.ALWAYS, "On hover": Numbers.HOVER, "Never": Numbers.NEVER}


def choice(
    name: str, offered: Mapping[str, object], current: object, chosen: Callable[[object], None]
) -> Choice:
    """A list to choose from."""
    made = Choice(name)
    values = list(offered.values())
    for words in offered:
        made.addItem(words)
    made.setCurrentIndex(values.index(current))
    made.activated.connect(lambda at: chosen(values[at]))
    return made


def switch(name: str, on: bool, toggled: Callable[[bool], None]) -> Switch:
    """A switch that is set already."""
    made = Switch(name)
    made.setChecked(on)
    made.toggled.connect(toggled)
    return made


class SettingsPage(Page):
    """Signals: `look_changed` theme or text size; `numbers_chosen(when)`."""

    look_changed = pyqtSignal()
    numbers_chosen = pyqtSignal(object)
    pictures_toggled = pyqtSignal(bool)
    blur_toggled = pyqtSignal(bool)

    def __init__(self, session: Session, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__("Settings", parent)
        self._session = session
        self._settings = settings
        self.problem = label(wrap=True, font="small", ink="danger")
        self.login: Switch | None = None
        add_all(
            self.first,
            [("Appearance", self._appearance()), ("Notifications", self._notifications())],
        )
        self.own = NameCard(session)
        self.inbox = InboxCard(session)
        self._background = Card()
        add_all(
            self.second,
            [
                ("You", self.own),
                ("Files", self.inbox),
                ("In the background", self._background),
            ],
        )
        self._filled = False

    def open_page(self) -> None:
        """Fill in what only the session knows."""
        view = self._session.view
        self.inbox.space.renew()
        if view is None or self._filled:
            return
        self._filled = True
        row, settings = view.session, self._settings
        keep = switch("Keep running when the window is closed", settings.to_tray, self._keep)
        self._background.add_row(
            "Keep running when the window is closed",
            "The icon stays in the notification area",
            keep,
        )
        self.login = switch("Start when I log in", starts_at_login(row.name), self._start_at_login)
        self._background.add_row(
            "Start when I log in", "Also puts ChatNet into the menu of the desktop", self.login
        )
        self._background.body.addWidget(self.problem)

    def _appearance(self) -> Card:
        card, settings = Card(), self._settings
        card.add_row("Theme", "", choice("Theme", THEMES, settings.theme, self._set_theme))
        sizes = {name: name for name in TEXT_SIZES}
        card.add_row("Text size", "", choice("Text size", sizes, settings.text_size, self._size))
        card.add_row(
            "Show pictures in messages",
            "Decoded in a process of its own",
            switch("Show pictures in messages", settings.pictures, self._pictures),
        )
        hide = "Blur while another window is used"
        card.add_row(hide, "", switch(hide, settings.blur, self._blur))
        numbers = choice("ACK numbers", NUMBERS, settings.numbers, self.numbers_chosen.emit)
        card.add_row("ACK numbers and addresses", "Beside each received message", numbers)
        return card

    def _notifications(self) -> Card:
        card, settings = Card(), self._settings
        for words, hint, name in (
            ("Notify about new messages", "", "notifications"),
            ("Show the sender's name", "", "names_in_notifications"),
            ("Show the message text", "When off: “2 new messages”", "text_in_notifications"),
            ("Blink in the notification area", "While something is unread", "blink"),
        ):

            def on_toggled(on: bool, name: str = name) -> None:
                setattr(settings, name, on)

            card.add_row(words, hint, switch(words, getattr(settings, name), on_toggled))
        return card

    def _set_theme(self, theme: object) -> None:
        if isinstance(theme, Theme):
            self._settings.theme = theme
            self.look_changed.emit()

    def _size(self, size: object) -> None:
        self._settings.text_size = str(size)
        self.look_changed.emit()

    def _pictures(self, on: bool) -> None:
        self._settings.pictures = on
        self.pictures_toggled.emit(on)

    def _blur(self, on: bool) -> None:
        self._settings.blur = on
        self.blur_toggled.emit(on)

    def _keep(self, on: bool) -> None:
        self._settings.to_tray = on

    def _start_at_login(self, on: bool) -> None:
        view = self._session.view
        if view is not None:
            self.problem.setText(set_start_at_login(view.session.name, on))
