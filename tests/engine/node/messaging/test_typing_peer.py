"""The peer's typing is told once, kept for a while, and forgotten by itself."""

from chatnet_engine.clock import Now
from chatnet_engine.node.messaging.typing_peer import TypingPeer
from chatnet_engine.node.publisher import Publisher
from chatnet_protocol.ipc.events import PeerChanged
from chatnet_protocol.ipc.rows import PeerRow, SessionRow
from chatnet_protocol.ipc.view import View
from chatnet_protocol.wire.messages import TYPING_KEPT_S


def typing_peer() -> tuple[TypingPeer, Publisher]:
    publisher = Publisher(b"bootboot", View(SessionRow("a", "", "", 1, b"", "", "")))
    publisher.publish(PeerChanged(PeerRow(1, "bob", "h", 1)))
    return TypingPeer(1, publisher), publisher


def shown(publisher: Publisher) -> bool:
    return publisher.view.peers[0].typing


def test_typing_is_told_once_and_ends_when_told() -> None:
    typing, publisher = typing_peer()
    typing.handle(True, Now(1.0, 0))
    typing.handle(True, Now(2.0, 0))
    assert shown(publisher)
    assert publisher.seq == 2
    typing.handle(False, Now(3.0, 0))
    typing.end()
    assert not shown(publisher)
    assert publisher.seq == 3


def test_typing_is_forgotten_some_time_after_the_last_word_of_it() -> None:
    typing, publisher = typing_peer()
    typing.handle(True, Now(1.0, 0))
    typing.handle(True, Now(4.0, 0))
    typing.handle_timeout(Now(4.0 + TYPING_KEPT_S - 0.1, 0))
    assert shown(publisher)
    assert typing.until == 4.0 + TYPING_KEPT_S
    typing.handle_timeout(Now(4.0 + TYPING_KEPT_S, 0))
    assert not shown(publisher)
    assert typing.until is None
