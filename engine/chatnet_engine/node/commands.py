"""One small function per command. Each either answers at once, or leaves its asker with the
operation, query or offer whose end is the answer."""

import msgspec

from chatnet_engine.files.transfers import Act
from chatnet_engine.node import answers
from chatnet_engine.node.config import Now
from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.parts import Parts
from chatnet_engine.node.people import inviting
from chatnet_engine.node.people.known_peers import TRUSTED
from chatnet_engine.secure.safety_number import safety_number
from chatnet_protocol import commit as c
from chatnet_protocol.addresses import parse_host, show_address
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ids import is_id
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import MessageKind, PeerRow, Trust
from chatnet_protocol.limits import (
    MAX_DISPLAY_NAME_BYTES,
    MAX_DRAFT_BYTES,
    MAX_PEERS,
    MAX_REFUSED_KEYS,
    MAX_TEXT_BYTES,
)

MAX_PATHS = 1000
WITHDRAWN = "Withdrawn before it was sent."
COMMANDS = (
    cmd.SendMessage, cmd.WithdrawMessage, cmd.OfferFiles, cmd.SetDraft, cmd.MarkShown,
    cmd.MarkRead, cmd.SetTyping, cmd.MakeInvite, cmd.AddPeer, cmd.RemovePeer, cmd.SetPeer,
    cmd.TrustPeer, cmd.RetryPeer, cmd.AcceptTransfer, cmd.RejectTransfer, cmd.PauseTransfer,
    cmd.ResumeTransfer, cmd.CancelTransfer,
)  # fmt: skip
TRANSFER_COMMANDS = cmd.RejectTransfer | cmd.PauseTransfer | cmd.ResumeTransfer | cmd.CancelTransfer


def handle(parts: Parts, command: cmd.Command, asker: ReplyTo, now: Now) -> None:
    """Do one of COMMANDS. Raises CommandError with what the client is told."""
    match command:
        case cmd.SendMessage():
            _send_message(parts, command, asker, now)
        case cmd.WithdrawMessage():
            _check_id(command.id)
            parts.peers.need(command.peer)
            parts.commits.add(c.FailMessage(command.peer, 0, WITHDRAWN, command.id), asker)
        case cmd.OfferFiles():
            _offer_files(parts, command, asker, now)
        case cmd.SetDraft() | cmd.MarkShown() | cmd.MarkRead() | cmd.SetTyping():
            _conversation_state(parts, command, asker)
        case cmd.MakeInvite():
            inviting.make(parts, command, asker, now)
        case cmd.AddPeer() | cmd.RemovePeer() | cmd.SetPeer() | cmd.TrustPeer() | cmd.RetryPeer():
            _change_peer(parts, command, asker, now)
        case cmd.AcceptTransfer():
            _accept_transfer(parts, command, asker, now)
        case (
            cmd.RejectTransfer() | cmd.PauseTransfer() | cmd.ResumeTransfer() | cmd.CancelTransfer()
        ):
            _transfer(parts, command, now)
            parts.reply(asker, cmd.Done())


def _check_id(value: bytes) -> None:
    if not is_id(value):
        raise CommandError(ErrorCode.INVALID, "An id has 16 bytes.")


def _send_message(parts: Parts, command: cmd.SendMessage, asker: ReplyTo, now: Now) -> None:
    _check_id(command.id)
    parts.peers.need_accepted(command.peer)
    body = command.text.encode()
    if not body:
        raise CommandError(ErrorCode.INVALID, "A message has at least one character.")
    if len(body) > MAX_TEXT_BYTES:
        raise CommandError(
            ErrorCode.TOO_LARGE, "A message has at most 64 KiB; send it as a file instead."
        )
    if parts.commits.full:
        raise CommandError(ErrorCode.BUSY, "Too many messages wait to be stored; send it again.")
    # A text may have waited for the engine; nobody writes in the future.
    sent_ms = min(command.sent_ms, now.wall_ms) if command.sent_ms > 0 else now.wall_ms
    message = c.NewMessage(command.id, MessageKind.TEXT, body, sent_ms, command.draft_revision)
    parts.conversations[command.peer].queue(message, asker, now)


