"""Owns what happens when handling one peer, one command or one transfer raises.

Each is a unit: when it raises, its operations, publications and replies are rolled back, with
what it was sending to the peer or the file process; the peer or transfer is
read again from the store, so that memory holds what a start would load. Of several transfers that
are handled in a row each is a unit of its own (`TransferTable`).

What the turn shares (endpoint, ring, commits, clock, timers) is no unit: there an exception ends
the engine.
"""

from collections.abc import Callable
from functools import partial

from chatnet_engine.clock import Now
from chatnet_engine.node.commit_shares import peer_of
from chatnet_engine.node.effects import FileProcessReport, FilesRestarted, LogProblem, ReplyTo
from chatnet_engine.node.links.link import MAX_CONTAINED_S
from chatnet_engine.node.links.links import Links
from chatnet_engine.node.people.known_peers import KnownPeers
from chatnet_engine.node.people.peers import Peers
from chatnet_engine.node.reloading import Reloading
from chatnet_engine.node.transfers.file_transfers import FileTransfers
from chatnet_engine.node.turn import Turn
from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops.restores import MessagesPutBack
from chatnet_engine.trace import Code, Kind, Tracer, describe
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.reasons import LinkReason, NoticeCode, reason

COMMAND_FAILED = "The engine failed inside while doing this; nothing was changed. See its log."


COUNTERS = ("contained_peer", "contained_command", "contained_transfer")


class FilesPause:
    """How long the machinery of files is left alone after an exception in it: not at all after the
    first, then 1 s, twice that each next time."""

    def __init__(self) -> None:
        self.until_s = 0.0
        self._pause_s = 0.0
        self._last_s = float("-inf")

    def lengthen(self, now_s: float) -> None:
        """One more exception."""
        quiet = now_s > self._last_s + 2 * MAX_CONTAINED_S
        self._pause_s = 0.0 if quiet else min(MAX_CONTAINED_S, max(1.0, 2 * self._pause_s))
        self._last_s = now_s
        self.until_s = now_s + self._pause_s


