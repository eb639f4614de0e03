"""The parts of a node, each owning one kind of state, and the desk where answers are put.

Nothing but `node.py`, `commands.py` and `answers.py` sees them together.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from chatnet_engine.files.transfers import Transfers
from chatnet_engine.node.commits import Asker, CommitQueue
from chatnet_engine.node.config import NodeConfig
from chatnet_engine.node.effects import Effect, SendReply
from chatnet_engine.node.front_ends.backups import Backups
from chatnet_engine.node.front_ends.clients import Clients
from chatnet_engine.node.left_out import LeftOut
from chatnet_engine.node.links.links import Links
from chatnet_engine.node.messaging.conversation import Conversation
from chatnet_engine.node.people.gate import Gate
from chatnet_engine.node.people.invites import Invites
from chatnet_engine.node.people.known_peers import KnownPeers
from chatnet_engine.node.people.peers import Peers
from chatnet_engine.node.publisher import Publisher
from chatnet_engine.node.recovery.restoring import Restoring
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_protocol import codec
from chatnet_protocol.commit import ForgetPeer, StorePeer
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import AcceptTransfer, Result
from chatnet_protocol.ipc.envelope import Failure, Reply
from chatnet_protocol.ipc.rows import PeerRow
from chatnet_protocol.limits import MAX_PEERS

STORE_FAILED = "The history cannot be written ({}); nothing was changed, try again later."


MAX_READS = 64
"""History pages and counters being read at a time; more are told to come back."""


@dataclass(slots=True)
class Parts:
    """Everything a node is made of."""

    config: NodeConfig
    endpoint: Endpoint
    peers: Peers
    known: KnownPeers
    gate: Gate
    invites: Invites
    conversations: dict[int, Conversation]
    links: Links
    commits: CommitQueue
    publisher: Publisher
    clients: Clients
    transfers: Transfers
    restoring: Restoring
    backups: Backups
    left_out: LeftOut
    random: Callable[[int], bytes]
    effects: list[Effect] = field(default_factory=list)
    """Effects that came up during the turn, besides what the parts hold."""
    read_askers: dict[int, Asker] = field(default_factory=dict)
    """Who waits for which history page or counters, by token."""
    viewers: set[int] = field(default_factory=set)
    """Which of them want a snapshot with the counters."""
    offer_askers: dict[bytes, Asker] = field(default_factory=dict)
    """Who waits for an offer whose files are being looked at."""
    accepting: dict[Asker, AcceptTransfer] = field(default_factory=dict)
    """Who accepts a transfer that has to be read from the store first."""
    adding: set[Asker] = field(default_factory=set)
    """Who waits for the number of a peer."""
    contained: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("contained_peer", "contained_command", "contained_transfer"), 0
        )
    )
    """How often what was handled raised, by what it was."""
    reread_transfers: dict[bytes, int] = field(default_factory=dict)
    """Transfers that are read again, each with its peer."""
    stopping: str = ""

    def forget_asker(self, asker: Asker) -> None:
        """What it asked for failed: nobody waits for it any more."""
        self.invites.drop(asker)
        self.adding.discard(asker)
        self.accepting.pop(asker, None)
        for waiting in (self.read_askers, self.offer_askers):
            for token in [token for token, one in waiting.items() if one == asker]:
                del waiting[token]  # type: ignore[arg-type]

    def remember(self, row: PeerRow) -> None:
        """Know something new about a peer that is listed, and store it.

        While a stranger of the same key is about to be stored nothing is stored: both become one
        when that one is there, with the row as it then is.
        """
        if self.peers.get(row.peer) is None:
            return
        self.peers.put(row)
        if row.key not in self.peers.strangers:
            self.commits.add(StorePeer(row))

    def forget_peer(self, peer: int, into: int = 0, asker: Asker | None = None) -> None:
        """Have a peer removed, or merged `into` another: from now on it is gone here."""
        self.peers.retire(peer)
        self.links.remove(peer)
        self.close_invite(peer)
        self.commits.add(ForgetPeer(peer, into), asker)

    def close_invite(self, peer: int) -> None:
        """The invite for this peer was used, or is not wanted any more."""
        if invite := self.invites.close(peer):
            self.endpoint.set_invites(self.invites.psks())
            if invite.made and not invite.psk:
                sentence = "Its peer was removed or accepted meanwhile: there is no invite."
                self.fail(invite.asker, CommandError(ErrorCode.NOT_ALLOWED, sentence))

    @property
    def full(self) -> bool:
        """No further peer is taken in: those listed and those about to be are enough."""
        return len(self.peers) + len(self.commits.new_peers()) >= MAX_PEERS

    def await_read(self, asker: Asker) -> int:
        """A token under which `asker` waits for something read outside.

        Raises CommandError(busy) when MAX_READS wait already.
        """
        if len(self.read_askers) >= MAX_READS:
            raise CommandError(ErrorCode.BUSY, "Too many questions at once; ask again.")
        token = max(self.read_askers, default=0) + 1
        self.read_askers[token] = asker
        return token

    def reply(self, asker: Asker | None, result: Result) -> None:
        """Answer a command."""
        if asker:
            self._send(asker, Reply(asker.request, None, result))

    def fail(self, asker: Asker | None, error: CommandError) -> None:
        """Answer a command with an error."""
        if asker:
            failure = Failure(error.code, error.detail)
            self._send(asker, Reply(asker.request, failure, None))

    def fail_store(self, asker: Asker, reason: str) -> None:
        """Answer a command whose transaction failed."""
        self.fail(asker, CommandError(ErrorCode.STORE, STORE_FAILED.format(reason)))

    def resend(self, asker: Asker, frame: bytes) -> None:
        """Give an answer again."""
        self.effects.append(SendReply(asker.route, frame))

    def answer_garbled(self, route: bytes, reply: Reply) -> None:
        """Answer a request that could not be read."""
        self.effects.append(SendReply(route, codec.pack(reply)))

    def _send(self, asker: Asker, reply: Reply) -> None:
        frame = codec.pack(reply)
        self.clients.answered(asker.route, asker.request, frame)
        self.effects.append(SendReply(asker.route, frame))