def _offer_files(parts: Parts, command: cmd.OfferFiles, asker: ReplyTo, now: Now) -> None:
    _check_id(command.id)
    parts.peers.need_accepted(command.peer)
    if not 1 <= len(command.paths) <= MAX_PATHS:
        raise CommandError(ErrorCode.INVALID, "Offer between 1 and 1,000 files or folders.")
    if not all(path.startswith("/") and "\0" not in path for path in command.paths):
        raise CommandError(ErrorCode.INVALID, "Files are offered by absolute path.")
    parts.transfers.offer(command.id, command.peer, command.paths, now.mono_s, now.wall_ms)
    parts.offer_askers[command.id] = asker


def _conversation_state(
    parts: Parts,
    command: cmd.SetDraft | cmd.MarkShown | cmd.MarkRead | cmd.SetTyping,
    asker: ReplyTo,
) -> None:
    parts.peers.need(command.peer)
    conversation = parts.conversations[command.peer]
    match command:
        case cmd.SetDraft():
            if len(command.text.encode()) > MAX_DRAFT_BYTES:
                raise CommandError(ErrorCode.TOO_LARGE, "A draft has at most 64 KiB.")
            op = c.StoreDraft(command.peer, command.text, command.base_revision)
            parts.commits.add(op, asker)
        case cmd.SetTyping():
            conversation.set_typing(command.typing)
            parts.reply(asker, cmd.Done())
        case cmd.MarkShown() | cmd.MarkRead():
            ack = min(max(command.ack, 0), conversation.state.received_total)
            read = ack if isinstance(command, cmd.MarkRead) else 0
            if ack > conversation.state.my_shown or read > conversation.state.my_read:
                parts.commits.add(c.StoreMarks(command.peer, my_shown=ack, my_read=read))
            parts.reply(asker, cmd.Done())


def _change_peer(
    parts: Parts,
    command: cmd.AddPeer | cmd.RemovePeer | cmd.SetPeer | cmd.TrustPeer | cmd.RetryPeer,
    asker: ReplyTo,
    now: Now,
) -> None:
    match command:
        case cmd.AddPeer():
            if command.invite:
                row = _peer_to_add(parts, command)
                inviting.enter(parts, row, command.invite, asker, now)
                parts.adding.add(asker)
            else:
                add_peer(parts, command, asker)
        case cmd.RemovePeer():
            parts.peers.need(command.peer)
            parts.forget_peer(command.peer, asker=asker)
        case cmd.SetPeer():
            row = parts.peers.need(command.peer)
            name = row.name if command.name is None else _name(command.name)
            size = command.auto_accept_bytes
            size = row.auto_accept_bytes if size is None else max(0, size)
            row = msgspec.structs.replace(row, name=name, auto_accept_bytes=size)
            parts.peers.put(row)
            parts.commits.add(c.StorePeer(row), asker)
        case cmd.TrustPeer():
            _trust(parts, command, asker, now)
        case cmd.RetryPeer():
            parts.peers.need_accepted(command.peer)
            parts.links.dial(command.peer, now, at_once=True)
            parts.reply(asker, cmd.Done())


def add_peer(parts: Parts, command: cmd.AddPeer, asker: ReplyTo | None) -> None:
    """Know a peer at a typed address; the one that is there already only gets a new name."""
    parts.commits.add(c.StorePeer(_peer_to_add(parts, command)), asker)
    if asker:
        parts.adding.add(asker)


