"""What is beside the list: a conversation or a page, the line of news over it, the link panel."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from chatnet_qt.banner import BannerSlot
from chatnet_qt.banner_overlay import BannerOverlay
from chatnet_qt.qt import (
    QEvent,
    QHBoxLayout,
    QResizeEvent,
    QStackedWidget,
    QWidget,
    present,
    pyqtSignal,
)
from chatnet_qt.session import Session
from chatnet_qt.tokens import LIST_MIN, PANEL, measures_of

if TYPE_CHECKING:
    from chatnet_qt.link_panel import LinkPanel

HEAD = 56


class RightSide(QWidget):
    """`panel_closed`: the link panel is gone."""

    panel_closed = pyqtSignal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.stack = QStackedWidget()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.stack, 1)
        self.banner = BannerOverlay(self)
        m = measures_of(self.font())
        self.setMinimumWidth(m.px(LIST_MIN))

    @cached_property
    def panel(self) -> "LinkPanel":
        """The link panel: made, and its module loaded, when it is opened first."""
        from chatnet_qt.link_panel import LinkPanel

        panel = LinkPanel(self._session)
        present(self.layout()).addWidget(panel)
        panel.left.connect(self.close_panel)
        return panel

    @property
    def panel_is_open(self) -> bool:
        """Whether the link is shown."""
        return "panel" in vars(self) and self.panel.isVisibleTo(self)

    def set_slots(self, slots: Sequence[BannerSlot]) -> None:
        """Which news may be shown, the most urgent first."""
        self.banner.set_slots(slots)

    def toggle_panel(self, peer: int) -> bool:
        """Show the link of a peer, or close it; whether it is open now."""
        if self.panel_is_open:
            self.close_panel()
            return False
        self.panel.show_peer(peer)
        self.panel.show()
        self._fit()
        self.panel.close_button.setFocus()
        return True

    def follow(self, peer: int) -> None:
        """Another conversation: its link."""
        if self.panel_is_open:
            self.panel.show_peer(peer)

    def close_panel(self) -> None:
        """The conversation alone."""
        self.panel.hide()
        self._fit()
        self.panel_closed.emit()

    def _fit(self) -> None:
        """Where both do not fit the panel has the space."""
        m = measures_of(self.font())
        narrow = self.width() < m.px(PANEL + 2 * LIST_MIN)
        self.stack.setVisible(not (narrow and self.panel_is_open))
        if not self.panel_is_open:
            pass
        elif narrow:
            self.panel.setMinimumWidth(0)
            self.panel.setMaximumWidth(16_777_215)
        else:
            self.panel.setFixedWidth(m.px(PANEL))
        self._place_banner()

    def _place_banner(self) -> None:
        m = measures_of(self.font())
        self.banner.place(self.stack.geometry().adjusted(0, m.px(HEAD), 0, 0))

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """One or both."""
        super().resizeEvent(event)
        self._fit()

    def event(self, event: QEvent | None) -> bool:
        """The line of news follows every layout."""
        done = super().event(event)
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self._place_banner()
        return done
