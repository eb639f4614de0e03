"""Queues many messages through one front end, many of them under way at a time."""

import threading
from collections.abc import Sequence

from chatnet_client.client_events import Answered, ClientEvent
from chatnet_client.threaded import ThreadedClient
from chatnet_protocol.ipc.commands import SendMessage

UNDER_WAY = 256
"""Well below what a client may have waiting."""
ANSWER_S = 60.0


def queue_texts(
    connection_file: str,
    peer: int,
    texts: Sequence[str],
    salt: int = 0,
    under_way: int = UNDER_WAY,
) -> None:
    """Send all texts in order; returns when each is durable. `salt` keeps ids conflicted."""
    room = threading.Semaphore(under_way)
    errors: list[str] = []

    def on_event(event: ClientEvent) -> None:
        if isinstance(event, Answered):
            if event.error is not None or event.timed_out:
                errors.append(str(event.error or "timed out"))
            room.release()

    client = ThreadedClient(connection_file, on_event, name="backlog")
    client.start()
    try:
        for number, text in enumerate(texts):
            assert room.acquire(timeout=ANSWER_S), "the engine stopped answering"
            message_id = ((salt << 64) | number).to_bytes(16)
            client.send(SendMessage(message_id, peer, text), timeout_s=ANSWER_S)
        for _ in range(under_way):
            assert room.acquire(timeout=ANSWER_S), "the engine stopped answering"
    finally:
        client.close()
    assert not errors, errors[:3]
