"""The parts of a node, each owning one kind of state, and the desk where answers are put.

Nothing but `node.py`, `commands.py` and `answers.py` sees them together.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from chatnet_engine.files.transfers import Transfers
from chatnet_engine.node.commits import CommitQueue
from chatnet_engine.node.config import NodeConfig, Now
from chatnet_engine.node.effects import Effect, ReplyTo
from chatnet_engine.node.front_ends.front_ends import FrontEnds
from chatnet_engine.node.left_out import LeftOut
from chatnet_engine.node.links.links import Links
from chatnet_engine.node.links.traffic import Traffic
from chatnet_engine.node.messaging.conversation import Conversation
from chatnet_engine.node.messaging.messaging import Messaging
from chatnet_engine.node.people.gate import Gate
from chatnet_engine.node.people.invites import Invites
from chatnet_engine.node.people.inviting import Inviting
from chatnet_engine.node.people.known_peers import KnownPeers
from chatnet_engine.node.people.peers import Peers
from chatnet_engine.node.people.people import People
from chatnet_engine.node.publisher import Publisher
from chatnet_engine.node.recovery.restoring import Restoring
from chatnet_engine.node.replies import Replies
from chatnet_engine.node.transfers.file_transfers import FileTransfers
from chatnet_engine.node.turn import Turn
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.secure.identity import Identity
from chatnet_protocol.commit import Loaded
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import AcceptTransfer, Result, Status
from chatnet_protocol.ipc.view import View

STORE_FAILED = "The history cannot be written ({}); nothing was changed, try again later."


@dataclass(slots=True)
class Parts:
    """Everything a node is made of."""

    config: NodeConfig
    endpoint: Endpoint
    peers: Peers
    known: KnownPeers
    gate: Gate
    invites: Invites
    inviting: Inviting
    conversations: dict[int, Conversation]
    links: Links
    traffic: Traffic
    commits: CommitQueue
    publisher: Publisher
    front_ends: FrontEnds
    replies: Replies
    transfers: Transfers
    restoring: Restoring
    people: People
    messaging: Messaging
    file_transfers: FileTransfers
    left_out: LeftOut
    effects: list[Effect]
    """Effects that came up during the turn, besides what the parts hold."""
    offer_askers: dict[bytes, ReplyTo] = field(default_factory=dict)
    """Who waits for an offer whose files are being looked at."""
    accepting: dict[ReplyTo, AcceptTransfer] = field(default_factory=dict)
    """Who accepts a transfer that has to be read from the store first."""
    contained: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("contained_peer", "contained_command", "contained_transfer"), 0
        )
    )
    """How often what was handled raised, by what it was."""
    reread_transfers: dict[bytes, int] = field(default_factory=dict)
    """Transfers that are read again, each with its peer."""

    def forget_asker(self, asker: ReplyTo) -> None:
        """What it asked for failed: nobody waits for it any more."""
        self.accepting.pop(asker, None)
        for offer in [offer for offer, one in self.offer_askers.items() if one == asker]:
            del self.offer_askers[offer]

    def reply(self, asker: ReplyTo | None, result: Result) -> None:
        """Answer a command."""
        self.replies.reply(asker, result)

    def fail(self, asker: ReplyTo | None, error: CommandError) -> None:
        """Answer a command with an error."""
        self.replies.fail(asker, error)

    def fail_store(self, asker: ReplyTo, reason: str) -> None:
        """Answer a command whose transaction failed."""
        self.fail(asker, CommandError(ErrorCode.STORE, STORE_FAILED.format(reason)))


def make_parts(
    config: NodeConfig,
    loaded: Loaded,
    view: View,
    known: KnownPeers,
    collect: Callable[[dict[str, int]], Status],
    *,
    random: Callable[[int], bytes],
    now: Now,
) -> Parts:
    """All that a node is made of, from what the store has."""
    endpoint = _endpoint(config, random, now)
    commits = CommitQueue(config.trace)
    publisher = Publisher(config.boot, view, config.trace)
    left_out = LeftOut(loaded.left_out)
    effects: list[Effect] = []
    replies = Replies(effects)
    conversations = _conversations(config, loaded, left_out, commits, publisher)
    rows = [row for row in loaded.peers if row.peer in conversations]
    peers = Peers(rows, config.session.key, known)
    gate = Gate(endpoint, peers, config.trace)
    invites = Invites()
    turn = Turn(commits, publisher, replies, effects)
    links = Links(endpoint, invites, peers, replies, config.trace)
    front_ends = FrontEnds(publisher, replies, left_out, effects, collect)
    transfers = _transfers(config, loaded, random, now)
    inviting = Inviting(invites, peers, endpoint, links, turn, random)
    return Parts(
        config=config,
        endpoint=endpoint,
        peers=peers,
        known=known,
        gate=gate,
        invites=invites,
        inviting=inviting,
        left_out=left_out,
        conversations=conversations,
        links=links,
        traffic=Traffic(config, endpoint, gate, peers, links, random),
        commits=commits,
        publisher=publisher,
        people=People(config.session.key, peers, known, inviting, links, turn),
        messaging=Messaging(conversations, peers, links, turn, config, front_ends.clients.number),
        restoring=Restoring(
            loaded.restores,
            commits,
            publisher,
            conversations,
            links.sessions.get,
            peers,
            replies,
            random,
        ),
        front_ends=front_ends,
        replies=replies,
        effects=effects,
        transfers=transfers,
        file_transfers=FileTransfers(transfers, peers, links, publisher, config.fast_aes),
    )


def _conversations(
    config: NodeConfig,
    loaded: Loaded,
    left_out: LeftOut,
    commits: CommitQueue,
    publisher: Publisher,
) -> dict[int, Conversation]:
    made: dict[int, Conversation] = {}
    for row, state in zip(loaded.peers, loaded.states, strict=True):
        with left_out.failing(row, publisher.view, config.contain):
            made[row.peer] = Conversation(state, commits, publisher, config.arq.window_bytes)
    return made


def _endpoint(config: NodeConfig, random: Callable[[int], bytes], now: Now) -> Endpoint:
    return Endpoint(
        identity=Identity.from_private_bytes(config.private_key),
        incarnation=config.incarnation,
        local_port=config.session.port,
        random=random,
        now=now.mono_s,
    )


def _transfers(
    config: NodeConfig, loaded: Loaded, random: Callable[[int], bytes], now: Now
) -> Transfers:
    return Transfers(
        loaded=loaded.transfers,
        automatic=loaded.automatic,
        random=random,
        inbox=config.session.inbox,
        now=now.mono_s,
        contain=config.contain,
    )
