"""What a subject of the node is: what it owns by type, its timers, what others announce to it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from chatnet_engine.clock import Now
from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.link_session import LinkSession
from chatnet_engine.node.waiting import Waiting
from chatnet_engine.store_ops.commit import HelloApplied, PeerForgotten, PeerLoaded, PeerStored
from chatnet_engine.store_ops.transfers import StoredTransfer
from chatnet_protocol.ipc.rows import MessageRow

CommandHandler = Callable[[Any, ReplyTo, Now], None]
"""Does a command: answers it, or sends the ReplyTo along with what its answer waits for. Raises
CommandError with what the client is shown."""
ResultHandler = Callable[[Any, Waiting, Now], None]
"""Everything that follows from a committed operation: memory, events, answers."""
ArrivalHandler = Callable[[LinkSession, Any, Now], None]
"""Takes what arrived on a link. Raises RemoteProtocolError, DecodeError: that ends the link."""
Kind = TypeVar("Kind", type, int)
Handler = TypeVar("Handler")


class Subject:
    """One subject. What a subclass does not define does nothing."""

    def __init__(self) -> None:
        self.commands: Mapping[type, CommandHandler] = {}
        self.results: Mapping[type, ResultHandler] = {}
        self.channels: Mapping[int, ArrivalHandler] = {}
        self.arrivals: Mapping[type, ArrivalHandler] = {}
        """What arrives on a link besides messages, by the kind of the ARQ's event."""
        self.subjects: Sequence[Subject] = ()
        """All, in the order in which they are to hear of what this one announces."""

    def handle_due(self, peer: int, now: Now) -> None:
        """Time has passed for this peer; idempotent, and does nothing before something is due."""

    def due_of(self, peer: int) -> float | None:
        """When `handle_due` has something to do for this peer. It changes only while something of
        the peer is handled, which touches it (`DuePeers`)."""
        return None

    # --- what others announce ---

    def front_end_attached(self) -> None:
        """Somebody may be there to see a notice."""

    def peer_stored(self, result: PeerStored, now: Now) -> None:
        """A peer is new, or something about it is."""

    def peer_removed(self, result: PeerForgotten, now: Now) -> None:
        """A peer is not in the list any more; with `into`, it turned out to be another one."""

    def peer_unloaded(self, peer: int) -> None:
        """What memory has of a peer is not to be trusted; it is being read again."""

    def peer_loaded(self, result: PeerLoaded, now: Now) -> None:
        """A peer as the store has it; `row` is None when it is not listed any more."""

    def transfer_missing(self, peer: int, now: Now) -> None:
        """The store does not have a transfer of this peer that was just begun."""

    def link_made(self, session: LinkSession, now: Now) -> None:
        """A handshake is done: there is a link, and HELLO is to be exchanged on it."""

    def hello_applied(self, result: HelloApplied) -> None:
        """The peer's HELLO is committed, whether its link lives on or not."""

    def peer_named(self, peer: int, display_name: str) -> None:
        """What a peer calls itself is committed."""

    def link_up(self, session: LinkSession, now: Now) -> None:
        """HELLO has been exchanged and applied: messages flow."""

    def link_ended(self, peer: int) -> None:
        """The link that there was is over."""

    def offers_committed(self, peer: int, offers: list[MessageRow], now: Now) -> None:
        """Messages that offer files are in the history: own ones, or the peer's."""

    def offers_resumed(self, peer: int, offers: list[MessageRow], now: Now) -> None:
        """Offers of the peer in the history that did not become transfers when they came."""

    def offer_refused(self, transfer_id: bytes) -> None:
        """An own offer is not in the history: its id is another message's."""

    def messages_delivered(self, peer: int, delivered_seq: int, now: Now) -> None:
        """The peer has committed own messages up to `delivered_seq`."""

    def transfers_restored(self, restored: list[StoredTransfer], now: Now) -> None:
        """Records of transfers came with messages that a peer gave back."""


def merge(tables: Iterable[Mapping[Kind, Handler]], kinds: Iterable[Kind]) -> dict[Kind, Handler]:
    """One table of all. Raises AssertionError unless each of `kinds` has exactly one owner."""
    out: dict[Kind, Handler] = {}
    for table in tables:
        twice = out.keys() & table.keys()
        assert not twice, f"{_names(twice)}: more than one owner"
        out |= table
    wanted = set(kinds)
    assert wanted <= out.keys(), f"{_names(wanted - out.keys())}: no owner"
    assert out.keys() <= wanted, f"{_names(out.keys() - wanted)}: of no known kind"
    return out


def _names(kinds: Iterable[object]) -> str:
    return ", ".join(sorted(getattr(kind, "__name__", str(kind)) for kind in kinds))
