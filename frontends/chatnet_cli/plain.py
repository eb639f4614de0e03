"""The chat for pipes: each line of input is a message, what happens is printed a line each."""

import queue
import threading

from chatnet_cli.environment import Environment, ExitStatus
from chatnet_cli.room import Room
from chatnet_client.client import new_id
from chatnet_client.client_events import ClientEvent
from chatnet_client.threaded import ThreadedClient
from chatnet_protocol.limits import MAX_TEXT_BYTES

MAX_WAITING = 1000
"""Lines and events between the threads; whoever brings more has to wait."""
MAX_UNDER_WAY = 256
"""Lines read and not durable yet; meanwhile the input is read no further."""

Item = ClientEvent | str | None


def run(env: Environment, wanted_peer: str | None, connection_file: str) -> ExitStatus:
    """Until the input ends and all of it is durable, or the engine refuses."""
    inbox: queue.Queue[Item] = queue.Queue(MAX_WAITING)
    client = ThreadedClient(connection_file, inbox.put, name="cli", keep_up=True)
    permits = threading.Semaphore(MAX_UNDER_WAY)
    reader = threading.Thread(target=_read, args=(env, inbox, permits), daemon=True)
    room = Room(wanted_peer, watched=env.stdout_is_tty, new_id=new_id, has_line=False)
    client.start()
    reading = ended = False
    try:
        while not room.done and not (ended and room.is_settled):
            item = inbox.get()
            if item is None:
                ended = True
            elif isinstance(item, str):
                room.send_text(item)
            else:
                before = room.unanswered
                room.handle_event(item)
                if room.unanswered < before:
                    permits.release(before - room.unanswered)
            if room.number and not reading:
                reading = True
                reader.start()
            for command in room.take_commands():
                client.send(command)
            for line in room.take_lines():
                (env.say if line.style == "error" else env.out)(line.text)
    finally:
        # The client's thread may wait for room in the queue; nobody reads it any more.
        closing = threading.Thread(target=client.close)
        closing.start()
        while closing.is_alive():
            try:
                inbox.get(timeout=0.05)
            except queue.Empty:
                continue
    return ExitStatus.FAILED if room.failed else ExitStatus.DONE


def _read(env: Environment, inbox: "queue.Queue[Item]", permits: threading.Semaphore) -> None:
    while True:
        line = env.stdin.readline(MAX_TEXT_BYTES)
        if not line:
            break
        if line.strip("\n"):
            permits.acquire()
            inbox.put(line.removesuffix("\n"))
    inbox.put(None)
