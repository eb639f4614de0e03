"""A tiny engine for testing front ends: the real View and the real local protocol, no peer link.
`FakeCore` is pure: request frames in, reply frames and publications out; tests of the attach
machine drive it directly and drop what they like. `FakeEngine` serves one over real sockets from
a thread. What a peer would do is done by calling methods: `receive`, `deliver`, `peer_reads`,
`offer`, `move_transfer`, `set_link`.

    with FakeEngine(home) as engine:              # session "12345", peer 1 "bob", link up
        client = Client.attach(engine.connection_file, name="test")
        engine.do(lambda core: core.receive(1, "hello"))
"""

import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from chatnet_engine.io.ipc import IpcServer
from chatnet_protocol import codec
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.offer import Offer, OfferedFile, decode_offer, encode_offer
from chatnet_protocol.ipc.reasons import MessageFailure, Reason
from chatnet_protocol.ipc.rows import (
    AckRange,
    ClientRole,
    ClientRow,
    LinkRow,
    LinkState,
    MessageKind,
    MessageRow,
    PeerRow,
    RestoreMine,
    RestoreTheirs,
    SessionRow,
    TransferRow,
    TransferState,
    Trust,
)
from chatnet_protocol.ipc.session_files import ConnectionFile, encode_connection_file
from chatnet_protocol.ipc.view import PeerView, View, failed_row, screen_order
from chatnet_protocol.limits import AUTO_ACCEPT_BYTES
from chatnet_protocol.version import IPC_VERSION, PRODUCT_VERSION, Capability

T = TypeVar("T")
HEAD_S = 0.1
SETTABLE = ("name", "auto_accept_bytes", "blocked")
START_MS = 1_700_000_000_000
INVITE_CODE = "abcd-efgh-ijkl-mnop"
SAFETY_NUMBER = " ".join(f"{n:05d}" for n in range(12345, 12345 + 12 * 7000, 7000))


def make_view(session: str = "12345", peers: int = 1) -> View:
    """A session with peers "bob", "peer2", "peer3", ... whose links are up."""
    view = View(
        SessionRow(
            session, "alice", "0.0.0.0", 12345, b"A" * 32, "aaaa bbbb", "/tmp/inbox",
            log="/tmp/engine.log", version=PRODUCT_VERSION,
        )
    )  # fmt: skip
    for number in range(1, peers + 1):
        name = "bob" if number == 1 else f"peer{number}"
        address = f"10.0.0.{number}:500{number}"
        info = PeerRow(
            number, name, f"10.0.0.{number}", 5000 + number, b"B" * 32, Trust.PINNED,
            address=address, safety_number=SAFETY_NUMBER,
        )  # fmt: skip
        view.apply(ev.PeerChanged(info))
        view.apply(ev.LinkChanged(LinkRow(number, LinkState.UP, START_MS, address, links=1)))
    return view


