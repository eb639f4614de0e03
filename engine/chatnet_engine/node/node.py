"""One user's whole engine minus I/O: the facade that the runner and the simulator drive.

    in    handle_datagrams  handle_request  handle_io  handle_timeout
    out   take_effects  next_timeout

It owns nothing but the turn: which subject each input goes to, and in which order effects leave
(urgent publications, commit, datagrams, files, publications, replies).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import assert_never, get_args

import msgspec

from chatnet_engine.addresses import Addr
from chatnet_engine.arq import events as arq
from chatnet_engine.clock import Now
from chatnet_engine.files.transfers import Transfers
from chatnet_engine.node.commits import CommitQueue
from chatnet_engine.node.config import NodeConfig
from chatnet_engine.node.containment import Containment
from chatnet_engine.node.due_peers import DuePeers
from chatnet_engine.node.effects import (
    AddressesChanged,
    ClientGone,
    CommitOps,
    CountersCollected,
    Effect,
    FileProcessReport,
    FilesRestarted,
    HistoryRead,
    HostResolved,
    InviteStretched,
    IoResult,
    ReplyTo,
    SendDatagrams,
    SendToFileProcess,
    SessionCopied,
    StopRunner,
)
from chatnet_engine.node.front_ends.clients import Clients
from chatnet_engine.node.front_ends.front_ends import FrontEnds
from chatnet_engine.node.front_ends.own_settings import OwnSettings
from chatnet_engine.node.front_ends.status import Figures
from chatnet_engine.node.left_out import LeftOut
from chatnet_engine.node.links.links import Links
from chatnet_engine.node.links.traffic import Traffic
from chatnet_engine.node.messaging.messaging import Messaging, load_conversations
from chatnet_engine.node.people.gate import Gate
from chatnet_engine.node.people.invites import Invites
from chatnet_engine.node.people.inviting import Inviting
from chatnet_engine.node.people.known_peers import KnownPeers
from chatnet_engine.node.people.peers import Peers
from chatnet_engine.node.people.people import People
from chatnet_engine.node.publisher import Publisher
from chatnet_engine.node.recovery.restoring import RestoreRead, Restoring
from chatnet_engine.node.reloading import Reloading
from chatnet_engine.node.replies import Replies
from chatnet_engine.node.requests import Requests
from chatnet_engine.node.store_answers import StoreAnswers
from chatnet_engine.node.subject import CommandHandler, ResultHandler, Subject, merge
from chatnet_engine.node.timers import SharedTimer, Timers
from chatnet_engine.node.transfers.file_transfers import FileTransfers
from chatnet_engine.node.turn import Turn
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.secure.identity import Identity
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import EngineStopping, LinkChanged
from chatnet_protocol.ipc.view import View, idle_link
from chatnet_protocol.wire.messages import (
    CHANNEL_BULK,
    CHANNEL_CONTROL,
    CHANNEL_CONVERSATION,
    CHANNEL_RESTORE,
)

STOP_WITHIN_S = 2.0


class Node:
    """One engine without I/O. One thread calls it, and time never goes back."""

    def __init__(
        self,
        config: NodeConfig,
        loaded: c.Loaded,
        view: View,
        known: KnownPeers,
        *,
        random: Callable[[int], bytes],
        now: Now,
    ) -> None:
        self.config = config
        self.known = known
        self.endpoint = _endpoint(config, random, now)
        self.left_out = LeftOut(loaded.left_out)
        self.turn = turn = _turn(config, view)
        conversations = load_conversations(config, loaded, self.left_out, turn)
        rows = [row for row in loaded.peers if row.peer in conversations]
        self.peers = peers = Peers(rows, config.session.key, known)
        self.gate = Gate(self.endpoint, peers, config.trace)
        self.invites = Invites()
        self.links = links = Links(self.endpoint, self.invites, peers, turn, config.trace)
        touch = turn.due.touch
        self.traffic = Traffic(config, self.endpoint, self.gate, peers, links, touch, random)
        self.inviting = Inviting(self.invites, peers, self.endpoint, links, turn, random)
        self.people = People(config.session.key, peers, known, self.inviting, links, turn)
        clients = Clients()
        self.messaging = Messaging(conversations, peers, links, turn, config, clients.number)
        self.restoring = Restoring(loaded.restores, self.messaging, peers, links, turn, random)
        self.transfers = FileTransfers(
            _transfers(config, view, loaded, random, now),
            peers, links, self.messaging, turn, config.fast_aes,
        )  # fmt: skip
        self.reloading = Reloading(peers, links, turn)
        self.contained = Containment(
            config.contain, turn, peers, known, links, self.transfers, self.reloading, config.trace
        )
        figures = Figures(
            config, self.endpoint, peers, links, self.messaging, turn, self.contained.counts
        )
        transfers = self.transfers.transfers
        own = OwnSettings(config.session, self.messaging, transfers, turn)
        self.front_ends = FrontEnds(own, clients, self.left_out, figures, transfers, turn)
        self.subjects: tuple[Subject, ...] = (
            self.people, links, self.messaging, self.restoring, self.transfers, self.front_ends,
            self.reloading,
        )  # fmt: skip
        self._route()
        self._stop_by: float | None = None
        self._stopped = False
        self.timers = self._make_timers()
        self._start(loaded, now)

    def _make_timers(self) -> Timers:
        people, front_ends, contained = self.people, self.front_ends, self.contained
        shared = (
            SharedTimer(self.endpoint.next_timeout, self._endpoint_timeout),
            SharedTimer(contained.report_timeout, contained.handle_timeout),
            SharedTimer(people.next_timeout, people.handle_timeout),
            SharedTimer(contained.files_timeout, contained.files_timer),
            SharedTimer(front_ends.next_timeout, front_ends.handle_timeout),
            SharedTimer(self.turn.commits.next_timeout),
            SharedTimer(self.turn.publisher.next_timeout),
            SharedTimer(lambda: self._stop_by),
        )
        return Timers(shared, self.subjects, self.turn.due, contained)

    def _route(self) -> None:
        """Give each kind of input to the subject that owns it. Raises AssertionError unless each
        has exactly one owner."""
        subjects = self.subjects
        for subject in subjects:
            subject.subjects = subjects
        self.commands: dict[type, CommandHandler] = merge(
            [subject.commands for subject in subjects], get_args(cmd.Command)
        )
        self.results: dict[type, ResultHandler] = merge(
            [subject.results for subject in subjects], get_args(c.OpResult)
        )
        sessions = self.links.sessions
        channels = (CHANNEL_CONVERSATION, CHANNEL_CONTROL, CHANNEL_RESTORE, CHANNEL_BULK)
        sessions.channels = merge([subject.channels for subject in subjects], channels)
        kinds = set(get_args(arq.Event)) - {arq.MessagesArrived}
        sessions.arrivals = merge([subject.arrivals for subject in subjects], kinds)
        self._requests = Requests(
            self.commands, self.front_ends.clients, self.left_out, self.turn.replies, self.contained
        )
        self._store = StoreAnswers(
            self.results, self.turn, self.known, self.people, self.messaging, self.contained
        )

    def _start(self, loaded: c.Loaded, now: Now) -> None:
        self.people.start(loaded.asking_now)
        for row in self.peers:
            self.contained.peer(row.peer, now, partial(self.links.add, row, now))
        self.transfers.start(self.left_out)
        self.turn.effects.extend(self.left_out.log())
        self.people.forget_guests()
        for shown in self.turn.publisher.view.peers:
            link = self.links.get(shown.info.peer)
            shown.link = link.row if link else idle_link(shown.info.peer)
        for peer, offer in loaded.offers:
            # It came right before the engine died.
            act = partial(self.transfers.offers_resumed, peer, [offer], now)
            self.contained.peer(peer, now, act)

    # --- inputs ---

    def peer_of(self, data: bytes) -> int:
        """Number of the peer whose session a datagram names, 0 for none; not authenticated."""
        return self.endpoint.peer_of(data)

    def handle_datagrams(self, batch: Sequence[tuple[bytes, Addr]], now: Now) -> bool:
        """As they came from the socket; nothing in them raises. False: nothing came of them."""
        for data, addr in batch:
            self.endpoint.handle_datagram(data, addr, now.mono_s)
        if not self.endpoint.has_news:
            return False
        self._after_endpoint(now)
        return True

    def hold(self, peers: Collection[int], until_s: float) -> None:
        """What these peers, who send too much, ask of the store gathers until then."""
        self.turn.commits.hold(peers, until_s)

    def handle_request(self, routing_id: bytes, frames: Sequence[bytes], now: Now) -> None:
        """The frames of one message on the ROUTER socket, without the routing id."""
        self._requests.handle(routing_id, frames, now)
        if self.front_ends.stopping:
            self.stop(self.front_ends.stopping, now)

    def handle_io(self, result: IoResult, now: Now) -> None:
        """What the world answered to an effect."""
        match result:
            case c.Committed():
                self._store.handle_committed(result, now)
                for done in result.results:
                    if isinstance(done, c.HelloApplied):  # what came before it can be taken now
                        self._hand_over(done.peer, now)
            case c.CommitFailed():
                self._store.handle_failed(result, now)
            case HistoryRead(context=RestoreRead() as read):
                act = partial(self.restoring.handle_read, read, result.page, now)
                self.contained.peer(read.peer, now, act)
            case HistoryRead():
                assert isinstance(result.context, ReplyTo)
                act = partial(self.front_ends.handle_read, result, result.context)
                self.contained.answer(result.context, act)
            case SessionCopied():
                self.front_ends.handle_copied(result)
            case CountersCollected(reply_to):
                act = partial(self.front_ends.handle_counted, result, now)
                self.contained.answer(reply_to, act)
            case HostResolved():
                act = partial(self.links.handle_resolved, result, now)
                self.contained.peer(result.peer, now, act)
            case AddressesChanged():
                for peer in self.traffic.handle_addresses_changed(now):
                    self._hand_over(peer, now)
            case ClientGone(routing_id):
                self.front_ends.handle_gone(routing_id)
            case InviteStretched():
                act = partial(self.inviting.handle_stretched, result, now)
                self.contained.peer(result.peer, now, act)
            case FileProcessReport() | FilesRestarted():
                act_at = partial(self.transfers.handle_files, result)
                self.contained.report(result, now, act_at)
            case _:
                assert_never(result)

    def handle_timeout(self, now: Now) -> None:
        """Time has passed; harmless when nothing is due."""
        self.timers.handle_timeout(now)

    def dial_typed(self, host: str, port: int) -> None:
        """Know the peer of the three-argument usage. Raises CommandError."""
        self.people.add_typed(host, port)

    def stop(self, reason: str, now: Now) -> None:
        """Say goodbye; StopRunner follows once what is under way is committed."""
        if self._stop_by is not None:
            return
        self.front_ends.stopping = reason
        self._stop_by = now.mono_s + STOP_WITHIN_S
        self.timers.stop_peers()
        self.turn.publisher.publish(EngineStopping(reason))
        self.links.shut_down(now)

    # --- outputs ---

    def take_effects(self, now: Now) -> Iterator[Effect]:
        """End the turn: what the world is asked for. Perform each before the next is taken: then
        the store works and datagrams leave while publications are still being packed."""
        turn = self.turn
        yield from turn.publisher.take_urgent(now)
        self._end_links(now)
        self._move_transfers(now)
        served, datagrams = self._serve_peers(now)
        yield from self._commit(now)
        if datagrams:
            yield SendDatagrams(datagrams)
        yield from self.links.names.take_resolves()
        yield from map(SendToFileProcess, self.transfers.transfers.take_process_frames())
        for row in self.links.take_changed():
            turn.publisher.publish(LinkChanged(row))
        self.front_ends.publish_gauges(served, now)
        out = turn.publisher.take_effects(now) + turn.effects + self.restoring.take_reads()
        turn.effects.clear()
        self.timers.put(served, now)
        yield from self.config.trace.take()
        yield from out
        due = self._stop_by is not None and (turn.commits.idle or now.mono_s >= self._stop_by)
        if due and not self._stopped:
            self._stopped = True
            yield StopRunner(self.front_ends.stopping)

    def _commit(self, now: Now) -> Iterator[Effect]:
        """The next transaction, if the last one was answered."""
        for peer, address in self.links.take_addresses().items():
            if known := self.peers.get(peer):
                self.people.remember(msgspec.structs.replace(known, address=address))
        if (commit := self.turn.commits.take(now)) is not None:
            file = self.known.note(commit.ops, now.wall_ms // 1000)
            yield from self.config.trace.take()
            yield CommitOps(msgspec.structs.replace(commit, known_peers=file))

    def _serve_peers(self, now: Now) -> tuple[list[int], list[tuple[bytes, Addr]]]:
        """The peers of whom something changed, and the datagrams that leave."""
        due = self.turn.due
        sealed: list[tuple[bytes, Addr]] = []
        for peer in self.links.changed:  # the state of a link decides what is due of it
            due.touch(peer)
        served = due.touched
        for peer in served:
            if self._stop_by is None:
                self.contained.peer(peer, now, partial(self._serve, peer, sealed, now))
            due.served(peer)
        leaving = self.endpoint.take_datagrams() + self.links.sessions.take_farewells()
        return served, leaving + sealed

    def next_timeout(self) -> float | None:
        """When to call `handle_timeout` next, in monotonic seconds; changes with `take_effects`."""
        return self.timers.next_timeout()

    # --- the turn ---

    def _endpoint_timeout(self, now: Now) -> None:
        self.endpoint.handle_timeout(now.mono_s)
        self._after_endpoint(now)

    def _after_endpoint(self, now: Now) -> None:
        touched, broken = self.traffic.handle_events(now)
        for peer, error in broken.items():
            self.contained.end_peer(peer, now, error)
        # First the keys: what came from one in the same turn belongs to the peer that has it then.
        for verdict, event in self.gate.take_verdicts():
            act = partial(self.people.handle_verdict, verdict, event)
            self.contained.peer(verdict.peer, now, act)
        for peer in touched:
            self._hand_over(peer, now)
        self._end_links(now)

    def _hand_over(self, peer: int, now: Now) -> None:
        """Take in what arrived on the link of a peer."""
        self.contained.peer(peer, now, partial(self.traffic.hand_over, peer, now))

    def _end_links(self, now: Now) -> None:
        ended, self.transfers.ended = self.transfers.ended, []
        for peer in ended:
            self.contained.peer(peer, now, partial(self.transfers.end_link, peer, now))

    def _move_transfers(self, now: Now) -> None:
        """Offers become messages, controls leave, what changed is stored."""
        if self.transfers.transfers.has_outputs:
            for offer, reply_to in self.transfers.take_offers():
                act = partial(self.transfers.send_offer, offer, reply_to, now)
                self.contained.answer(reply_to, act)
            for session, body in self.transfers.take_controls():
                act = partial(session.send, CHANNEL_CONTROL, body)
                self.contained.peer(session.peer, now, act)
            self.transfers.flush()
        self.contained.take_failed(now)

    def _serve(self, peer: int, sealed: list[tuple[bytes, Addr]], now: Now) -> None:
        """Put what leaves for this peer now behind `sealed`."""
        if peer in self.messaging.conversations:  # it may just have been removed
            self.messaging.fill(peer, now)
            sealed += self.traffic.serve(peer, now)


def _endpoint(config: NodeConfig, random: Callable[[int], bytes], now: Now) -> Endpoint:
    return Endpoint(
        identity=Identity.from_private_bytes(config.private_key),
        incarnation=config.incarnation,
        local_port=config.session.port,
        random=random,
        now=now.mono_s,
    )


def _turn(config: NodeConfig, view: View) -> Turn:
    effects: list[Effect] = []
    publisher = Publisher(config.boot, view, config.trace)
    return Turn(CommitQueue(config.trace), publisher, Replies(effects), effects, DuePeers())


def _transfers(
    config: NodeConfig, view: View, loaded: c.Loaded, random: Callable[[int], bytes], now: Now
) -> Transfers:
    return Transfers(
        loaded=loaded.transfers,
        automatic=loaded.automatic,
        random=random,
        inbox=view.session.inbox,
        now=now.mono_s,
        contain=config.contain,
    )
