"""Owns what happens when handling one peer, one command or one transfer raises.

Each such handling is a unit: what it asked to be committed, published or answered is taken back
when it raises, and the peer or transfer is read again from the store, so that memory is what a
start would load. What the turn shares (endpoint, ring, commits, clock, timers) is no unit: there
an exception ends the engine.
"""

from collections.abc import Callable

from chatnet_engine.node import reloading
from chatnet_engine.node.commits import peer_of
from chatnet_engine.node.config import Now
from chatnet_engine.node.effects import LogProblem, ReplyTo
from chatnet_engine.node.parts import Parts
from chatnet_engine.trace import Code, Kind, describe
from chatnet_protocol import commit as c
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.reasons import LinkReason, NoticeCode, reason

COMMAND_FAILED = "The engine failed inside while doing this; nothing was changed. See its log."


class Containment:
    """See the module."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._read_again: dict[int, float] = {}
        """When a peer that could not be read is read again, in monotonic seconds."""

    def peer(self, peer: int, now: Now, act: Callable[[], None]) -> bool:
        """Handle something of one peer; whether that went well."""
        error = self._unit(act)
        if error is not None:
            self.end_peer(peer, now, error)
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
        if isinstance(op, c.StoreTransfer | c.LoadTransfers):
            self.transfers(now, act)
            return True
        if self.peer(peer, now, act):
            return True
        if isinstance(op, c.ForgetPeer) and op.into:
            self.end_peer(op.into, now, "its other number could not be merged into it")
        return False

    def answer(self, asker: ReplyTo | None, act: Callable[[], None]) -> None:
        """Answer what was read outside."""
        if (error := self._unit(act)) is not None:
            self._note("contained_command", "an answer", error)
            self._parts.fail(asker, CommandError(ErrorCode.INTERNAL, COMMAND_FAILED))

    def transfers(self, now: Now, act: Callable[[], None]) -> None:
        """Handle something of the transfers that is no peer's input."""
        if (error := self._unit(act)) is None:
            return
        self._note("contained_transfer", "transfers", error)
        self._parts.publisher.publish(ev.notice("error", NoticeCode.CONTAINED_TRANSFERS))
        reloading.read_transfers(self._parts, self._parts.transfers.ids_of())

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
            self._note("contained_transfer", type(op).__name__, failed.traceback)
            parts.peers.strangers.clear()

    def handle_timeout(self, now: Now) -> None:
        """Read again who could not be read; harmless when nothing is due."""
        for peer in [peer for peer, due in self._read_again.items() if due <= now.mono_s]:
            del self._read_again[peer]
            reloading.read_peer(self._parts, peer)

    def next_timeout(self) -> float | None:
        """When to call `handle_timeout` next."""
        return min(self._read_again.values(), default=None)

    def _read_later(self, peer: int, now: Now) -> None:
        """The store cannot give this peer: nothing of it works until it can."""
        parts = self._parts
        pause_s = parts.links.contain(peer, reason(LinkReason.UNREADABLE), now) or 1.0
        self._read_again[peer] = now.mono_s + pause_s
        parts.publisher.publish(
            ev.notice("error", NoticeCode.PEER_UNREADABLE, round(pause_s), peer=peer)
        )

    def _unit(self, act: Callable[[], None]) -> str | None:
        """The traceback of what `act` raised, with what it did taken back; None: it did well."""
        parts = self._parts
        commits, publisher = parts.commits, parts.publisher
        commits.begin()
        publisher.begin()
        effects = len(parts.effects)
        try:
            act()
        except CommandError:
            publisher.settle()
            raise
        except Exception as error:
            commits.roll_back()
            publisher.roll_back()
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
