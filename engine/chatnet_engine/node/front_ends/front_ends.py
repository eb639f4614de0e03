"""Owns attaching, snapshots, history pages, status, settings, backups and stopping."""

from collections.abc import Iterable

import msgspec

from chatnet_engine.clock import Now
from chatnet_engine.files.transfers import Transfers
from chatnet_engine.node.effects import (
    CollectCounters,
    CountersCollected,
    HistoryRead,
    ReadHistory,
    ReplyTo,
    SessionCopied,
)
from chatnet_engine.node.front_ends.backups import Backups
from chatnet_engine.node.front_ends.clients import Clients
from chatnet_engine.node.front_ends.gauges import Gauges
from chatnet_engine.node.front_ends.own_settings import OwnSettings
from chatnet_engine.node.front_ends.status import Figures
from chatnet_engine.node.left_out import LeftOut
from chatnet_engine.node.subject import Subject
from chatnet_engine.node.turn import Turn
from chatnet_engine.node.waiting import Waiting
from chatnet_engine.store_ops import settings as cs
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import ClientAttached, ClientDetached
from chatnet_protocol.limits import MAX_HISTORY_ROWS
from chatnet_protocol.version import IPC_VERSION, Capability

MAX_READS = 64
"""History pages and counters being read at a time; more are refused as busy."""


