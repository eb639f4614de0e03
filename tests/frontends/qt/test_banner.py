"""What the window says about links, and what it offers."""

import msgspec
import pytest

from chatnet_client.client_events import Cause, Outage
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import RetryPeer, SetPeer, TrustPeer
from chatnet_protocol.ipc.rows import LinkRow, LinkState
from chatnet_qt.banner import Tone, key_banner, link_banner
from chatnet_qt.qt import present
from chatnet_qt.safety import KeyChangedDialog
from chatnet_qt.theme import colours_of
from qtworld import NOW_MS, MakeStage, Stage, peer_view, session_view


def strip_words(stage: Stage) -> str:
    shown = stage.pane.link_strip.shown
    return shown.words if shown else ""


def press(stage: Stage, words: str, _slot: object = None) -> None:
    buttons = stage.window.banner.buttons()
    next(button for button in buttons if button.text() == words).click()
    stage.settle()


@pytest.mark.parametrize("state", [state for state in LinkState if state != LinkState.UP])
def test_every_state_but_up_says_something(state: LinkState) -> None:
    banner = link_banner(peer_view(state=state), NOW_MS)
    assert banner is not None
    assert banner.words.endswith((".", "?", "…"))


def test_until_something_is_heard_the_port_is_asked_about(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view(state="dialling")))
    assert strip_words(stage) == (
        "No answer from Bob yet. Is ChatNet running there, and is its UDP port open?"
    )
    press(stage, "Try now")
    assert stage.client.asked(RetryPeer) == [RetryPeer(1)]
    stage.client.change(ev.LinkChanged(LinkRow(1, "up", NOW_MS)))
    stage.settle()
    assert stage.pane.link_strip.shown is None


def test_a_silent_link_says_for_how_long() -> None:
    banner = link_banner(peer_view(state="silent"), NOW_MS + 65_000)
    assert banner is not None
    assert "for 65 s" in banner.words
    assert banner.tone is Tone.WARNING


def test_a_stranger_is_accepted_or_refused(make_stage: MakeStage) -> None:
    peer = peer_view(state="pending")
    peer.info = msgspec.structs.replace(peer.info, trust="pending")
    stage = make_stage(session_view(peer))
    press(stage, "Accept")
    press(stage, "Block")
    assert stage.client.asked(TrustPeer) == [TrustPeer(1, "accept")]
    assert stage.client.asked(SetPeer) == [SetPeer(1, blocked=True)]


def test_a_blocked_peer_needs_no_news_but_the_words_in_the_box(make_stage: MakeStage) -> None:
    peer = peer_view(state="idle")
    peer.info = msgspec.structs.replace(peer.info, blocked=True, offered_key=b"N" * 32)
    stage = make_stage(session_view(peer))
    assert stage.window.right.banner.shown is None
    assert stage.pane.header.link.text() == "Blocked"


def test_a_changed_key_is_replaced_only_by_the_key_that_was_shown(make_stage: MakeStage) -> None:
    peer = peer_view()
    peer.info = msgspec.structs.replace(peer.info, offered_key=b"N" * 32)
    stage = make_stage(session_view(peer))
    assert present(stage.pane.key_strip.shown).tone is Tone.DANGER
    press(stage, "Review…", stage.pane.key_strip)
    dialog = stage.pane.findChild(KeyChangedDialog)
    dialog.replace.click()
    dialog.confirm.click()
    assert stage.client.asked(TrustPeer) == [TrustPeer(1, "replace", b"N" * 32)]


def test_a_refused_key_hides_nothing_and_can_be_put_to_rest(make_stage: MakeStage) -> None:
    peer = peer_view(state="silent")
    peer.info = msgspec.structs.replace(peer.info, offered_key=b"N" * 32)
    stage = make_stage(session_view(peer))
    assert "has not answered" in strip_words(stage), "the link's real state"
    assert stage.pane.header.link.text() == "Not answering"
    press(stage, "Keep refusing", stage.pane.key_strip)
    assert stage.client.asked(TrustPeer) == [TrustPeer(1, "keep", b"N" * 32)]
    rested = msgspec.structs.replace(peer.info, offered_key=b"", refused_keys=[b"N" * 32])
    stage.client.change(ev.PeerChanged(rested))
    stage.settle()
    assert stage.pane.key_strip.shown is None
    assert stage.pane.link_strip.shown is not None
    stage.client.change(ev.LinkChanged(LinkRow(1, "up", NOW_MS)))
    stage.settle()
    assert stage.pane.link_strip.shown is None
    assert stage.pane.header.link.text() == "Connected"
    another = msgspec.structs.replace(rested, offered_key=b"M" * 32)
    stage.client.change(ev.PeerChanged(another))
    stage.settle()
    assert stage.pane.key_strip.shown is not None, "another key asks again"
    assert stage.pane.link_strip.shown is None