def _peer_to_add(parts: Parts, command: cmd.AddPeer) -> PeerRow:
    host = parse_host(command.host)
    if not 1 <= command.port <= 65535:
        raise CommandError(ErrorCode.INVALID, "A port is a number from 1 to 65535.")
    name = _name(command.name) if command.name else ""
    known = parts.peers.typed_at(host, command.port)
    if known:
        return msgspec.structs.replace(known, name=name or known.name)
    if any((host, command.port) == (row.host, row.port) for row in parts.commits.new_peers()):
        raise CommandError(ErrorCode.BUSY, "That address is being added already; try again.")
    if parts.full:
        raise CommandError(ErrorCode.BUSY, f"A session holds at most {MAX_PEERS} peers.")
    row = PeerRow(0, name or show_address(host, command.port), host, command.port)
    rows = [*parts.peers, *parts.peers.leaving.values()]
    taken = parts.commits.keys_on_the_way() | {peer.key for peer in rows}
    return parts.known.adopt(row, parts.config.session.key, taken)


def _name(name: str) -> str:
    name = name.strip()
    if not name.isprintable() or not 1 <= len(name.encode()) <= MAX_DISPLAY_NAME_BYTES:
        raise CommandError(ErrorCode.INVALID, "A name has 1 to 64 printable bytes.")
    return name


def _trust(parts: Parts, command: cmd.TrustPeer, asker: ReplyTo, now: Now) -> None:
    row = parts.peers.need(command.peer)
    match command.decision:
        case "verified" if row.key and row.trust != Trust.PENDING:
            row = msgspec.structs.replace(row, trust=Trust.VERIFIED)
        case "unverified" if row.key and row.trust in TRUSTED:
            row = msgspec.structs.replace(row, trust=Trust.PINNED)
        case "keep" if command.key and command.key == row.offered_key:
            refused = [*row.refused_keys, command.key][-MAX_REFUSED_KEYS:]
            row = msgspec.structs.replace(row, offered_key=b"", refused_keys=refused)
        case "keep" if command.key in row.refused_keys:
            pass
        case "accept" if row.trust == Trust.PENDING:
            row = msgspec.structs.replace(row, trust=Trust.PINNED)
        case "accept" if row.trust == Trust.INVITED and row.host and not row.key:
            parts.close_invite(row.peer)
            row = msgspec.structs.replace(row, trust=Trust.NONE)
            parts.links.restart(row.peer, now)
        case "replace" if command.key and command.key in (row.offered_key, *row.refused_keys):
            _check_key_is_free(parts, row, command.key)
            number = safety_number(parts.config.session.key, command.key)
            row = msgspec.structs.replace(
                row,
                key=command.key,
                offered_key=b"",
                refused_keys=[key for key in row.refused_keys if key != command.key],
                trust=Trust.PINNED,
                safety_number=number,
            )
            parts.known.vouch(row.peer)
            parts.links.restart(row.peer, now)
        case "verified" | "unverified" | "accept" | "keep" | "replace":
            raise CommandError(
                ErrorCode.NOT_ALLOWED, f"{row.name} has no key to which that applies."
            )
        case _:
            raise CommandError(
                ErrorCode.INVALID,
                "A decision is 'verified', 'unverified', 'accept', 'keep' or 'replace'.",
            )
    parts.peers.put(row)
    parts.commits.add(c.StorePeer(row), asker)


def _check_key_is_free(parts: Parts, row: PeerRow, key: bytes) -> None:
    """A key belongs to one peer. Raises CommandError when the offered one has an owner."""
    owner = parts.peers.by_key(key)
    if owner == row:
        return  # known_peers does not vouch for it any more
    if owner and owner.trust == Trust.PENDING:
        sentence = f"That key is asking to be accepted as {owner.name}: remove that request first."
        raise CommandError(ErrorCode.NOT_ALLOWED, sentence)
    if owner:
        sentence = f"That key is {owner.name}'s: {owner.name} answers at the address of {row.name}."
        raise CommandError(ErrorCode.NOT_ALLOWED, sentence)
    if key in parts.commits.keys_on_the_way(of_others_than=row.peer):
        raise CommandError(ErrorCode.BUSY, "That key is being stored for a peer; try again.")


def _accept_transfer(parts: Parts, command: cmd.AcceptTransfer, asker: ReplyTo, now: Now) -> None:
    """One that ended long ago is read from the store first."""
    _check_id(command.id)
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
