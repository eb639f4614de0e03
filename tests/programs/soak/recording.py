"""The raw frames of a real front end, written down as they cross its sockets.

Every frame is one record in a file, written before the frame is used, so that a tape is good up to
the moment at which its front end is killed.
"""

import os
import struct
from pathlib import Path

from chatnet_client.attach import AttachMachine
from chatnet_client.channel import Channel
from chatnet_client.client import Client
from chatnet_client.driver import Driver, clock
from chatnet_client.errors import EngineUnreachable
from chatnet_protocol.ipc.envelope import TOPIC_EVENTS
from chatnet_protocol.ipc.rows import ClientRole
from checker.tapes import Tape

HEAD = struct.Struct(">BI")
KINDS = ("asked", "reply", "told")


class TapedChannel(Channel):
    """A channel that writes down what passes."""

    def __init__(self, connection_file: str, tape: Path) -> None:
        super().__init__(connection_file)
        self._tape = os.open(tape, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def send(self, frame: bytes) -> None:
        self._write("asked", frame)
        super().send(frame)

    def take_replies(self) -> list[bytes]:
        frames = super().take_replies()
        for frame in frames:
            self._write("reply", frame)
        return frames

    def take_publications(self) -> list[tuple[bytes, bytes]]:
        publications = super().take_publications()
        for topic, frame in publications:
            if topic == TOPIC_EVENTS:
                self._write("told", frame)
        return publications

    def close(self) -> None:
        super().close()
        os.close(self._tape)

    def _write(self, kind: str, frame: bytes) -> None:
        os.write(self._tape, HEAD.pack(KINDS.index(kind), len(frame)) + frame)


def attach_taped(connection_file: str, name: str, tape: Path, timeout_s: float) -> Client:
    """An attached client with a tape. Raises EngineUnreachable when that takes too long."""
    driver = Driver(AttachMachine(name, ClientRole.FULL), TapedChannel(connection_file, tape))
    client = Client(driver)
    until = clock() + timeout_s
    try:
        while not client.mirror.live:
            if clock() >= until:
                raise EngineUnreachable("The engine does not answer.")
            client.next_event(0.2)
    except BaseException:
        driver.channel.close()
        raise
    return client


def read_tape(path: Path) -> Tape:
    """Everything but a last record that was cut off."""
    tape = Tape(path.stem, "full")
    data = memoryview(path.read_bytes())
    at = 0
    while at + HEAD.size <= len(data):
        kind, size = HEAD.unpack_from(data, at)
        at += HEAD.size
        if at + size > len(data):
            break
        tape.frames.append((0, KINDS[kind], bytes(data[at : at + size])))
        at += size
    return tape
