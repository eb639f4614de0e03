"""The pages of a window that stand in the place of the conversation."""

from functools import cached_property
from typing import TYPE_CHECKING

from chatnet_qt.qt import QObject, QStackedWidget, pyqtSignal
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings

if TYPE_CHECKING:
    from chatnet_qt.contact_page import ContactPage
    from chatnet_qt.first_contact import FirstContact
    from chatnet_qt.page import Page
    from chatnet_qt.settings_page import SettingsPage


class Pages(QObject):
    """Owns them; puts one of them on `stack`.

    Each page is made, and its module loaded, when it is opened first: the conversation is painted
    without them. Signals, of whichever page there is: `left` back to the conversation;
    `menu_wanted`; `added(peer)`; `look_changed`; `blur_toggled(on)`; `pictures_toggled(on)`;
    `numbers_chosen(when)`.
    """

    left = pyqtSignal()
    menu_wanted = pyqtSignal()
    added = pyqtSignal(int)
    look_changed = pyqtSignal()
    blur_toggled = pyqtSignal(bool)
    pictures_toggled = pyqtSignal(bool)
    numbers_chosen = pyqtSignal(object)

    def __init__(
        self, session: Session, settings: Settings, stack: QStackedWidget, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._settings = settings
        self._stack = stack

    @cached_property
    def start(self) -> "FirstContact":
        """Who one is, invites, addresses."""
        from chatnet_qt.first_contact import FirstContact

        page = FirstContact(self._session)
        page.added.connect(self.added)
        page.head.menu.clicked.connect(self.menu_wanted)
        self._add(page)
        return page

    @cached_property
    def contact(self) -> "ContactPage":
        """One contact."""
        from chatnet_qt.contact_page import ContactPage

        page = ContactPage(self._session, self._settings)
        self._add(page)
        return page

    @cached_property
    def settings(self) -> "SettingsPage":
        """The settings."""
        from chatnet_qt.settings_page import SettingsPage

        page = SettingsPage(self._session, self._settings)
        page.look_changed.connect(self.look_changed)
        page.blur_toggled.connect(self.blur_toggled)
        page.pictures_toggled.connect(self.pictures_toggled)
        page.numbers_chosen.connect(self.numbers_chosen)
        self._add(page)
        return page

    def _add(self, page: "Page") -> None:
        self._stack.addWidget(page)
        page.left.connect(self.left)

    @property
    def is_inviting(self) -> bool:
        """Whether an invite is shown or being made, which nobody has taken yet."""
        return "start" in vars(self) and self.start.invite.is_open

    def set_alone(self, alone: bool) -> None:
        """Whether there is no conversation to go back to."""
        if "start" in vars(self):
            self.start.set_alone(alone)

    def open(self, page: "Page", *, alone: bool) -> None:
        """Put a page on screen; `alone`: there is no conversation to go back to."""
        self._stack.setCurrentWidget(page)
        if "start" in vars(self) and page is self.start:
            self.start.open_page(alone=alone)
        elif "settings" in vars(self) and page is self.settings:
            self.settings.open_page()
            page.head.back.setFocus()
        else:
            page.head.back.setFocus()
