"""What lines that begin with a slash do in a chat. Pure but for looking at the files named."""

import argparse
import os
import shlex
from collections.abc import Callable

import msgspec

from chatnet_cli import render, targets
from chatnet_cli.arguments import allowed_size_of
from chatnet_cli.chat_model import ChatModel
from chatnet_cli.environment import Failure, UsageError
from chatnet_cli.hints import IN_CHAT
from chatnet_cli.verbs.own import folder_of, limit_of
from chatnet_client.words import guess_words, is_open
from chatnet_client.words.consent import consent_words
from chatnet_client.words.numbers import gauge_words, limit_words
from chatnet_protocol.ipc.commands import (
    AcceptTransfer,
    AnswerRestore,
    AskRestore,
    CancelTransfer,
    Command,
    FetchHistory,
    OfferFiles,
    PauseTransfer,
    RejectTransfer,
    ResumeTransfer,
    SetPeer,
    SetSession,
    StopEngine,
    WithdrawMessage,
)
from chatnet_protocol.ipc.rows import (
    ENDED_TRANSFER_STATES,
    LinkState,
    MessageKind,
    MessageRow,
    TransferRow,
    TransferState,
)
from chatnet_protocol.ipc.view import message_state
from chatnet_protocol.limits import MAX_HISTORY_ROWS

HELP = (
    "/file PATH...     send files or folders; quote names with spaces",
    "/accept [ID]      accept offered files       /reject [ID]   refuse them",
    "/always [SIZE]    accept files of this peer up to SIZE without asking; 0: always ask",
    "/pause [ID]  /resume [ID]  /cancel [ID]     the transfer under way",
    "/reply [#ACK] TEXT  answer the newest message, or the one with that ACK number",
    "/withdraw [NO]    take back your last text, if it was not sent yet",
    "/inspect [NO|#ACK]  all that is known of a message: packets, times, ACK number",
    "/peers            list peers                 /peer NAME     another conversation",
    "/history [N]      older messages            /search TEXT   find messages",
    "/restore [stop]   ask for messages lost here, or stop asking",
    "/give             send a peer the messages it asks for     /refuse  do not",
    "/block            nothing of this peer arrives any more    /unblock  it does again",
    "/name [NAME]      the name that others see   /inbox [FOLDER]  where received files land",
    "/limit [RATE]     how fast files may move; none: as fast as they can",
    "/status           link and transfers",
    "/quit             leave; the engine keeps running",
    "/stop             end the engine too",
    "//...             a message that begins with a slash",
    "Enter sends, Alt+Enter begins a new line, Tab completes, Ctrl+Z suspends.",
)
COMMANDS = (
    "accept",
    "always",
    "block",
    "cancel",
    "file",
    "give",
    "help",
    "history",
    "inbox",
    "inspect",
    "limit",
    "name",
    "pause",
    "peer",
    "peers",
    "quit",
    "refuse",
    "reject",
    "reply",
    "restore",
    "resume",
    "search",
    "status",
    "stop",
    "unblock",
    "withdraw",
)
ON_TRANSFERS: dict[str, tuple[Callable[[bytes], Command], frozenset[str]]] = {
    "accept": (AcceptTransfer, frozenset({TransferState.OFFERED})),
    "reject": (RejectTransfer, frozenset({TransferState.OFFERED})),
    "pause": (PauseTransfer, frozenset({TransferState.ACTIVE, TransferState.WAITING})),
    "resume": (ResumeTransfer, frozenset({TransferState.PAUSED})),
    "cancel": (CancelTransfer, frozenset(set(TransferState) - ENDED_TRANSFER_STATES)),
}


def handle_line(model: ChatModel, line: str, new_id: Callable[[], bytes]) -> None:
    """Send what was written, or do what it says."""
    if not line.strip():
        return
    if line.startswith("//"):
        model.send_text(line[1:])
    elif line.startswith("/"):
        word, _, rest = line[1:].partition(" ")
        try:
            _do(model, word.lower(), rest.strip(), new_id)
        except (Failure, UsageError) as error:
            model.say(str(error), "error")
    else:
        model.send_text(line)


