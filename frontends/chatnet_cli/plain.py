"""The chat line by line: for pipes, and for terminals that know no escape sequences.

From a pipe each line is a message, whatever it begins with. A person's lines may be commands; the
terminal itself does the editing then, as in any program that reads lines.
"""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from chatnet_cli.chat_model import ChatModel
from chatnet_cli.environment import Environment, ExitStatus
from chatnet_cli.hints import AS_VERBS, IN_CHAT
from chatnet_cli.slash import handle_line
from chatnet_client.client import new_id
from chatnet_client.client_events import ClientEvent
from chatnet_client.threaded import ThreadedClient
from chatnet_client.words import LEAVING
from chatnet_protocol.limits import MAX_TEXT_BYTES
from chatnet_protocol.text import typed_text

MAX_WAITING = 1000
"""Lines and events between the threads; a thread that adds more has to wait."""
MAX_UNDER_WAY = 256
"""Lines read and not durable yet; meanwhile the input is read no further."""
LOOK_S = 1.0
"""How often to look whether anybody reads the output, while there is none."""


@dataclass(frozen=True, slots=True)
class InputEnded:
    """There is no further line; `problem` says why, unless the input simply ended."""

    problem: str = ""


Item = ClientEvent | InputEnded | str


def run(env: Environment, wanted_peer: str | None, connection_file: str) -> ExitStatus:
    """Until the input ends and all of it is durable, or the engine refuses."""
    typed = env.stdin_is_tty
    inbox: queue.Queue[Item] = queue.Queue(MAX_WAITING)
    client = ThreadedClient(connection_file, inbox.put, name="cli", keep_up=True)
    permits = threading.Semaphore(MAX_UNDER_WAY)
    reader = threading.Thread(target=_read, args=(env, inbox, permits), daemon=True)
    model = ChatModel(
        wanted_peer,
        watched=env.stdout_is_tty,
        new_id=new_id,
        has_line=False,
        hints=IN_CHAT if typed else AS_VERBS,
    )
    client.start()
    reading = ended = False
    try:
        while not model.done and not (ended and model.is_settled):
            item = _next(env, inbox)
            before = model.unanswered
            if isinstance(item, InputEnded):
                ended = True
                if item.problem:
                    model.fail(item.problem)
            elif isinstance(item, str):
                (_handle_typed if typed else _send)(model, item)
                if model.unanswered == before:
                    permits.release()
            else:
                model.handle_event(item)
                if model.unanswered < before:
                    permits.release(before - model.unanswered)
            if model.number and not reading:
                reading = True
                reader.start()
            for command in model.take_commands():
                client.send(command)
            for line in model.take_lines():
                (env.say if line.style == "error" else env.out)(str(line))
    finally:
        # The client's thread may wait for space in the queue; nobody reads it any more.
        closing = threading.Thread(target=client.close)
        closing.start()
        while closing.is_alive():
            try:
                inbox.get(timeout=0.05)
            except queue.Empty:
                continue
    if typed and not model.failed:
        env.say(LEAVING)
    return ExitStatus.FAILED if model.failed else ExitStatus.DONE


def _next(env: Environment, inbox: "queue.Queue[Item]") -> Item:
    """Wait for one. Raises BrokenPipeError when nobody reads the output any more."""
    while True:
        try:
            return inbox.get(timeout=LOOK_S)
        except queue.Empty:
            if env.reader_is_gone():
                raise BrokenPipeError from None


def _send(model: ChatModel, line: str) -> None:
    model.send_text(line)


def _handle_typed(model: ChatModel, line: str) -> None:
    handle_line(model, typed_text(line), new_id)


def lines_of(env: Environment) -> Iterator[str]:
    """The lines of the input that say something, without their ends (LF or CRLF).

    A line too long for one message comes as several.
    """
    while line := env.read_line(MAX_TEXT_BYTES):
        text = line.removesuffix("\n").removesuffix("\r")
        if text.strip():
            yield from _pieces(text)


def _pieces(text: str) -> Iterator[str]:
    data = text.encode()
    while len(data) > MAX_TEXT_BYTES:
        piece = data[:MAX_TEXT_BYTES].decode("utf-8", "ignore")
        yield piece
        data = data[len(piece.encode()) :]
    yield data.decode()


def _read(env: Environment, inbox: "queue.Queue[Item]", permits: threading.Semaphore) -> None:
    problem = ""
    try:
        for line in lines_of(env):
            permits.acquire()
            inbox.put(line)
    except OSError as error:
        problem = f"The input cannot be read: {error.strerror or error}."
    except Exception as error:  # noqa: BLE001 - whatever ends this thread ends the chat
        problem = f"Reading the input failed because of a bug in ChatNet: {error!r}."
    inbox.put(InputEnded(problem))