class FrontEnds(Subject):
    """The subject of attached clients."""

    def __init__(
        self,
        own: OwnSettings,
        clients: Clients,
        left_out: LeftOut,
        figures: Figures,
        transfers: Transfers,
        turn: Turn,
    ) -> None:
        super().__init__()
        self.clients = clients
        self.stopping = ""
        """Why the engine is to stop; empty while it is not."""
        self._own = own
        self._backups = Backups()
        self._publisher = turn.publisher
        self._replies = turn.replies
        self._left_out = left_out
        self._commits = turn.commits
        self._effects = turn.effects
        self.figures = figures
        self._gauges = Gauges(figures, transfers, turn.publisher)
        self._reads: set[ReplyTo] = set()
        """Answers that wait for something read outside."""
        self.commands = {
            cmd.Attach: self._attach,
            cmd.Detach: self._detach,
            cmd.KeepAlive: self._keep_alive,
            cmd.FetchSnapshot: self._fetch_snapshot,
            cmd.FetchEvents: self._fetch_events,
            cmd.FetchHistory: self._fetch_history,
            cmd.FetchStatus: self._fetch_status,
            cmd.MakeBackup: self._make_backup,
            cmd.StopEngine: self._stop_engine,
            cmd.SetSession: self._set_session,
        }
        self.results = {cs.SettingsStored: self._settings_stored}

    # --- commands ---

    def _attach(self, command: cmd.Attach, reply_to: ReplyTo, now: Now) -> None:
        if command.ipc_version != IPC_VERSION:
            side = "the front end" if command.ipc_version < IPC_VERSION else "the engine"
            raise CommandError(
                ErrorCode.VERSION,
                f"The front end speaks local protocol {command.ipc_version}, the engine "
                f"{IPC_VERSION}: upgrade {side}.",
            )
        publisher = self._publisher
        if gone := self.clients.make_room(reply_to.routing_id, command, now):
            publisher.publish(ClientDetached(gone))
        client, replaced = self.clients.attach(reply_to.routing_id, command, now)
        if client.row.client != replaced:
            if replaced:
                publisher.publish(ClientDetached(replaced))
            publisher.publish(ClientAttached(client.row))
            publisher.settle()  # the snapshot shows it
        if publisher.covers(command.cursor) and command.cursor:
            seq, count = command.cursor.seq, 0
        else:
            seq, count = publisher.open_snapshot(now, command.cursor.no if command.cursor else 0)
        self._replies.reply(
            reply_to,
            cmd.Attached(
                boot=publisher.boot,
                client=client.row.client,
                seq=seq,
                parts=count,
                head_seq=publisher.seq,
                last_no=publisher.view.last_no,
                ipc_version=IPC_VERSION,
                capabilities=list(Capability),
            ),
        )
        self._left_out.say(publisher)
        for subject in self.subjects:
            subject.front_end_attached()

    def _detach(self, command: cmd.Detach, reply_to: ReplyTo, now: Now) -> None:
        self.handle_gone(reply_to.routing_id)
        self._replies.reply(reply_to, cmd.Done())

    def handle_gone(self, routing_id: bytes) -> None:
        """The client with this routing id, if there is one, is attached no longer."""
        if number := self.clients.detach(routing_id):
            self._publisher.publish(ClientDetached(number))

    def _keep_alive(self, command: cmd.KeepAlive, reply_to: ReplyTo, now: Now) -> None:
        self.clients.note(reply_to.routing_id, command.seq)
        self._replies.reply(reply_to, cmd.Done())

    def _fetch_snapshot(self, command: cmd.FetchSnapshot, reply_to: ReplyTo, now: Now) -> None:
        data = self._publisher.snapshot_part(command.boot, command.seq, command.part, now)
        self._replies.reply(reply_to, cmd.SnapshotPart(command.part, data))

    def _fetch_events(self, command: cmd.FetchEvents, reply_to: ReplyTo, now: Now) -> None:
        data = self._publisher.events_page(command.boot, command.first_seq)
        self._replies.reply(reply_to, cmd.EventsPage(data))

    def _fetch_history(self, command: cmd.FetchHistory, reply_to: ReplyTo, now: Now) -> None:
        limit = max(1, min(command.limit, MAX_HISTORY_ROWS))
        query = msgspec.structs.replace(command, limit=limit)
        self._read(reply_to, ReadHistory(reply_to, query))

    def _fetch_status(self, command: cmd.FetchStatus, reply_to: ReplyTo, now: Now) -> None:
        self._read(reply_to, CollectCounters(reply_to, command.view))

    def _read(self, reply_to: ReplyTo, effect: ReadHistory | CollectCounters) -> None:
        if len(self._reads) >= MAX_READS:
            raise CommandError(ErrorCode.BUSY, "Too many questions at once; ask again.")
        self._effects.append(effect)
        self._reads.add(reply_to)

    def _make_backup(self, command: cmd.MakeBackup, reply_to: ReplyTo, now: Now) -> None:
        effect = self._backups.ask(command, reply_to)
        if effect is not None:
            self._effects.append(effect)

    def _stop_engine(self, command: cmd.StopEngine, reply_to: ReplyTo, now: Now) -> None:
        self.stopping = self.stopping or command.reason[:200]
        self._replies.reply(reply_to, cmd.Done())

    def _set_session(self, command: cmd.SetSession, reply_to: ReplyTo, now: Now) -> None:
        self._commits.add(self._own.ask(command), reply_to)

    def _settings_stored(self, result: cs.SettingsStored, waiting: Waiting, now: Now) -> None:
        assert isinstance(waiting.op, cs.StoreSettings)
        self._own.handle_stored(waiting.op)
        self._replies.reply(waiting.reply_to, cmd.Done())

    # --- what was read outside ---

    def handle_read(self, result: HistoryRead, reply_to: ReplyTo) -> None:
        """A page that a client asked for."""
        self._reads.discard(reply_to)
        if result.page is not None:
            self._replies.reply(reply_to, result.page)
        elif result.error is not None:
            self._replies.fail(reply_to, result.error)

    def handle_counted(self, counted: CountersCollected, now: Now) -> None:
        """Answer with the status, and with a snapshot if that was asked for too."""
        self._reads.discard(counted.reply_to)
        status = self.figures.collect(self.clients, counted.counts)
        if counted.view:
            publisher = self._publisher
            seq, count = publisher.open_snapshot(now, current=True)
            status = msgspec.structs.replace(status, boot=publisher.boot, seq=seq, parts=count)
        self._replies.reply(counted.reply_to, status)

    def handle_copied(self, copied: SessionCopied) -> None:
        """A backup is made, or is not."""
        folder, waiting = self._backups.handle_copied()
        for reply_to in waiting:
            if copied.error is not None:
                self._replies.fail(reply_to, copied.error)
            else:
                done = cmd.BackedUp(folder, copied.messages, copied.size_bytes)
                self._replies.reply(reply_to, done)

    def publish_gauges(self, served: Iterable[int], now: Now) -> None:
        """Statistics of links and transfers, while anybody looks; `served`: peers of this turn."""
        self._gauges.note(served)
        if len(self.clients):
            self._gauges.publish(now)

    # --- time ---

    def handle_timeout(self, now: Now) -> None:
        """Clients that have been silent for too long are detached."""
        for number in self.clients.take_expired(now):
            self._publisher.publish(ClientDetached(number))

    def next_timeout(self) -> float | None:
        """When the next silent client is due."""
        return self.clients.next_timeout()