def _do(model: ChatModel, word: str, rest: str, new_id: Callable[[], bytes]) -> None:
    view = model.mirror.view
    if word in ("quit", "exit"):
        model.done = True
    elif word == "help":
        for line in HELP:
            model.say(line)
    elif view is None:
        raise Failure("Not attached yet.")
    elif word == "file":
        model.ask(OfferFiles(new_id(), model.number, _paths(rest)))
    elif word in ON_TRANSFERS:
        make, states = ON_TRANSFERS[word]
        model.ask(make(_transfer(model, word, rest, states).id))
    elif word == "always":
        _always(model, rest)
    elif word == "reply":
        number, text = _answer_in(rest)
        model.send_text(text, _answered(model, number).id)
    elif word == "inspect":
        _inspect(model, rest)
    elif word == "withdraw":
        if rest or not model.take_back_kept():
            model.ask(WithdrawMessage(_never_sent(model, rest).id, model.number))
    elif word in ("name", "inbox", "limit"):
        _own(model, word, rest)
    elif word == "peers":
        for peer in view.peers:
            mark = "*" if peer.info.peer == model.number else " "
            name = render.peer_name(peer.info)
            model.say(f"{mark} {peer.info.peer} {name} · {render.link_words(peer)}")
    elif word == "peer":
        model.switch(targets.find_peer(view, rest or None, IN_CHAT).info.peer)
    elif word in ("block", "unblock"):
        if rest:
            raise UsageError(f"/{word} stands alone: it is about the peer of this conversation.")
        model.ask(SetPeer(model.number, blocked=word == "block"))
    elif word == "history":
        if rest and not rest.isdigit():
            raise UsageError("/history takes a number.")
        limit = min(int(rest or 50), MAX_HISTORY_ROWS)
        model.ask(FetchHistory(peer=model.number, limit=limit))
    elif word == "search":
        if not rest:
            raise UsageError("/search takes a text.")
        model.ask(FetchHistory(peer=model.number, search=rest))
    elif word == "restore":
        if rest not in ("", "stop"):
            raise UsageError("/restore stands alone, or /restore stop.")
        model.ask(AskRestore(model.number, wanted=not rest))
    elif word in ("give", "refuse"):
        model.ask(AnswerRestore(model.number, consent=word == "give"))
    elif word == "status":
        _status(model)
    elif word == "stop":
        model.ask(StopEngine("asked to stop from the terminal"))
        model.done = True
    else:
        guess = guess_words(word, COMMANDS, "/")
        raise UsageError(f"There is no /{render.escape_line(word)}.{guess} See /help.")


def _always(model: ChatModel, words: str) -> None:
    """Show or choose up to which size files arrive without a question; what waits and fits is
    accepted. Raises UsageError, Failure."""
    peer, view = model.peer, model.mirror.view
    if peer is None or view is None:
        raise Failure("Not attached yet.")
    if not words:
        model.say(f"Files from {render.peer_name(peer.info)} are {consent_words(peer.info)}.")
        return
    try:
        size = allowed_size_of(words)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{render.escape_line(str(error))}.") from None
    model.ask(SetPeer(model.number, auto_accept_bytes=size))
    for row in view.transfers:
        waits = row.state == TransferState.OFFERED and not row.mine
        if waits and row.peer == model.number and row.size_bytes <= size:
            model.ask(AcceptTransfer(row.id))


def _own(model: ChatModel, word: str, rest: str) -> None:
    """Show or change the own name, the folder of received files, or the limit of files."""
    assert model.mirror.view is not None
    session = model.mirror.view.session
    if rest:
        match word:
            case "name":
                model.ask(SetSession(display_name=rest))
            case "inbox":
                model.ask(SetSession(inbox=folder_of(rest)))
            case _:
                model.ask(SetSession(limit_bytes_s=limit_of(rest)))
    elif word == "name":
        model.say(render.own_name_line(session.display_name))
    else:
        inbox = word == "inbox"
        line = render.inbox_line(session.inbox) if inbox else limit_words(session.limit_bytes_s)
        model.say(line)


