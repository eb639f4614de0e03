"""The states of the window that people meet, each as a function that puts one on screen."""

from collections.abc import Callable
from typing import Any

import msgspec

from chatnet_client.client_events import Cause, Outage
from chatnet_protocol.ipc.commands import Invited
from chatnet_protocol.ipc.events import LinkGauge
from chatnet_protocol.ipc.rows import RestoreRow, TransferState
from chatnet_protocol.ipc.view import PeerView, View
from chatnet_qt.qt import QApplication, QFont, QPalette, QWidget
from chatnet_qt.theme import Theme, apply_theme
from qtworld import (
    NOW_MS,
    Stage,
    offer_row,
    open_stage,
    peer_view,
    session_view,
    text_row,
    transfer_row,
    with_rows,
)

TEXT_PX = 14
WIDE = (1280, 800)
NARROW = (480, 800)
LINK = "https://wiki.example.org/Build_(nightly)"
REASON = "the file was changed while it was being sent, so Bob's copy could not be verified"
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
        self._folder = folder
        apply_theme(app, Theme(theme), QPalette())
        with open(f"{folder}/qt.ini", "w", encoding="utf-8") as file:
            file.write(f"[General]\ntheme={theme}\nsaid-engine-goes-on=true\n")
        self.stage: Stage | None = None

    def open(self, view: View | None, size: tuple[int, int] = WIDE, **more: Any) -> Stage:
        """The window of this scene."""
        self.stage = open_stage(self.app, self._folder, view, size=size, **more)
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


def conversation(scene: Scene) -> QWidget:
    return scene.open(session_view(chat(), *others())).window


def narrow_conversation(scene: Scene) -> QWidget:
    return scene.open(session_view(chat(), *others()), NARROW).window


def one_peer(scene: Scene) -> QWidget:
    return scene.open(session_view(chat())).window


def no_messages(scene: Scene) -> QWidget:
    return scene.open(session_view(peer_view(state="dialling"))).window


def nobody(scene: Scene) -> QWidget:
    return scene.open(session_view()).window


def nobody_narrow(scene: Scene) -> QWidget:
    return scene.open(session_view(), NARROW).window


def invited(scene: Scene) -> QWidget:
    stage = scene.open(session_view())
    stage.window.pages.start.invite.make.click()
    stage.client.answer(Invited(9, "i4km-sdeu-76we-kcjv", NOW_MS))
    return stage.window


def no_engine_yet(scene: Scene) -> QWidget:
    return scene.open(None).window


def transfers_view() -> View:
    """The states of a file, one below the other."""
    kinds: list[tuple[str, bool, dict[str, Any]]] = [
        (TransferState.OFFERED, False, {}),
        (TransferState.DONE, False, {"path": "/home/ann/Downloads/ChatNet/IMG_2041.jpg"}),
        (TransferState.REJECTED, False, {"by": "me"}),
        (TransferState.ACTIVE, False, {"done_bytes": 1_300_000_000}),
        (TransferState.WAITING, True, {"reason": "Bob is offline. Starts when Bob is back."}),
        (TransferState.PAUSED, True, {"by": "peer", "done_bytes": 800_000_000}),
        (TransferState.VERIFYING, True, {}),
        (TransferState.DONE, True, {"files": 41}),
        (TransferState.FAILED, True, {"reason": REASON, "path": "/home/ann/m.csv"}),
        (TransferState.CANCELLED, False, {"by": "peer"}),
    ]
    names = ["debian-13-arm64.img.xz", "IMG_2041.jpg", "core-dump.bin", "fourth.bin", "report.pdf"]
    names += ["second.bin", "third.bin", "project notes", "measurements-2026-11-28-rack-4.csv"]
    names += ["a-very-long-name-of-a-file-that-somebody-did-not-want-to-shorten.tar.gz"]
    rows = [
        offer_row(no, name, 2_100_000_000, mine=mine, at_ms=NOW_MS + no * 1000)
        for no, (name, (_, mine, _)) in enumerate(zip(names, kinds, strict=True), 1)
    ]
    view = session_view(with_rows(peer_view(), rows), *others())
    view.transfers = [
        transfer_row(row, state, name, 2_100_000_000, **more)
        for row, name, (state, _, more) in zip(rows, names, kinds, strict=True)
    ]
    return view


def transfers(scene: Scene) -> QWidget:
    return scene.open(transfers_view(), (1280, 1500)).window


def transfers_narrow(scene: Scene) -> QWidget:
    return scene.open(transfers_view(), (480, 1500)).window


def link_of(state: str, **more: Any) -> Callable[[Scene], QWidget]:
    """A conversation whose link is in `state`."""

    def put(scene: Scene) -> QWidget:
        peer = chat(state=state)
        peer.link = msgspec.structs.replace(peer.link, **more)
        return scene.open(session_view(peer, *others())).window

    return put


def stranger(scene: Scene) -> QWidget:
    stage = scene.open(session_view(*others()))
    stage.window.show_peer(4)
    return stage.window