class FakeCore:
    """One boot after the other of an engine without a peer link."""

    def __init__(self, view: View | None = None, *, ring_events: int = 1000) -> None:
        self.view = view or make_view()
        self.boots = 0
        self.boot = b""
        self.ring_events = ring_events
        self.part_bytes = 256 * 1024
        self.snapshots: dict[tuple[int, int], bytes] = {}
        self.history: list[tuple[int, MessageRow]] = []
        """(peer, row) of every message, by `no`."""
        self.seen: list[cmd.Command] = []
        """Every command that arrived, for tests to look at."""
        self.refuse: dict[type, CommandError] = {}
        """Errors to answer these commands with."""
        self.auto_deliver = True
        self.stopped = False
        self.wall_ms = START_MS
        self.queued: dict[bytes, MessageRow] = {}
        self.start_boot()

    def start_boot(self) -> None:
        """A new boot over the same durable state."""
        self.boots += 1
        self.boot = self.boots.to_bytes(8, "big")
        self.view = self.view.durable() if self.boots > 1 else self.view
        self.seq = 0
        self.ring: list[bytes] = []
        self.clients: dict[bytes, ClientRow] = {}
        self.publications: list[tuple[bytes, bytes]] = []
        self.snapshots.clear()
        self.stopped = False
        self.revision = 0

    # --- what a peer or the world does -------------------------------------------------------

    def publish(self, *events: ev.Event) -> None:
        """Apply, number and publish events, as one publication."""
        packed = [envelope.pack_event(event) for event in events]
        for event in events:
            self.view.apply(event)
        frame = envelope.join_publication(self.boot, self.seq + 1, packed)
        self.seq += len(events)
        self.ring = (self.ring + packed)[-self.ring_events :]
        self.publications.append((envelope.TOPIC_EVENTS, frame))

    def head(self) -> bytes:
        """The heartbeat as it now is."""
        return codec.pack(envelope.Heartbeat(self.boot, self.seq, self.view.last_no))

    def gauge(self, *gauges: ev.Gauge) -> None:
        """Publish statistics."""
        frame = codec.pack(envelope.GaugeFrame(self.boot, list(gauges)))
        self.publications.append((envelope.TOPIC_GAUGES, frame))

    def link_gauge(self, peer: int = 1, **values: Any) -> None:
        """Publish statistics of a link; unnamed ones are those of a calm link."""
        self.revision += 1
        calm = dict.fromkeys(ev.LinkGauge.__struct_fields__, 0) | {"rtt_ms": 25.0, "bursty": False}
        self.gauge(ev.LinkGauge(**(calm | {"peer": peer, "revision": self.revision} | values)))

    def transfer_gauge(self, transfer: bytes, done_bytes: int, rate_bytes_s: float = 1e6) -> None:
        """Publish the progress of a transfer."""
        self.revision += 1
        row = self.transfer(transfer)
        gauge = ev.TransferGauge(transfer, row.peer, self.revision, done_bytes, rate_bytes_s)
        self.gauge(gauge)

    def add_message(
        self, peer: int, body: bytes, *, mine: bool, id: bytes = b"", **more: Any
    ) -> MessageRow:
        """Commit one message and publish it."""
        view = self.peer(peer)
        no = self.view.last_no + 1
        self.wall_ms += 1000
        row = MessageRow(
            no=no,
            id=id or no.to_bytes(16, "big"),
            mine=mine,
            body=body,
            sent_ms=self.wall_ms - 40,
            arrived_ms=self.wall_ms,
            seq=view.last_seq + 1 if mine else 0,
            ack=0 if mine else view.last_ack + 1,
            source="" if mine else view.info.address,
            lamport=no,
            place=no,
            **{"kind": MessageKind.TEXT, **more},
        )
        self.history.append((peer, row))
        self.publish(ev.MessagesAdded(peer, no, [row]))
        return row

    def receive(self, peer: int, text: str) -> MessageRow:
        """The peer says something."""
        return self.add_message(peer, text.encode(), mine=False)

    def deliver(self, peer: int) -> None:
        """The peer commits everything of ours; its ACK numbers start at 1001."""
        view = self.peer(peer)
        last, run = view.last_seq, view.last_seq - view.delivered_seq
        if run <= 0:
            return
        acks = AckRange(last, 1000 + last, run)
        for index, (number, row) in enumerate(self.history):
            if number == peer and row.mine and not row.ack:
                filled = msgspec.structs.replace(row, ack=1000 + row.seq)
                self.history[index] = (number, filled)
        self.publish(ev.MessagesDelivered(peer, last, [acks]))

    def marks(self, peer: int, **marks: int) -> None:
        """Move watermarks: sent_seq, peer_shown, peer_read, my_shown, my_read."""
        view = self.peer(peer)
        names = ev.MarksMoved.__struct_fields__[1:]
        now = {name: max(getattr(view, name), marks.get(name, 0)) for name in names}
        self.publish(ev.MarksMoved(peer, **now))

    def fail(self, peer: int, message_id: bytes, reason: str) -> None:
        """An own message will never be sent."""
        for index, (number, row) in enumerate(self.history):
            if row.id == message_id:
                self.history[index] = (number, failed_row(row, reason))
                self.publish(ev.MessageFailed(peer, row.no, reason))

    def peer_reads(self, peer: int) -> None:
        """The peer's person has read everything of ours."""
        ack = 1000 + self.peer(peer).delivered_seq
        self.marks(peer, peer_shown=ack, peer_read=ack)

    def set_link(self, peer: int, state: LinkState, why: Reason | None = None) -> None:
        """The link changes."""
        link = self.peer(peer).link
        row = LinkRow(peer, state, self.wall_ms, link.address, why, link.incarnation, link.links)
        self.publish(ev.LinkChanged(row))

    def offer(
        self, peer: int, name: str, size_bytes: int = 1000, *, mine: bool = False, id: bytes = b""
    ) -> bytes:
        """Somebody offers a file; the transfer's id."""
        body = encode_offer(Offer([OfferedFile([name], size_bytes)]))
        row = self.add_message(peer, body, mine=mine, kind=MessageKind.OFFER, id=id)
        state = TransferState.OFFERED
        transfer = TransferRow(row.id, peer, row.no, mine, state, name, 1, size_bytes)
        self.publish(ev.TransferChanged(transfer))
        return row.id

    def move_transfer(self, transfer: bytes, state: TransferState, **fields: Any) -> None:
        """A transfer changes its state, and whatever else is named."""
        row = msgspec.structs.replace(self.transfer(transfer), state=state, **fields)
        self.publish(ev.TransferChanged(row))

    def move_restore(self, peer: int, **fields: Any) -> None:
        """The conversation with a peer is on its way back, one way or the other."""
        known = self.peer(peer).restore
        row = msgspec.structs.replace(known, peer=peer, **fields)
        self.publish(ev.RestoreChanged(row))

    def restore(self, peer: int, texts: Sequence[str]) -> list[MessageRow]:
        """Older messages of the peer's come back, above all that is here."""
        rows: list[MessageRow] = []
        for text in texts:
            no = self.view.last_no + 1 + len(rows)
            row = MessageRow(
                no, no.to_bytes(16, "big"), False, MessageKind.TEXT, text.encode(),
                START_MS - 1000, START_MS - 900, 0, 1, "10.0.0.1:5001", no, 0,
            )  # fmt: skip
            rows.append(row)
        self.history += [(peer, row) for row in rows]
        self.publish(ev.MessagesRestored(peer, rows[0].no, rows))
        restored = self.peer(peer).restore.restored + len(rows)
        self.move_restore(peer, mine=RestoreMine.RUNNING, restored=restored)
        return rows

    def peer(self, number: int) -> PeerView:
        """Raises CommandError when there is no such peer."""
        peer = self.view.peer(number)
        if peer is None:
            raise CommandError(ErrorCode.UNKNOWN_PEER, f"There is no peer {number}.")
        return peer

    def transfer(self, transfer: bytes) -> TransferRow:
        """Raises CommandError when there is no such transfer."""
        row = self.view.transfer(transfer)
        if row is None:
            raise CommandError(ErrorCode.UNKNOWN_TRANSFER, "There is no such transfer.")
        return row

    # --- what a front end asks ---------------------------------------------------------------

    def handle_request(self, routing_id: bytes, frame: bytes) -> bytes:
        """The reply to one request."""
        request = envelope.decode_request(frame)
        command = request.command
        self.seen.append(command)
        try:
            if type(command) in self.refuse:
                raise self.refuse[type(command)]
            free = cmd.Attach | cmd.FetchStatus | cmd.FetchSnapshot | cmd.StopEngine
            if routing_id not in self.clients and not isinstance(command, free):
                raise CommandError(ErrorCode.UNKNOWN_CLIENT, "Attach first.")
            result = self.answer(routing_id, command)
        except CommandError as error:
            failure = envelope.Failure(error.code, error.detail)
            return codec.pack(envelope.Reply(request.id, failure, None))
        return codec.pack(envelope.Reply(request.id, None, result))

    def answer(self, routing_id: bytes, command: cmd.Command) -> cmd.Result:
        """Do what one command asks."""
        match command:
            case cmd.Attach():
                return self.attach(routing_id, command)
            case cmd.Detach():
                self.publish(ev.ClientDetached(self.clients.pop(routing_id).client))
            case cmd.FetchSnapshot(boot=boot, seq=seq, part=part):
                if boot != self.boot or (seq, part) not in self.snapshots:
                    raise CommandError(ErrorCode.GONE, "That snapshot is gone.")
                return cmd.SnapshotPart(part, self.snapshots[seq, part])
            case cmd.FetchEvents(boot=boot, first_seq=first_seq):
                return self.events_page(boot, first_seq)
            case cmd.FetchHistory():
                return self.history_page(command)
            case cmd.FetchStatus(view=view):
                facts: dict[str, int | float | str | bool] = {
                    "pid": os.getpid(),
                    "session": self.view.session.name,
                }
                parts = self.open_snapshot() if view else 0
                return cmd.Status(facts, [], [], self.boot, self.seq, parts)
            case cmd.StopEngine(reason=reason):
                self.publish(ev.EngineStopping(reason))
                self.stopped = True
            case cmd.SendMessage() | cmd.OfferFiles():
                return self.queue(command)
            case cmd.WithdrawMessage(id=message_id, peer=peer):
                self.fail(peer, message_id, MessageFailure.WITHDRAWN)
            case cmd.DeleteMessage(id=message_id, peer=peer):
                self.fail(peer, message_id, MessageFailure.DELETED)
            case cmd.AskRestore(peer=peer, wanted=wanted):
                mine = RestoreMine.ASKING if wanted else RestoreMine.NONE
                self.move_restore(peer, mine=mine, restored=0)
            case cmd.AnswerRestore(peer=peer, consent=consent):
                theirs = RestoreTheirs.GIVING if consent else RestoreTheirs.REFUSED
                self.move_restore(peer, theirs=theirs)
            case cmd.SetSession():
                fields = msgspec.structs.asdict(command).items()
                given = {name: value for name, value in fields if value is not None}
                self.publish(ev.SessionChanged(msgspec.structs.replace(self.view.session, **given)))
            case cmd.MakeInvite(peer=peer):
                return cmd.Invited(peer or 9, INVITE_CODE, 86_400_000)
            case cmd.MakeBackup(folder=folder):
                return cmd.BackedUp(folder, len(self.history), 5_000_000)
            case cmd.AddPeer() | cmd.RemovePeer() | cmd.SetPeer() | cmd.TrustPeer():
                return self.change_peer(command)
            case _:
                return self.change_state(routing_id, command)
        return cmd.Done()

    def attach(self, routing_id: bytes, command: cmd.Attach) -> cmd.Attached:
        """Join a client by its cursor or by a snapshot."""
        if command.ipc_version != IPC_VERSION:
            raise CommandError(ErrorCode.VERSION, "Upgrade ChatNet on this side.")
        row = self.clients.get(routing_id)
        if row is None:
            row = ClientRow(len(self.clients) + 1, command.name, command.role, self.wall_ms)
            self.clients[routing_id] = row
            self.publish(ev.ClientAttached(row))
        cursor = command.cursor
        parts = 0
        if (
            cursor is None
            or cursor.boot != self.boot
            or not self.seq - len(self.ring) <= cursor.seq <= self.seq
        ):
            parts = self.open_snapshot()
        numbers = (self.seq, parts, self.seq, self.view.last_no)
        return cmd.Attached(self.boot, row.client, *numbers, IPC_VERSION, list(Capability))

    def open_snapshot(self) -> int:
        """One of the present, under the last event's number; how many parts it has."""
        data = b"".join(self.view.pack_parts())
        size = self.part_bytes
        cut = [data[start : start + size] for start in range(0, len(data), size)]
        self.snapshots.update({(self.seq, n): part for n, part in enumerate(cut)})
        return len(cut)

    def events_page(self, boot: bytes, first_seq: int) -> cmd.EventsPage:
        """At most 64 events from the ring."""
        oldest = self.seq - len(self.ring) + 1
        if boot != self.boot or not oldest <= first_seq <= self.seq + 1:
            raise CommandError(ErrorCode.GONE, "Those events are gone.")
        page = self.ring[first_seq - oldest :][:64]
        data = envelope.join_publication(self.boot, first_seq, page) if page else b""
        return cmd.EventsPage(data)

    def history_page(self, query: cmd.FetchHistory) -> cmd.HistoryPage:
        """Stored messages, forwards after a number or backwards from the newest."""
        rows = [
            (peer, row)
            for peer, row in self.history
            if query.peer in (0, peer) and query.search.lower() in searched_text(row).lower()
        ]
        if query.ids:
            rows = [item for item in rows if item[1].id in query.ids]
        elif query.after_no is not None:
            rows = [item for item in rows if item[1].no > query.after_no]
        else:
            before = (query.before_place, query.before_no)
            rows.sort(key=lambda item: screen_order(item[1]), reverse=True)
            at = [(row.place, row.no) for _, row in rows]
            rows = rows[at.index(before) + 1 :] if before in at else rows
        page = rows[: query.limit]
        return cmd.HistoryPage(
            [row for _, row in page], [peer for peer, _ in page], len(rows) > len(page)
        )

    def queue(self, command: cmd.SendMessage | cmd.OfferFiles) -> cmd.Queued:
        """Commit an own message; a repeated id is the same message."""
        self.peer(command.peer)
        if command.id not in self.queued:
            if isinstance(command, cmd.OfferFiles):
                path = Path(command.paths[0])
                size = path.stat().st_size if path.is_file() else 0
                self.offer(command.peer, path.name, size, mine=True, id=command.id)
            else:
                body, to = command.text.encode(), command.reply_to
                self.add_message(command.peer, body, mine=True, id=command.id, reply_to=to)
                peer = self.peer(command.peer)
                if peer.draft and command.draft_revision == peer.draft_revision:
                    self.publish(ev.DraftChanged(command.peer, peer.draft_revision + 1, "", 0))
            self.queued[command.id] = self.history[-1][1]
            if self.auto_deliver:
                self.marks(command.peer, sent_seq=self.peer(command.peer).last_seq)
                self.deliver(command.peer)
        row = self.queued[command.id]
        return cmd.Queued(row.no, row.seq)

    def change_peer(
        self, command: cmd.AddPeer | cmd.RemovePeer | cmd.SetPeer | cmd.TrustPeer
    ) -> cmd.Result:
        """Peers come, go, and change."""
        if isinstance(command, cmd.AddPeer):
            number = 1 + max((peer.info.peer for peer in self.view.peers), default=0)
            for peer in self.view.peers:
                if (peer.info.host, peer.info.port) == (command.host, command.port):
                    number = peer.info.peer
            name = command.name or f"{command.host}:{command.port}"
            self.publish(ev.PeerChanged(PeerRow(number, name, command.host, command.port)))
            return cmd.PeerAdded(number)
        info = self.peer(command.peer).info
        if isinstance(command, cmd.RemovePeer):
            self.publish(ev.PeerRemoved(command.peer, 0))
        elif isinstance(command, cmd.SetPeer):
            fields = {name: getattr(command, name) for name in SETTABLE}
            given = {name: value for name, value in fields.items() if value is not None}
            if (size := command.auto_accept_bytes) is not None:
                given["auto_accept_bytes"] = AUTO_ACCEPT_BYTES if size < 0 else size
                given["auto_accept_set"] = size >= 0
            self.publish(ev.PeerChanged(msgspec.structs.replace(info, **given)))
        else:
            trust = Trust.VERIFIED if command.decision == "verified" else Trust.PINNED
            key = command.key if command.decision == "replace" else info.key
            refused = [known for known in info.refused_keys if known != key]
            if command.decision == "keep":
                trust, refused = Trust(info.trust), [*refused, command.key]
            row = msgspec.structs.replace(
                info, trust=trust, key=key, offered_key=b"", refused_keys=refused
            )
            self.publish(ev.PeerChanged(row))
        return cmd.Done()

    def change_state(self, routing_id: bytes, command: cmd.Command) -> cmd.Result:
        """Drafts, marks and transfers."""
        state = {
            cmd.AcceptTransfer: TransferState.ACTIVE,
            cmd.RejectTransfer: TransferState.REJECTED,
            cmd.PauseTransfer: TransferState.PAUSED,
            cmd.ResumeTransfer: TransferState.ACTIVE,
            cmd.CancelTransfer: TransferState.CANCELLED,
        }.get(type(command))
        match command:
            case cmd.SetDraft(peer=peer, text=text, base_revision=base):
                view = self.peer(peer)
                if accepted := base == view.draft_revision:
                    client = self.clients[routing_id].client
                    self.publish(ev.DraftChanged(peer, base + 1, text, client))
                return cmd.DraftSet(accepted, view.draft_revision, view.draft)
            case cmd.MarkShown(peer=peer, ack=ack) if self.may_mark(routing_id):
                self.marks(peer, my_shown=ack)
            case cmd.MarkRead(peer=peer, ack=ack) if self.may_mark(routing_id):
                self.marks(peer, my_shown=ack, my_read=ack)
            case cmd.AllowUpdates(id=one, allowed=allowed):
                self.move_transfer(one, TransferState.DONE, updates_allowed=allowed)
            case _:
                if state is not None:
                    self.move_transfer(command.id, state, by="me")  # type: ignore[union-attr]
        return cmd.Done()

    def may_mark(self, routing_id: bytes) -> bool:
        """Raises CommandError for a client of role read-only."""
        if self.clients[routing_id].role != ClientRole.FULL:
            raise CommandError(ErrorCode.NOT_ALLOWED, "This front end is attached read-only.")
        return True