def _paths(words: str) -> list[str]:
    """The files and folders that `/file` names: one path as it stands, or several, quoted as in a
    shell. Raises UsageError, Failure."""
    if not words:
        raise UsageError("/file takes the path of a file or folder.")
    paths = [words]
    if not os.path.exists(os.path.expanduser(words)):
        try:
            paths = shlex.split(words)
        except ValueError:
            raise UsageError("A quotation mark is missing.") from None
    for path in paths:
        if not os.path.exists(os.path.expanduser(path)):
            raise Failure(f"{render.escape_line(path) or 'The file'} does not exist.")
    return [os.path.abspath(os.path.expanduser(path)) for path in paths]


def _transfer(model: ChatModel, word: str, wanted: str, states: frozenset[str]) -> TransferRow:
    assert model.mirror.view is not None
    if wanted:
        return targets.find_transfer(model.mirror.view, wanted, IN_CHAT)
    found = [
        row
        for row in model.mirror.view.transfers
        if row.peer == model.number
        and row.state in states
        and (row.state != TransferState.OFFERED or not row.mine or len(states) > 1)
    ]
    if not found:
        raise Failure("There is no such transfer now.")
    if len(found) > 1:
        numbers = ", ".join(str(row.no) for row in found)
        raise UsageError(f"Several are possible: {numbers}. Use /{word} NUMBER.")
    return found[0]


def _answer_in(words: str) -> tuple[str, str]:
    """(ACK number or nothing, text) of a /reply. Raises UsageError."""
    number, text = "", words
    if words.startswith("#"):
        number, _, text = words[1:].partition(" ")
    if not text.strip():
        raise UsageError("/reply takes a text; the newest message of the other side is answered.")
    return number, text.strip()


def _answered(model: ChatModel, number: str) -> MessageRow:
    """The peer's message with that ACK number, or the newest. Raises Failure."""
    for row in reversed(model.peer.messages if model.peer else []):
        if not row.mine and number in ("", str(row.ack)):
            return row
    if not number:
        raise Failure("There is no message yet that could be answered.")
    raise Failure(f"No message with ACK {render.escape_line(number)} is among the last ones.")


def _inspect(model: ChatModel, wanted: str) -> None:
    """Print what is known of the message of that number, of the peer's with that ACK number, or of
    the newest. Raises Failure."""
    peer = model.peer
    for row in reversed(peer.messages if peer else []):
        if peer and wanted in ("", str(row.no), "" if row.mine else f"#{row.ack}"):
            model.transcript.inspect(row, peer)
            return
    if not wanted:
        raise Failure("There is no message yet.")
    raise Failure(f"No message {render.escape_line(wanted)} is among the last ones.")


def _never_sent(model: ChatModel, wanted: str) -> MessageRow:
    """The own text of that number, or the newest, that looks as if it had never been sent."""
    peer = model.peer
    for row in reversed(peer.messages if peer else []):
        waits = row.kind == MessageKind.TEXT and peer and message_state(row, peer) == "queued"
        if waits and wanted in ("", str(row.no)):
            return row
    which = f"as message {render.escape_line(wanted)}" if wanted else "to be sent"
    raise Failure(f"No text of yours waits {which}.")


def _status(model: ChatModel) -> None:
    view, peer = model.mirror.view, model.peer
    if view is None or peer is None:
        return
    session = view.session
    model.say(f"session {session.name} · port {session.port} · log {session.log}")
    model.say(f"{render.peer_name(peer.info)} · {render.link_words(peer)} · {peer.link.address}")
    gauge = model.mirror.link_gauge(model.number)
    if gauge is not None and peer.link.state == LinkState.UP:
        numbers = gauge_words(msgspec.structs.asdict(gauge))
        model.say(" · ".join([*numbers, f"{gauge.waiting} waiting"]))
    for row in view.transfers:
        if row.state not in ENDED_TRANSFER_STATES:
            name = render.name_in(view, row.peer)
            model.say(render.transfer_line(row, model.mirror.progress(row), name, IN_CHAT))
    for line in (render.asking_line(peer, IN_CHAT), render.giving_line(peer, IN_CHAT)):
        if line and is_open(peer.restore):
            model.say(line)
    model.say("attached: " + ", ".join(render.escape_line(row.name) for row in view.clients))
