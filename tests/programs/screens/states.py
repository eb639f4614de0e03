"""The states of the window that people meet, each as a function that puts one on screen."""

from collections.abc import Callable
from typing import Any

import msgspec

from chatnet_client.client_events import Cause, Outage
from chatnet_protocol.ipc.commands import FetchSpace, Invited, Space
from chatnet_protocol.ipc.events import LinkGauge
from chatnet_protocol.ipc.rows import RestoreRow
from chatnet_protocol.ipc.view import View
from chatnet_qt.contact_page import WhoCard
from chatnet_qt.qt import QWidget
from qtworld import (
    NOW_MS,
    message_id,
    offer_row,
    peer_view,
    session_view,
    text_row,
    with_rows,
)
from screens.file_states import FILE_STATES
from screens.message_states import MESSAGE_STATES
from screens.scene import NARROW, Scene, chat, others

LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff-Kowalczyk of the night shift"
EMOJI_NAME = "\N{FAMILY} \N{SPARKLES} Team \N{ROCKET}\N{ROCKET}\N{ROCKET}"
RTL_NAME = "\u0641\u064a\u0635\u0644 \u0628\u0646 \u0639\u0628\u062f"
LONG_PATH = "/media/ann/a disk with a long name/received files of all kinds/2026/from everybody"


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


def blocked(scene: Scene) -> QWidget:
    peer = chat(state="idle")
    peer.info = msgspec.structs.replace(peer.info, blocked=True)
    return scene.open(session_view(peer, *others())).window


def blocked_contact(scene: Scene) -> QWidget:
    peer = chat(state="idle")
    peer.info = msgspec.structs.replace(peer.info, blocked=True)
    stage = scene.open(session_view(peer, *others()))
    stage.pane.header.contact.click()
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
    stage.client.lose(outage=Outage(Cause.STOPPED, "", "chatnet engine"))
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


def replies(scene: Scene) -> QWidget:
    """Answers to the other side, to oneself, to a file, to what is not here; one being written."""
    rows = [
        text_row(1, "Shall we meet at noon, or is that too early for you?", ack=1),
        text_row(2, "Noon is fine", mine=True, seq=1, ack=1),
        offer_row(3, "map.pdf", 90_000, ack=2),
    ]
    answers = [(1, False, "See you then"), (2, True, "Or rather half past, the train is late"),
               (3, True, "Thanks for the map! I will print it and bring a copy for everybody"),
               (99, False, "👍"), (1, True, "ok")]  # fmt: skip
    for no, (to, mine, text) in enumerate(answers, 4):
        row = text_row(no, text, mine=mine, ack=no, seq=no if mine else 0)
        rows.append(msgspec.structs.replace(row, reply_to=message_id(to)))
    view = session_view(with_rows(peer_view(my_read=99), rows), *others())
    stage = scene.open(view, history=rows)
    stage.pane.composer.reply_bar.answer(stage.pane.model.quotes.quote(rows[0]))
    stage.pane.composer.box.setPlainText("Yes, noon")
    return stage.window


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
    stage.window.attendants.cover.cover()
    return stage.window


def contact(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()))
    stage.pane.header.contact.click()
    return stage.window


def contact_address(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()), NARROW)
    stage.window.attendants.menus.wanted.emit("contact")
    stage.window.pages.contact.findChild(WhoCard).readdress.click()
    return stage.window


def contact_narrow(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()), NARROW)
    stage.window.attendants.menus.wanted.emit("contact")
    return stage.window


def settings(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()))
    stage.window.side.me.settings.click()
    return stage.window


def settings_narrow(scene: Scene) -> QWidget:
    view = session_view(chat(), *others())
    view.session = msgspec.structs.replace(view.session, display_name=LONG_NAME, inbox=LONG_PATH)
    stage = scene.open(view, NARROW)
    stage.window.attendants.menus.wanted.emit("settings")
    return stage.window


def settings_cleaning(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()))
    stage.client.held.add(FetchSpace)
    stage.window.attendants.menus.wanted.emit("settings")
    stage.client.answer(Space(3, 1_200_000_000, 1, 90_000_000, 2, 340_000_000, 1, 5_000_000))
    stage.settle()
    stage.window.pages.settings.inbox.space.clean.click()
    return stage.window


def long_names() -> View:
    """Names that are long, of emoji, or written from right to left; also the own one."""
    people = [chat(LONG_NAME, state="silent")]
    for number, name in enumerate((EMOJI_NAME, RTL_NAME, "WWWWWWWWWW" * 6), 2):
        rows = [text_row(number * 40, f"{name} was here", ack=1)]
        people.append(with_rows(peer_view(number, name=name), rows))
    view = session_view(*people)
    view.session = msgspec.structs.replace(view.session, display_name=LONG_NAME)
    return view


def names(scene: Scene) -> QWidget:
    return scene.open(long_names()).window


def names_narrow(scene: Scene) -> QWidget:
    return scene.open(long_names(), NARROW).window


def names_contact(scene: Scene) -> QWidget:
    stage = scene.open(long_names(), NARROW)
    stage.window.attendants.menus.wanted.emit("contact")
    return stage.window


def names_list(scene: Scene) -> QWidget:
    stage = scene.open(long_names(), NARROW)
    stage.pane.header.back.click()
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
            bad, 2 if bad else 1, 1_250_000.0, 9.0 if bad else 1.5, 1452, 0.02 if bad else 0.001,
        )  # fmt: skip
        stage.client.gauge(gauge)
        stage.app.processEvents()
        stage.window.right.panel.sample()
    return stage.window


def link_panel_narrow(scene: Scene) -> QWidget:
    stage = scene.open(session_view(chat(), *others()), NARROW)
    stage.window.attendants.menus.wanted.emit("link")
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
    "link-silent": link_of("silent"),
    "link-dialling": link_of("dialling"),
    "link-refused": link_of("refused"),
    "stranger": stranger,
    "blocked": blocked,
    "blocked-contact": blocked_contact,
    "other-key": other_key,
    "restore": restore,
    "engine-stopped": engine_stopped,
    "failed-text": failed_text,
    "withdrawn-text": withdrawn_text,
    "replies": replies,
    "day-pinned": day_pinned,
    "new-messages": new_messages,
    "find": find,
    "find-nothing": find_nothing,
    "emoji-picker": emoji_picker,
    "emoji-completion": emoji_completion,
    "privacy": privacy,
    "contact": contact,
    "contact-narrow": contact_narrow,
    "contact-address": contact_address,
    "settings": settings,
    "settings-narrow": settings_narrow,
    "settings-cleaning": settings_cleaning,
    "names": names,
    "names-narrow": names_narrow,
    "names-contact": names_contact,
    "names-list": names_list,
    "link-panel": link_panel,
    "link-panel-narrow": link_panel_narrow,
    "dropping": dropping,
    **FILE_STATES,
    **MESSAGE_STATES,
}