def searched_text(row: MessageRow) -> str:
    """A text, or the paths of offered files."""
    if row.kind == MessageKind.TEXT:
        return row.text
    return "\n".join("/".join(file.path) for file in decode_offer(row.body).files)


class FakeEngine:
    """A FakeCore behind the engine's own local sockets, with a connection file like a session's."""

    def __init__(self, home: str | Path, core: FakeCore | None = None) -> None:
        self.core = core or FakeCore()
        name = self.core.view.session.name
        self.folder = Path(home) / "sessions" / name
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.connection_file = str(self.folder / "connection.json")
        self._lock = threading.RLock()
        self._arrived = threading.Condition(self._lock)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._thread: threading.Thread | None = None
        self.silent = False
        """While true it neither answers nor sends heads, like a stopped process."""

    def start(self) -> None:
        """Bind, write the connection file, serve."""
        boot = self.core.boot.hex()
        self._ipc = IpcServer(str(self.folder), boot[-4:], time.monotonic())
        session = self.core.view.session
        connection = ConnectionFile(
            session=session.name,
            boot=boot,
            pid=os.getpid(),
            ipc_version=IPC_VERSION,
            product_version=PRODUCT_VERSION,
            events=self._ipc.events_endpoint,
            commands=self._ipc.commands_endpoint,
            port=session.port,
        )
        Path(self.connection_file).write_bytes(encode_connection_file(connection))
        self._running = True
        self._thread = threading.Thread(target=self._serve, name="fake-engine")
        self._thread.start()

    def stop(self) -> None:
        """End like kill -9 does: the connection file stays."""
        if self._thread is not None:
            self._running = False
            os.eventfd_write(self._wake, 1)
            self._thread.join()
            self._thread = None

    def restart(self) -> None:
        """kill -9 and a new boot over the same durable state."""
        self.stop()
        self.core.start_boot()
        self.start()

    def do(self, action: Callable[[FakeCore], T]) -> T:
        """Run `action(core)` and publish what it makes."""
        with self._lock:
            result = action(self.core)
        os.eventfd_write(self._wake, 1)
        return result

    def seen(self, kind: type[T]) -> list[T]:
        """The commands of one type that arrived so far."""
        with self._lock:
            return [command for command in self.core.seen if isinstance(command, kind)]

    def await_seen(self, kind: type[T], timeout_s: float = 60.0) -> list[T]:
        """The commands of one type, once there is one; none if the time is over."""
        with self._arrived:
            self._arrived.wait_for(lambda: self.seen(kind), timeout_s)
        return self.seen(kind)

    def _serve(self) -> None:
        ipc = self._ipc
        waited_for = [self._wake, ipc.events_fd, ipc.commands_fd]
        while self._running:
            wait_s = min(HEAD_S, max(0.0, ipc.next_timeout() - time.monotonic()))
            if self._wake in select.select(waited_for, [], [], wait_s)[0]:
                os.eventfd_read(self._wake)
            with self._lock:
                self._turn(ipc, time.monotonic())
        ipc.close()

    def _turn(self, ipc: IpcServer, now_s: float) -> None:
        ipc.handle_events(now_s)
        ipc.handle_commands(now_s)
        while (request := ipc.receive(now_s)) is not None:
            if not self.silent:
                routing_id, frames = request
                ipc.reply(routing_id, self.core.handle_request(routing_id, frames[0]))
                self._arrived.notify_all()
        for topic, frame in self.core.publications:
            ipc.publish(topic, frame)
        self.core.publications.clear()
        if not self.silent:
            ipc.publish(envelope.TOPIC_HEAD, self.core.head())
        if now_s >= ipc.next_timeout():
            ipc.handle_timeout(now_s)
        ipc.flush()
        if self.core.stopped:
            Path(self.connection_file).unlink(missing_ok=True)
            self._running = False

    def close(self) -> None:
        """Stop and free everything."""
        self.stop()
        os.close(self._wake)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
