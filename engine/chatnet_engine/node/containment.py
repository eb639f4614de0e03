"""Owns what happens when handling one peer, one command or one transfer raises.

Each such handling is a unit: what it asked to be committed, published or answered is taken back
when it raises, with what was to leave for the peer or the file process; the peer or transfer is
read again from the store, so that memory is what a start would load. Of several transfers that
are handled in a row each is a unit of its own (`TransferTable`).

What the turn shares (endpoint, ring, commits, clock, timers) is no unit: there an exception ends
the engine.
"""

from collections.abc import Callable
from functools import partial

from chatnet_engine.node import reloading
from chatnet_engine.node.commits import peer_of
from chatnet_engine.node.config import Now
from chatnet_engine.node.effects import FilesRestarted, FilesSaid, LogProblem, ReplyTo
from chatnet_engine.node.links.link import MAX_CONTAINED_S
from chatnet_engine.node.parts import Parts
from chatnet_engine.trace import Code, Kind, describe
from chatnet_protocol import commit as c
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.reasons import LinkReason, NoticeCode, reason

COMMAND_FAILED = "The engine failed inside while doing this; nothing was changed. See its log."


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
    """See the module."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._read_again: dict[int, float] = {}
        """When a peer that could not be read is read again, in monotonic seconds."""
        self._pause = FilesPause()
        self._unread: dict[bytes, None] = {}
        """Transfers to be read again when that is over."""
        self._report: Callable[[Now], None] | None = None
        """The report that a file process listens, to be handled again then."""

    def peer(self, peer: int, now: Now, act: Callable[[], None]) -> bool:
        """Handle something of one peer; whether that went well."""
        error = self._unit(act)
        if error is not None:
            self.end_peer(peer, now, error)
            reloading.take_back_removals(self._parts, now)
        return error is None

    def command(self, asker: ReplyTo, command: object, now: Now, act: Callable[[], None]) -> None:
        """Do a command. Raises CommandError, with nothing of it done."""
        parts = self._parts
        if (error := self._unit(act)) is None:
            return
        self._note("contained_command", type(command).__name__, error)
        parts.forget_asker(asker)
        peer = getattr(command, "peer", 0)
        if isinstance(peer, int) and peer:
            reloading.take_back_row(parts, peer, now)
        transfer_id = getattr(command, "id", b"")
        if isinstance(transfer_id, bytes) and parts.transfers.peer_of(transfer_id):
            reloading.read_transfers(parts, [transfer_id])
        raise CommandError(ErrorCode.INTERNAL, COMMAND_FAILED)

    def result(self, result: c.OpResult, op: c.Op, now: Now, act: Callable[[], None]) -> bool:
        """Handle what the store answered to one operation; whether that went well."""
        peer = result.row.peer if isinstance(result, c.PeerStored) else peer_of(op)
        if (error := self._unit(act)) is None:
            return True
        if isinstance(op, c.StoreTransfer):
            self._files_failed(error, now)
            self._throw_away({op.row.id: peer})
            return True
        if isinstance(op, c.LoadTransfers):
            self._files_failed(error, now)
            self._throw_away(dict.fromkeys(op.ids, 0))
            return False
        self.end_peer(peer, now, error)
        if isinstance(op, c.ForgetPeer) and op.into:
            self.end_peer(op.into, now, "its other number could not be merged into it")
        return False

    def answer(self, asker: ReplyTo | None, act: Callable[[], None]) -> None:
        """Answer what was read outside."""
        if (error := self._unit(act)) is not None:
            self._note("contained_command", "an answer", error)
            self._parts.fail(asker, CommandError(ErrorCode.INTERNAL, COMMAND_FAILED))

    def report(
        self, result: FilesSaid | FilesRestarted, now: Now, act: Callable[[Now], None]
    ) -> None:
        """Handle a report of the file process."""
        if isinstance(result, FilesRestarted):
            self._report = None
        if (error := self._unit(partial(act, now))) is None:
            return
        self._files_failed(error, now)
        if isinstance(result, FilesSaid):
            transfers = self._parts.transfers
            lost = transfers.handle_lost_report(result.frame)
            if lost is None:
                self._report = partial(self._report_again, result, act)
            else:
                self._throw_away({one: transfers.peer_of(one) for one in lost})

    def files_timer(self, now: Now) -> None:
        """Handle what is due of the transfers."""
        due, transfers = self.files_timeout(), self._parts.transfers
        if due is None or due > now.mono_s:
            return
        act = partial(transfers.handle_timeout, now.mono_s, now.wall_ms)
        # What went well before it raised stays: each transfer is a unit of its own.
        if (error := self._unit(act, keep=True)) is not None:
            self._files_failed(error, now)

    def files_timeout(self) -> float | None:
        """When `files_timer` has something to do."""
        due = self._parts.transfers.next_timeout()
        return None if due is None else max(due, self._pause.until_s)

    def take_failed(self, now: Now) -> None:
        """Transfers that raised while several were handled are read again."""
        for transfer_id, (peer, error) in self._parts.transfers.take_failed().items():
            self._files_failed(error, now)
            self._throw_away({transfer_id: peer})
        if self._unread and now.mono_s >= self._pause.until_s:
            ids, self._unread = list(self._unread), {}
            self._parts.commits.add(c.LoadTransfers(ids))

    def end_peer(self, peer: int, now: Now, error: str) -> None:
        """End this peer's link, and have its state read again."""
        parts = self._parts
        self._note("contained_peer", f"peer {peer}", error, peer)
        if not peer:
            return  # a stranger, of whom nothing is kept
        pause_s = parts.links.contain(peer, reason(LinkReason.ENGINE_FAILED), now)
        parts.publisher.publish(ev.notice("error", NoticeCode.CONTAINED, round(pause_s), peer=peer))
        reloading.read_peer(parts, peer)

    def operation(self, failed: c.CommitFailed, now: Now) -> None:
        """The store raised at one operation: the rest of the transaction is tried again."""
        parts = self._parts
        if not parts.config.contain:
            raise AssertionError(failed.traceback)
        op = parts.commits.op_in_flight(failed.culprit)
        was_reloading = isinstance(op, c.LoadPeer)
        peer = peer_of(op)
        parts.known.handle_failed()
        dropped = parts.commits.drop_peer(peer, failed.culprit, failed.number)
        for waiting in dropped:
            if isinstance(waiting.op, c.ForgetPeer):
                parts.peers.take_back(waiting.op.peer)
            if isinstance(waiting.op, c.LoadTransfers):
                self._throw_away(dict.fromkeys(waiting.op.ids, 0))
            elif isinstance(waiting.op, c.StoreTransfer):
                parts.transfers.give_back(waiting.op)
            for asker in filter(None, waiting.askers):
                parts.forget_asker(asker)
                parts.fail(asker, CommandError(ErrorCode.INTERNAL, COMMAND_FAILED))
        if was_reloading:
            self._note("contained_peer", f"peer {peer} cannot be read", failed.traceback, peer)
            self._read_later(peer, now)
        elif peer:
            self.end_peer(peer, now, failed.traceback)
            if isinstance(op, c.ForgetPeer) and op.into:
                self.end_peer(op.into, now, failed.traceback)
        else:
            self._files_failed(failed.traceback, now)
            parts.peers.strangers.clear()

    def handle_timeout(self, now: Now) -> None:
        """Read again who could not be read; harmless when nothing is due."""
        if self._report and now.mono_s >= self._pause.until_s:
            again, self._report = self._report, None
            again(now)
        for peer in [peer for peer, due in self._read_again.items() if due <= now.mono_s]:
            del self._read_again[peer]
            reloading.read_peer(self._parts, peer)

    def next_timeout(self) -> float | None:
        """When to call `handle_timeout` or `files_timer` next."""
        dues = list(self._read_again.values())
        if self._report or self._unread:
            dues.append(self._pause.until_s)
        if (due := self.files_timeout()) is not None:
            dues.append(due)
        return min(dues, default=None)

    def _read_later(self, peer: int, now: Now) -> None:
        """The store cannot give this peer: nothing of it works until it can."""
        parts = self._parts
        pause_s = parts.links.contain(peer, reason(LinkReason.UNREADABLE), now) or 1.0
        self._read_again[peer] = now.mono_s + pause_s
        parts.publisher.publish(
            ev.notice("error", NoticeCode.PEER_UNREADABLE, round(pause_s), peer=peer)
        )

    def _report_again(self, result: FilesSaid, act: Callable[[Now], None], now: Now) -> None:
        self.report(result, now, act)

    def _files_failed(self, error: str, now: Now) -> None:
        self._note("contained_transfer", "transfers", error)
        self._parts.publisher.publish(ev.notice("error", NoticeCode.CONTAINED_TRANSFERS))
        self._pause.lengthen(now.mono_s)

    def _throw_away(self, peers: dict[bytes, int]) -> None:
        """These transfers (with their peers, 0: not known) are to be read again."""
        parts = self._parts
        for transfer_id, peer in peers.items():
            known = parts.transfers.peer_of(transfer_id) or peer
            if known or transfer_id not in parts.reread_transfers:
                parts.reread_transfers[transfer_id] = known
        parts.transfers.throw_away(list(peers))
        self._unread.update(dict.fromkeys(peers))

    def _unit(self, act: Callable[[], None], *, keep: bool = False) -> str | None:
        """The traceback of what `act` raised, with what it did taken back; None: it did well.

        `keep`: what was to leave to peers and the file process stays.
        """
        parts = self._parts
        commits, publisher = parts.commits, parts.publisher
        commits.begin()
        publisher.begin()
        mark = parts.transfers.begin()
        effects = len(parts.effects)
        try:
            act()
        except CommandError:
            publisher.settle()
            raise
        except Exception as error:
            commits.roll_back()
            publisher.roll_back()
            if not keep:
                parts.transfers.roll_back(mark)
            del parts.effects[effects:]
            if not parts.config.contain:
                raise
            return describe(error)
        publisher.settle()
        return None

    def _note(self, counter: str, subject: str, error: str, peer: int = 0) -> None:
        self._parts.contained[counter] += 1
        self._parts.config.trace.add(peer, Kind.ENGINE_CONTAINED, unit=Code(counter))
        self._parts.effects.append(LogProblem(f"contained: {subject}: {error}"))