class Containment:
    """Runs units and rolls back the one that raises."""

    def __init__(
        self,
        contain: bool,
        turn: Turn,
        peers: Peers,
        known: KnownPeers,
        links: Links,
        transfers: FileTransfers,
        reloading: Reloading,
        trace: Tracer,
    ) -> None:
        self.counts = dict.fromkeys(COUNTERS, 0)
        """How often what was handled raised, by what it was."""
        self._contain = contain
        self._turn = turn
        self._touch = turn.due.touch
        self._peers = peers
        self._known = known
        self._links = links
        self._transfers = transfers
        self._reloading = reloading
        self._trace = trace
        self._pause = FilesPause()
        self._unread: dict[bytes, None] = {}
        """Transfers to be read again when that is over."""
        self._report: Callable[[Now], None] | None = None
        """The report that a file process listens, to be handled again then."""

    def peer(self, peer: int, now: Now, act: Callable[[], None]) -> bool:
        """Handle something of one peer, which touches it; whether that went well."""
        self._touch(peer)
        error = self._unit(act)
        if error is not None:
            self.end_peer(peer, now, error)
            self._reloading.take_back_removals(now)
        return error is None

    def command(self, command: object, now: Now, act: Callable[[], None]) -> None:
        """Do a command, which touches its peer. Raises CommandError, with nothing of it done."""
        peer = getattr(command, "peer", 0)
        if isinstance(peer, int) and peer:
            self._touch(peer)
        if (error := self._unit(act)) is None:
            return
        self._note("contained_command", type(command).__name__, error)
        if isinstance(peer, int) and peer:
            self._reloading.take_back_row(peer, now)
        transfer_id = getattr(command, "id", b"")
        if isinstance(transfer_id, bytes) and self._transfers.transfers.peer_of(transfer_id):
            self._transfers.read_again([transfer_id])
        raise CommandError(ErrorCode.INTERNAL, COMMAND_FAILED)

    def result(self, result: c.OpResult, op: c.Op, now: Now, act: Callable[[], None]) -> bool:
        """Handle what the store answered to one operation, which touches its peers; whether that
        went well."""
        peer = result.row.peer if isinstance(result, c.PeerStored) else peer_of(op)
        self._touch(peer)
        if isinstance(op, c.ForgetPeer):
            self._touch(op.into)
        if (error := self._unit(act)) is None:
            return True
        if isinstance(op, c.StoreTransfer):
            self._files_failed(error, now)
            self._throw_away({op.row.id: peer})
            return True
        if isinstance(op, c.LoadTransfers | c.FindFolder):
            self._files_failed(error, now)
            ids = op.ids if isinstance(op, c.LoadTransfers) else [op.id]
            self._throw_away(dict.fromkeys(ids, 0))
            return False
        if isinstance(op, c.ListReceived):
            self._files_failed(error, now)
            self._transfers.transfers.surveys.handle_lost()
            return False
        self.end_peer(peer, now, error)
        if isinstance(result, c.MessagesQueued | c.MessagesAccepted | MessagesPutBack):
            self._turn.publisher.publish_rows(peer, result.rows)
        if isinstance(op, c.ForgetPeer) and op.into:
            self.end_peer(op.into, now, "its other number could not be merged into it")
        return False

    def fail(self, reply_to: ReplyTo | None) -> None:
        """Answer a command that came to nothing because of what was contained."""
        self._turn.replies.fail(reply_to, CommandError(ErrorCode.INTERNAL, COMMAND_FAILED))

    def answer(self, asker: ReplyTo | None, act: Callable[[], None]) -> None:
        """Answer what was read outside."""
        if (error := self._unit(act)) is not None:
            self._note("contained_command", "an answer", error)
            self.fail(asker)

    def report(
        self, result: FileProcessReport | FilesRestarted, now: Now, act: Callable[[Now], None]
    ) -> None:
        """Handle a report of the file process."""
        if isinstance(result, FilesRestarted):
            self._report = None
        if (error := self._unit(partial(act, now))) is None:
            return
        self._files_failed(error, now)
        if isinstance(result, FileProcessReport):
            transfers = self._transfers.transfers
            lost = transfers.handle_lost_report(result.frame)
            if lost is None:
                self._report = partial(self._report_again, result, act)
            else:
                self._throw_away({one: transfers.peer_of(one) for one in lost})

    def files_timer(self, now: Now) -> None:
        """Handle what is due of the transfers."""
        due, transfers = self.files_timeout(), self._transfers.transfers
        if due is None or due > now.mono_s:
            return
        act = partial(transfers.handle_timeout, now)
        # What went well before it raised stays: each transfer is a unit of its own.
        if (error := self._unit(act, keep=True)) is not None:
            self._files_failed(error, now)

    def files_timeout(self) -> float | None:
        """When `files_timer` has something to do."""
        due = self._transfers.transfers.next_timeout()
        return None if due is None else max(due, self._pause.until_s)

    def take_failed(self, now: Now) -> None:
        """Transfers that raised while several were handled are read again."""
        for transfer_id, (peer, error) in self._transfers.transfers.take_failed().items():
            self._files_failed(error, now)
            self._throw_away({transfer_id: peer})
        if self._unread and now.mono_s >= self._pause.until_s:
            ids, self._unread = list(self._unread), {}
            self._turn.commits.add(c.LoadTransfers(ids))

    def end_peer(self, peer: int, now: Now, error: str) -> None:
        """End this peer's link, and have its state read again."""
        self._note("contained_peer", f"peer {peer}", error, peer)
        if not peer:
            return  # a stranger, of whom nothing is kept
        pause_s = self._links.contain(peer, reason(LinkReason.ENGINE_FAILED), now)
        self._turn.publisher.publish(
            ev.notice("error", NoticeCode.CONTAINED, round(pause_s), peer=peer)
        )
        self._reloading.read_peer(peer)

    def operation(self, failed: c.CommitFailed, now: Now) -> None:
        """The store raised at one operation: the rest of the transaction is tried again."""
        if not self._contain:
            raise AssertionError(failed.traceback)
        op = self._turn.commits.op_in_flight(failed.culprit)
        was_reloading = isinstance(op, c.LoadPeer)
        peer = peer_of(op)
        self._known.handle_failed()
        dropped = self._turn.commits.drop_peer(peer, failed.culprit, failed.number)
        for waiting in dropped:
            if isinstance(waiting.op, c.ForgetPeer):
                self._peers.take_back(waiting.op.peer)
            if isinstance(waiting.op, c.LoadTransfers):
                self._throw_away(dict.fromkeys(waiting.op.ids, 0))
            elif isinstance(waiting.op, c.FindFolder):
                self._throw_away({waiting.op.id: waiting.op.peer})
            elif isinstance(waiting.op, c.ListReceived):
                self._transfers.transfers.surveys.handle_lost()
            elif isinstance(waiting.op, c.StoreTransfer):
                self._transfers.transfers.give_back(waiting.op)
            for reply_to in waiting.askers:
                self.fail(reply_to)
        if was_reloading:
            self._note("contained_peer", f"peer {peer} cannot be read", failed.traceback, peer)
            self._read_later(peer, now)
        elif peer:
            self.end_peer(peer, now, failed.traceback)
            if isinstance(op, c.ForgetPeer) and op.into:
                self.end_peer(op.into, now, failed.traceback)
        else:
            self._files_failed(failed.traceback, now)
            self._peers.strangers.clear()

    def handle_timeout(self, now: Now) -> None:
        """Handle again what came before the pause of the files was over."""
        if self._report and now.mono_s >= self._pause.until_s:
            again, self._report = self._report, None
            again(now)

    def report_timeout(self) -> float | None:
        """When `handle_timeout` or `take_failed` has something to do."""
        return self._pause.until_s if self._report or self._unread else None

    def _read_later(self, peer: int, now: Now) -> None:
        """The store cannot give this peer: nothing of it works until it can."""
        pause_s = self._links.contain(peer, reason(LinkReason.UNREADABLE), now) or 1.0
        self._reloading.read_later(peer, now.mono_s + pause_s)
        self._turn.publisher.publish(
            ev.notice("error", NoticeCode.PEER_UNREADABLE, round(pause_s), peer=peer)
        )

    def _report_again(
        self, result: FileProcessReport, act: Callable[[Now], None], now: Now
    ) -> None:
        self.report(result, now, act)

    def _files_failed(self, error: str, now: Now) -> None:
        self._note("contained_transfer", "transfers", error)
        self._turn.publisher.publish(ev.notice("error", NoticeCode.CONTAINED_TRANSFERS))
        self._pause.lengthen(now.mono_s)

    def _throw_away(self, peers: dict[bytes, int]) -> None:
        """These transfers (with their peers, 0: not known) are to be read again."""
        self._transfers.throw_away(peers)
        self._unread.update(dict.fromkeys(peers))

    def _unit(self, act: Callable[[], None], *, keep: bool = False) -> str | None:
        """The traceback of what `act` raised, with what it did taken back; None: it did well.

        `keep`: what was to leave to peers and the file process stays.
        """
        commits, publisher = self._turn.commits, self._turn.publisher
        commits.begin()
        publisher.begin()
        mark = self._transfers.transfers.begin()
        effects = len(self._turn.effects)
        try:
            act()
        except CommandError:
            publisher.settle()
            raise
        except Exception as error:
            commits.roll_back()
            publisher.roll_back()
            if not keep:
                self._transfers.transfers.roll_back(mark)
            del self._turn.effects[effects:]
            if not self._contain:
                raise
            return describe(error)
        publisher.settle()
        return None

    def _note(self, counter: str, subject: str, error: str, peer: int = 0) -> None:
        self.counts[counter] += 1
        self._trace.add(peer, Kind.ENGINE_CONTAINED, unit=Code(counter))
        self._turn.effects.append(LogProblem(f"contained: {subject}: {error}"))
