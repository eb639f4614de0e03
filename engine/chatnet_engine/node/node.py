"""One user's whole engine minus I/O: the facade that the runner and the simulator drive.

    in    handle_datagrams  handle_request  handle_io  handle_timeout
    out   take_effects  next_timeout

It owns nothing but the turn: what each input touches, and in which order effects leave (commit,
datagrams, files, publications, replies).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import assert_never, get_args

import msgspec

from chatnet_engine.arq import events as arq
from chatnet_engine.node import answers, commands
from chatnet_engine.node.config import NodeConfig, Now
from chatnet_engine.node.containment import Containment
from chatnet_engine.node.effects import (
    Addr,
    AddressesChanged,
    CommitOps,
    Effect,
    FilesRestarted,
    FilesSaid,
    HistoryRead,
    HostResolved,
    InviteStretched,
    IoResult,
    ReplyTo,
    SendDatagrams,
    SessionCopied,
    StopRunner,
    TellFiles,
    WorldCounted,
)
from chatnet_engine.node.front_ends import status
from chatnet_engine.node.front_ends.gauges import Gauges
from chatnet_engine.node.parts import make_parts
from chatnet_engine.node.people.known_peers import KnownPeers
from chatnet_engine.node.recovery.restoring import RestoreRead
from chatnet_engine.node.subject import CommandHandler, ResultHandler, Subject, merge
from chatnet_engine.node.transfers import offers
from chatnet_protocol import commit as c
from chatnet_protocol.errors import CommandError, DecodeError
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.envelope import Request, answer_garbled, decode_request
from chatnet_protocol.ipc.events import EngineStopping, LinkChanged, notice
from chatnet_protocol.ipc.reasons import NoticeCode
from chatnet_protocol.ipc.view import View
from chatnet_protocol.wire.messages import (
    CHANNEL_CONTROL,
    CHANNEL_CONVERSATION,
    CHANNEL_RESTORE,
)

STOP_WITHIN_S = 2.0


class Node:
    """See the module. Every method is called from one thread, with time never going back."""

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
        self._parts = make_parts(config, loaded, view, known, self._collect, random=random, now=now)
        parts = self._parts
        self._subjects: tuple[Subject, ...] = (
            parts.people, parts.links, parts.messaging, parts.restoring, parts.file_transfers,
            parts.front_ends,
        )  # fmt: skip
        for subject in self._subjects:
            subject.subjects = self._subjects
        self._commands = merge(
            [*(subject.commands for subject in self._subjects), self._rest_of_commands()],
            get_args(cmd.Command),
        )
        self._results = merge(
            [*(subject.results for subject in self._subjects), self._rest_of_results()],
            get_args(c.OpResult),
        )
        sessions = parts.links.sessions
        channels = (CHANNEL_CONVERSATION, CHANNEL_RESTORE, CHANNEL_CONTROL)
        sessions.channels = merge([subject.channels for subject in self._subjects], channels)
        kinds = set(get_args(arq.Event)) - {arq.MessagesArrived}
        sessions.arrivals = merge([subject.arrivals for subject in self._subjects], kinds)
        self._stop_by: float | None = None
        self._stopped = False
        self._gauges = Gauges()
        self.contained = Containment(self._parts)
        self.garbled_requests = 0
        self._start(now)
        for peer, offer in loaded.offers:
            resume = partial(answers.resume, self._parts, peer, [offer], now)
            self.contained.peer(peer, now, resume)

    def _start(self, now: Now) -> None:
        parts = self._parts
        parts.people.start()
        for row in parts.peers:
            self.contained.peer(row.peer, now, partial(parts.links.add, row, now))
        for transfer_id, error in parts.transfers.unreadable.items():
            shown = parts.publisher.view.transfer(transfer_id)
            peer, name = (shown.peer, shown.name) if shown else (0, "")
            parts.left_out.add(c.LeftOut(c.LeftOut.TRANSFER, peer, name, transfer_id, error))
        parts.effects += parts.left_out.log()
        parts.people.forget_guests()
        answers.seed_view(parts)

    def _rest_of_commands(self) -> dict[type, CommandHandler]:
        """Those that no subject owns yet."""
        return dict.fromkeys(commands.COMMANDS, partial(commands.handle, self._parts))

    def _rest_of_results(self) -> dict[type, ResultHandler]:
        return dict.fromkeys(answers.RESULTS, partial(answers.handle_result, self._parts))

    def _collect(self, counts: dict[str, int]) -> cmd.Status:
        return status.collect(self._parts, counts)

    # --- inputs ---

    def peer_of(self, data: bytes) -> int:
        """Number of the peer whose session a datagram names, 0 for none; not authenticated."""
        return self._parts.endpoint.peer_of(data)

    def handle_datagrams(self, batch: Sequence[tuple[bytes, Addr]], now: Now) -> None:
        """Datagrams as they came from the socket; nothing in them raises."""
        endpoint = self._parts.endpoint
        for data, addr in batch:
            endpoint.handle_datagram(data, addr, now.mono_s)
        self._after_endpoint(now)

    def handle_request(self, route: bytes, frames: Sequence[bytes], now: Now) -> None:
        """The frames of one message on the ROUTER socket, without the route."""
        parts = self._parts
        request = self._decode_request(route, frames)
        if request is None:
            return
        reply_to = ReplyTo(route, request.id)
        new, answer = parts.replies.begin(reply_to, request.command)
        if not new:
            if answer is not None:
                parts.replies.resend(reply_to, answer)
            return
        try:
            parts.front_ends.clients.check(route, request.command, now)
            act = partial(self._do, request.command, reply_to, now)
            self.contained.command(reply_to, request.command, now, act)
        except CommandError as error:
            parts.replies.fail(reply_to, error)
        if parts.front_ends.stopping:
            self.stop(parts.front_ends.stopping, now)

    def handle_io(self, result: IoResult, now: Now) -> None:
        """What the world answered to an effect."""
        parts = self._parts
        match result:
            case c.Committed():
                self._handle_committed(result, now)
                for done in result.results:
                    if isinstance(done, c.HelloApplied):
                        # Messages that came before can be taken from now on.
                        self._hand_over(done.peer, now)
            case c.CommitFailed() if result.culprit >= 0:
                self.contained.operation(result, now)
            case c.CommitFailed():
                answers.handle_failed(parts, result, now)
            case HistoryRead():
                self._handle_read(result, now)
            case SessionCopied():
                parts.front_ends.handle_copied(result)
            case WorldCounted(reply_to):
                act = partial(parts.front_ends.handle_counted, result, now)
                self.contained.answer(reply_to, act)
            case HostResolved():
                act = partial(parts.links.handle_resolved, result, now)
                self.contained.peer(result.peer, now, act)
            case AddressesChanged():
                for peer in parts.traffic.handle_addresses_changed(now):
                    self._hand_over(peer, now)
            case InviteStretched():
                act = partial(parts.inviting.handle_stretched, result, now)
                self.contained.peer(result.peer, now, act)
            case FilesSaid() | FilesRestarted():
                self.contained.report(result, now, partial(offers.handle_files, parts, result))
            case _:
                assert_never(result)

    def handle_timeout(self, now: Now) -> None:
        """Time has passed; harmless when nothing is due."""
        parts = self._parts
        parts.endpoint.handle_timeout(now.mono_s)
        self._after_endpoint(now)
        parts.links.handle_timeout(now)
        self.contained.handle_timeout(now)
        parts.people.handle_timeout(now)
        parts.restoring.handle_timeout(now)
        for part in (parts.messaging, parts.links.sessions):
            for peer in part.due(now):
                self.contained.peer(peer, now, partial(part.handle_due, peer, now))
        self.contained.files_timer(now)
        parts.front_ends.handle_timeout(now)

    def dial_typed(self, host: str, port: int) -> None:
        """Know the peer of the three-argument usage. Raises CommandError."""
        self._parts.people.add_typed(host, port)

    def stop(self, reason: str, now: Now) -> None:
        """Say goodbye; StopRunner follows once what is under way is committed."""
        parts = self._parts
        if self._stop_by is not None:
            return
        parts.front_ends.stopping = reason
        self._stop_by = now.mono_s + STOP_WITHIN_S
        parts.publisher.publish(EngineStopping(reason))
        parts.links.shut_down(now)

    # --- outputs ---

    def take_effects(self, now: Now) -> list[Effect]:
        """End the turn: what the world is asked for, in the order in which to do it."""
        parts = self._parts
        self._end_links(now)
        offers.move(parts, self.contained, now)
        out: list[Effect] = []
        sealed: list[tuple[bytes, Addr]] = []
        for peer in parts.conversations:
            if self._stop_by is None:
                self.contained.peer(peer, now, partial(self._serve, peer, sealed, now))
        datagrams = parts.endpoint.take_datagrams() + parts.links.sessions.take_farewells() + sealed
        for peer, address in parts.links.take_addresses().items():
            if known := parts.peers.get(peer):
                parts.people.remember(msgspec.structs.replace(known, address=address))
        if (commit := parts.commits.take(now)) is not None:
            file = parts.known.note(commit.ops, now.wall_ms // 1000)
            out.append(CommitOps(msgspec.structs.replace(commit, known_peers=file)))
        if datagrams:
            out.append(SendDatagrams(datagrams))
        out += parts.links.names.take_resolves()
        out += [TellFiles(frame) for frame in parts.transfers.take_process_frames()]
        for row in parts.links.take_changed():
            parts.publisher.publish(LinkChanged(row))
        self._gauges.publish(parts, now)
        out += parts.publisher.take_effects(now)
        out += parts.effects
        out += parts.restoring.take_reads()
        parts.effects.clear()
        out[:0] = parts.config.trace.take()
        due = self._stop_by is not None and (parts.commits.idle or now.mono_s >= self._stop_by)
        if due and not self._stopped:
            self._stopped = True
            out.append(StopRunner(parts.front_ends.stopping))
        return out

    def next_timeout(self) -> float | None:
        """When to call `handle_timeout` next, in monotonic seconds."""
        parts = self._parts
        dues = [
            parts.endpoint.next_timeout(),
            parts.people.next_timeout(),
            parts.restoring.next_timeout(),
            parts.commits.next_timeout(),
            parts.publisher.next_timeout(),
            parts.front_ends.next_timeout(),
            self.contained.next_timeout(),
        ]
        if self._stop_by is not None:
            # Links are not served any more: what is due of them would be due for ever.
            dues.append(self._stop_by)
            return min((due for due in dues if due is not None), default=None)
        dues += [parts.links.next_timeout(), parts.messaging.next_timeout()]
        return min((due for due in dues if due is not None), default=None)

    # --- the turn ---

    def _do(self, command: cmd.Command, reply_to: ReplyTo, now: Now) -> None:
        self._parts.left_out.check(command)
        self._commands[type(command)](command, reply_to, now)

    def _handle_committed(self, done: c.Committed, now: Now) -> None:
        """Everything that waited for this transaction."""
        parts = self._parts
        if parts.commits.failing:
            parts.publisher.publish(notice("info", NoticeCode.STORE_WORKS))
        for result, waiting in parts.commits.handle_committed(done):
            act = partial(self._results[type(result)], result, waiting, now)
            if not self.contained.result(result, waiting.op, now, act):
                answers.answer_anyway(parts, result, waiting)

    def _handle_read(self, result: HistoryRead, now: Now) -> None:
        parts = self._parts
        match result.context:
            case RestoreRead() as read:
                act = partial(parts.restoring.handle_read, read, result.page, now)
                self.contained.peer(read.peer, now, act)
            case ReplyTo() as reply_to:
                act = partial(parts.front_ends.handle_read, result, reply_to)
                self.contained.answer(reply_to, act)
            case _:
                raise AssertionError("a page that nobody asked for")

    def _after_endpoint(self, now: Now) -> None:
        parts = self._parts
        touched, broken = parts.traffic.handle_events(now)
        for peer, error in broken.items():
            self.contained.end_peer(peer, now, error)
        # First the keys: what came from one in the same turn belongs to the peer that has it then.
        for verdict, event in parts.gate.take_verdicts():
            act = partial(parts.people.handle_verdict, verdict, event)
            self.contained.peer(verdict.peer, now, act)
        for peer in touched:
            self._hand_over(peer, now)
        self._end_links(now)

    def _hand_over(self, peer: int, now: Now) -> None:
        """Take in what arrived on the link of a peer."""
        self.contained.peer(peer, now, partial(self._parts.traffic.hand_over, peer, now))

    def _end_links(self, now: Now) -> None:
        transfers = self._parts.file_transfers
        for peer in transfers.take_ended():
            self.contained.peer(peer, now, partial(transfers.end_link, peer, now))

    def _serve(self, peer: int, sealed: list[tuple[bytes, Addr]], now: Now) -> None:
        """Put what leaves for this peer now behind `sealed`."""
        self._parts.messaging.fill(peer, now)
        sealed += self._parts.traffic.serve(peer, now)

    def _decode_request(self, route: bytes, frames: Sequence[bytes]) -> Request | None:
        parts = self._parts
        if len(frames) != 1:
            self.garbled_requests += 1
            return None
        try:
            return decode_request(frames[0])
        except DecodeError as error:
            self.garbled_requests += 1
            parts.replies.answer_garbled(route, answer_garbled(frames[0], error))
            return None
