"""The pages of a window that stand in the place of the conversation."""

from chatnet_qt.contact_page import ContactPage
from chatnet_qt.first_contact import FirstContact
from chatnet_qt.page import Page
from chatnet_qt.qt import QObject, QStackedWidget, pyqtSignal
from chatnet_qt.session import Session
from chatnet_qt.settings import Settings
from chatnet_qt.settings_page import SettingsPage


class Pages(QObject):
    """Owns them; puts one of them on `stack`. `left`: back to the conversation."""

    left = pyqtSignal()

    def __init__(
        self, session: Session, settings: Settings, stack: QStackedWidget, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._stack = stack
        self.start = FirstContact(session)
        self.contact = ContactPage(session, settings)
        self.settings = SettingsPage(session, settings)
        for page in (self.start, self.contact, self.settings):
            stack.addWidget(page)
            page.left.connect(self.left)

    def open(self, page: Page, *, alone: bool) -> None:
        """Put a page on screen; `alone`: there is no conversation to go back to."""
        self._stack.setCurrentWidget(page)
        if page is self.start:
            self.start.open_page(alone=alone)
        elif page is self.settings:
            self.settings.open_page()
            page.head.back.setFocus()
        else:
            page.head.back.setFocus()
