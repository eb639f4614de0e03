"""Engines that are wrong about links, windows and peers who send what they like."""

from typing import Any

from chatnet_engine.arq.channel_out import SendChannel
from chatnet_engine.node.link_session import LinkSession
from chatnet_engine.node.links.links import Links
from chatnet_engine.node.messaging.conversation import Conversation
from chatnet_engine.node.node import Node
from simulate.mutant import Patches, noticed_in, swap


@noticed_in("windows of")
def links_that_the_peer_ended_are_used() -> Patches:
    """RECEIPT and CLOSE in one turn: what now has room is queued on the link that is over."""
    alive = property(lambda self: not self._over)
    return [swap(LinkSession, "alive", alive)]


@noticed_in("somebody hostile")
def answers_of_the_store_start_any_link() -> Patches:
    """A HELLO whose commit is slow starts the link that came after its own."""
    applied = Conversation._hello_applied

    def anyway(self: Conversation, result: Any, link: Any) -> None:
        if self.link:
            self.link._started = False
        applied(self, result, self.link)

    return [swap(Conversation, "_hello_applied", anyway)]


@noticed_in("windows of")
def the_window_is_not_looked_at() -> Patches:
    """As many messages are sent as there are."""
    return [swap(SendChannel, "credit", lambda self: 1 << 30)]


@noticed_in("windows of")
def receipts_do_not_open_the_window() -> Patches:
    """What was receipted still counts."""
    receipt = SendChannel.on_receipt

    def full(self: SendChannel, number: int) -> None:
        used = self._used_bytes
        receipt(self, number)
        self._used_bytes = used

    return [swap(SendChannel, "on_receipt", full)]


@noticed_in("somebody hostile")
def a_violation_ends_every_link() -> Patches:
    """Who breaks the specification costs the others their links."""
    violated = Links.violated

    def all_of_them(self: Links, peer: int, reason: str, now: Any) -> None:
        for each in list(self._links):
            violated(self, each, reason, now)

    return [swap(Links, "violated", all_of_them)]


@noticed_in("turns of")
def a_turn_forgets_the_rest_of_a_batch() -> Patches:
    """Only the first datagrams of a batch are taken, and so late ones never."""
    handle = Node.handle_datagrams

    def first(self: Node, batch: Any, now: Any) -> bool:
        return handle(self, batch[:1], now)

    return [swap(Node, "handle_datagrams", first)]
