"""A window by hand for one picture, and the people and texts that most pictures show."""

from typing import Any

import msgspec

from chatnet_protocol.ipc.view import PeerView, View
from chatnet_qt.qt import QApplication, QFont, QPalette
from chatnet_qt.theme import Theme, apply_theme
from qtworld import (
    NOW_MS,
    Stage,
    open_stage,
    peer_view,
    text_row,
    with_rows,
)

TEXT_PX = 14
WIDE = (1280, 800)
NARROW = (480, 800)
LINK = "https://wiki.example.org/Build_(nightly)"
TEXTS = (
    ("Morning! The nightly build is through, three warnings.", False),
    ("The two about `retries` are mine.", True),
    (
        f"This is the line it complains about:\n```\ndef f():\n    return 2\n```\nDocs: {LINK}",
        False,
    ),
    ("\N{THUMBS UP SIGN}", True),
    ("Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", True),
    ("مرحبا، هل وصل الملف؟ نسخة 2.0 جاهزة.", False),
    ("ok", False),
    ("I'll look after lunch \N{GRINNING FACE}\N{PARTY POPPER}", True),
    ("And then I'll send you the new image.", True),
)


class Scene:
    """One window in one theme."""

    def __init__(self, app: QApplication, folder: str, theme: str) -> None:
        self.app = app
        self.folder = folder
        apply_theme(app, Theme(theme), QPalette())
        with open(f"{folder}/qt.ini", "w", encoding="utf-8") as file:
            file.write(f"[General]\ntheme={theme}\nsaid-engine-goes-on=true\n")
        self.stage: Stage | None = None

    def open(self, view: View | None, size: tuple[int, int] = WIDE, **more: Any) -> Stage:
        """The window of this scene."""
        self.stage = open_stage(self.app, self.folder, view, size=size, **more)
        return self.stage

    def settle(self) -> None:
        """Let it draw."""
        if self.stage is not None:
            self.stage.settle()

    def close(self) -> None:
        """Take it away."""
        if self.stage is not None:
            self.stage.close()


def make_app() -> QApplication:
    app = QApplication.instance() or QApplication(["screens"])
    assert isinstance(app, QApplication)
    app.setQuitOnLastWindowClosed(False)
    font = QFont(app.font())
    font.setPixelSize(TEXT_PX)
    app.setFont(font)
    return app


def chat(name: str = "Bob", **more: Any) -> PeerView:
    """A conversation of every kind of text, the last ones own and in each state."""
    rows = []
    for no, (text, mine) in enumerate(TEXTS, 1):
        numbers = {"seq": no, "ack": no if no < 6 else 0} if mine else {"ack": no + 1040}
        rows.append(text_row(no, text, mine=mine, at_ms=NOW_MS + no * 60_000, **numbers))
    peer = with_rows(peer_view(name=name, **more), rows)
    peer.delivered_seq, peer.sent_seq, peer.peer_shown, peer.peer_read = 5, 8, 4, 2
    peer.my_read = peer.last_ack
    return peer


def others() -> list[PeerView]:
    """Enough others for a list."""
    carol = with_rows(peer_view(2, name="Carol Østergaard-Lindqvist"), [text_row(30, "Hi!", ack=1)])
    dave = with_rows(peer_view(3, name="Dave", state="idle"), [text_row(31, "bye", mine=True)])
    stranger = peer_view(4, name="192.0.2.44:5000", state="pending")
    stranger.info = msgspec.structs.replace(stranger.info, trust="pending")
    return [carol, dave, stranger]