def other_key(scene: Scene) -> QWidget:
    peer = chat()
    peer.info = msgspec.structs.replace(peer.info, offered_key=bytes(range(1, 33)))
    return scene.open(session_view(peer, *others())).window


def restore(scene: Scene) -> QWidget:
    peer = chat()
    peer.restore = RestoreRow(1, mine="possible")
    return scene.open(session_view(peer, *others())).window


def engine_stopped(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()))
    stage.client.lose(outage=Outage(Cause.STOPPED, "", ["chatnet", "engine"]))
    return stage.window


def failed_text(scene: Scene) -> QWidget:
    peer = chat()
    row = msgspec.structs.replace(
        text_row(20, "What was the password for the lab again?", mine=True, seq=10),
        failed="Bob's key changed before this message left",
    )
    with_rows(peer, [*peer.messages, row])
    return scene.open(session_view(peer, *others())).window


def withdrawn_text(scene: Scene) -> QWidget:
    peer = chat()
    row = text_row(20, "What was the password for the lab again?", mine=True, seq=10)
    with_rows(peer, [*peer.messages, msgspec.structs.replace(row, failed="withdrawn")])
    return scene.open(session_view(peer, *others())).window


def day_pinned(scene: Scene) -> QWidget:
    rows = [
        text_row(no, f"Line {no} of what we wrote that day.", ack=no, at_ms=NOW_MS + no * 4_000_000)
        for no in range(1, 60)
    ]
    stage = scene.open(session_view(with_rows(peer_view(my_read=59), rows), *others()))
    stage.bar.setValue(stage.bar.maximum() // 2)
    return stage.window


def new_messages(scene: Scene) -> QWidget:
    peer = chat()
    peer.my_read = peer.last_ack - 1
    return scene.open(session_view(peer, *others())).window


def find(scene: Scene) -> QWidget:
    peer = chat()
    stage = scene.open(session_view(peer, *others()), history=peer.messages)
    stage.pane.find_bar.open_bar()
    stage.pane.find_bar.box.setText("nightly")
    stage.pane.find_bar.search()
    return stage.window


def find_nothing(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()))
    stage.pane.find_bar.open_bar()
    stage.pane.find_bar.box.setText("quarterly")
    stage.pane.find_bar.search()
    return stage.window


def writing(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()))
    paths = [f"/tmp/photo-{n}.jpg" for n in range(3)]
    stage.pane.composer.attachments.add([*paths, "/tmp/a-name-that-is-too-long-for-the-row.tar.gz"])
    stage.pane.composer.box.setPlainText("Here they are.")
    return stage.window


def emoji_picker(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()))
    stage.pane.composer.choose_emoji()
    return stage.window.emoji


def emoji_completion(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()))
    stage.pane.composer.box.insertPlainText("Well done :part")
    return stage.window


def privacy(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()))
    stage.window.cover.cover()
    return stage.window


def contact(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()))
    stage.pane.header.contact.click()
    return stage.window


def contact_narrow(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()), NARROW)
    stage.window.menus.wanted.emit("contact")
    return stage.window


def settings(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()))
    stage.window.side.me.settings.click()
    return stage.window


def link_panel(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()))
    stage.pane.header.activity.click()
    for n in range(240):
        bad = 150 < n < 165
        rtt = 12 + (n * 7 % 5) / 4 + (40 if bad else 0)
        gauge = LinkGauge(
            1, n, rtt, 1.8, 0.05 if bad else 0.008, 10**6, 1_400_000 + n * 977 % 90_000,
            41_208 + n, 39_977 + n, 12, n * 40 + (n - 150) * 900 * bad, 4, 2 if bad else 0,
        )  # fmt: skip
        stage.client.gauge(gauge)
        stage.app.processEvents()
        stage.window.right.panel.sample()
    return stage.window


def link_panel_narrow(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()), NARROW)
    stage.window.menus.wanted.emit("link")
    return stage.window


def dropping(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()))
    stage.window.drop.show_for("Bob")
    return stage.window


STATES: dict[str, Callable[[Scene], QWidget]] = {
    "conversation": conversation,
    "conversation-narrow": narrow_conversation,
    "one-peer": one_peer,
    "no-messages": no_messages,
    "nobody": nobody,
    "nobody-narrow": nobody_narrow,
    "invited": invited,
    "no-engine-yet": no_engine_yet,
    "transfers": transfers,
    "transfers-narrow": transfers_narrow,
    "link-silent": link_of("silent"),
    "link-dialling": link_of("dialling"),
    "link-refused": link_of("refused"),
    "stranger": stranger,
    "other-key": other_key,
    "restore": restore,
    "engine-stopped": engine_stopped,
    "failed-text": failed_text,
    "withdrawn-text": withdrawn_text,
    "day-pinned": day_pinned,
    "new-messages": new_messages,
    "find": find,
    "find-nothing": find_nothing,
    "writing": writing,
    "emoji-picker": emoji_picker,
    "emoji-completion": emoji_completion,
    "privacy": privacy,
    "contact": contact,
    "contact-narrow": contact_narrow,
    "settings": settings,
    "link-panel": link_panel,
    "link-panel-narrow": link_panel_narrow,
    "dropping": dropping,
}
