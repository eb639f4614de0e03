"""The commands about transfers and links. Each either answers at once, or leaves its asker with the
operation, query or offer whose end is the answer."""

from chatnet_engine.files.transfers import Act
from chatnet_engine.node import answers
from chatnet_engine.node.config import Now
from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.parts import Parts
from chatnet_protocol import commit as c
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ids import require_id
from chatnet_protocol.ipc import commands as cmd

MAX_PATHS = 1000
COMMANDS = (
    cmd.OfferFiles, cmd.AcceptTransfer, cmd.RejectTransfer, cmd.PauseTransfer,
    cmd.ResumeTransfer, cmd.CancelTransfer,
)  # fmt: skip
TRANSFER_COMMANDS = cmd.RejectTransfer | cmd.PauseTransfer | cmd.ResumeTransfer | cmd.CancelTransfer


def handle(parts: Parts, command: cmd.Command, asker: ReplyTo, now: Now) -> None:
    """Do one of COMMANDS. Raises CommandError with what the client is told."""
    match command:
        case cmd.OfferFiles():
            _offer_files(parts, command, asker, now)
        case cmd.AcceptTransfer():
            _accept_transfer(parts, command, asker, now)
        case (
            cmd.RejectTransfer() | cmd.PauseTransfer() | cmd.ResumeTransfer() | cmd.CancelTransfer()
        ):
            _transfer(parts, command, now)
            parts.reply(asker, cmd.Done())


def _offer_files(parts: Parts, command: cmd.OfferFiles, asker: ReplyTo, now: Now) -> None:
    require_id(command.id)
    parts.peers.need_accepted(command.peer)
    if not 1 <= len(command.paths) <= MAX_PATHS:
        raise CommandError(ErrorCode.INVALID, "Offer between 1 and 1,000 files or folders.")
    if not all(path.startswith("/") and "\0" not in path for path in command.paths):
        raise CommandError(ErrorCode.INVALID, "Files are offered by absolute path.")
    parts.transfers.offer(command.id, command.peer, command.paths, now.mono_s, now.wall_ms)
    parts.offer_askers[command.id] = asker


def _accept_transfer(parts: Parts, command: cmd.AcceptTransfer, asker: ReplyTo, now: Now) -> None:
    """One that ended long ago is read from the store first."""
    require_id(command.id)
    if command.folder and not command.folder.startswith("/"):
        raise CommandError(ErrorCode.INVALID, "A folder is named by absolute path.")
    if parts.transfers.peer_of(command.id):
        answers.accept_transfer(parts, command, now)
        parts.reply(asker, cmd.Done())
    else:
        parts.accepting[asker] = command
        parts.commits.add(c.LoadTransfers([command.id]), asker)


def _transfer(parts: Parts, command: TRANSFER_COMMANDS, now: Now) -> None:
    match command:
        case cmd.RejectTransfer():
            act = Act.REJECT
        case cmd.PauseTransfer():
            act = Act.PAUSE
        case cmd.ResumeTransfer():
            act = Act.RESUME
        case cmd.CancelTransfer():
            act = Act.CANCEL
    parts.transfers.act(command.id, act, now.mono_s, now.wall_ms)