def test_where_only_a_refused_key_answers_the_window_says_so_quietly() -> None:
    peer = peer_view(state="key-changed")
    peer.info = msgspec.structs.replace(peer.info, refused_keys=[b"N" * 32])
    assert key_banner(peer) is None
    banner = link_banner(peer, NOW_MS)
    assert banner is not None
    assert banner.tone is Tone.WARNING
    assert ("key", "Review…") in banner.actions


def test_verified_is_seen_in_header_and_list(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view(), peer_view(2, name="Carol")))
    index = stage.window.peers.peers.index(0)
    good = colours_of(stage.window.palette()).good

    def has_shield() -> bool:
        image = stage.window.peers.grab(stage.window.peers.visualRect(index)).toImage()
        points = ((x, y) for x in range(image.width()) for y in range(image.height()))
        return any(image.pixelColor(x, y) == good for x, y in points)

    assert not has_shield()
    assert not stage.pane.header.badge.isVisible()
    info = msgspec.structs.replace(peer_view().info, trust="verified")
    stage.client.change(ev.PeerChanged(info))
    stage.settle()
    assert stage.pane.header.badge.isVisible()
    assert has_shield()
    assert "verified" in index.data()
    stage.client.change(ev.PeerChanged(msgspec.structs.replace(info, trust="pinned")))
    stage.settle()
    assert not stage.pane.header.badge.isVisible()
    assert not has_shield()


def test_a_lost_engine_leaves_the_conversation_readable(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view(state="silent")))
    stage.client.lose("no heartbeat")
    stage.settle()
    assert "no heartbeat" in present(stage.window.engine_strip.shown).words
    assert stage.pane.link_strip.shown is None, "nobody knows what the link does now"
    stage.client.reset(session_view(peer_view(state="up")), b"boot2")
    stage.settle()
    assert stage.window.engine_strip.shown is None


def test_what_has_ended_is_said_with_a_button_that_starts_it(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    strip = stage.window.engine_strip
    stage.client.lose("", Outage(Cause.RESTARTING, command="chatnet engine 1 -d"))
    stage.settle()
    assert "being started again" in present(strip.shown).words
    assert present(strip.shown).actions == ()
    stage.client.lose("", Outage(Cause.GAVE_UP, "SIGKILL", "chatnet engine 1 -d"))
    stage.settle()
    assert "five times" in present(strip.shown).words
    stage.window.banner.buttons()[-1].click()
    assert stage.client.engine_starts == 1


def test_an_engine_that_was_restarted_says_so_once(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    stage.client.lose("", Outage(Cause.RESTARTING))
    stage.settle()
    view = session_view(peer_view())
    view.session = msgspec.structs.replace(view.session, restarts=1, died_of="SIGKILL")
    stage.client.reset(view, b"boot2")
    stage.settle()
    assert "killed by SIGKILL" in present(stage.pane.notice_strip.shown).words
    assert stage.window.engine_strip.shown is None


def test_no_peer_looks_connected_while_the_engine_is_away(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view(), peer_view(2)))
    colours = colours_of(stage.window.peers.palette())

    def has_good_dots() -> bool:
        image = stage.window.peers.grab().toImage()
        points = ((x, y) for x in range(image.width()) for y in range(image.height()))
        return any(image.pixelColor(x, y) == colours.dot_on for x, y in points)

    assert has_good_dots()
    stage.client.lose("", Outage(Cause.RESTARTING))
    stage.settle()
    assert not has_good_dots()


def test_news_of_the_engine_are_shown_and_dismissed(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    notice = ev.Notice("error", "store-failed", ["The disk is <b>full</b>."])
    stage.client.change(notice)
    stage.settle()
    strip = stage.pane.notice_strip
    assert "The disk is <b>full</b>." in present(strip.shown).words
    stage.window.banner.buttons()[-1].click()
    assert strip.shown is None
    assert not stage.window.banner.isVisible()
