"""The conversation that `demo` plays without a display: every line shown as its side sees it."""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from chatnet_cli import render
from chatnet_cli.environment import Environment, Failure
from chatnet_client.client import Client
from chatnet_client.client_events import Changed, Gauged
from chatnet_client.words import size_words
from chatnet_protocol.ipc.commands import FetchStatus, MarkRead, Status
from chatnet_protocol.ipc.events import LinkChanged, MessagesAdded, TransferChanged, TransferGauge
from chatnet_protocol.ipc.rows import LinkState, MessageRow, TransferState
from chatnet_protocol.ipc.view import message_state

LINES = (
    ("alice", "Hi! Every fifth packet between us is thrown away, both ways."),
    ("bob", "I noticed nothing. Each line shows once, in order, with its ACK number."),
    ("alice", "The ticks: queued here, sent, delivered at your side, read by you."),
    ("bob", "¡Claro! Grüße, 你好, שלום 👋 arrive byte for byte as well."),
    ("alice", "Send me something over TCP meanwhile?"),
    ("bob", "Here it comes."),
)
FILE_BYTES = 64 * 2**20
WITHIN_S = 60.0
TURN_S = 0.02
PROGRESS_STEP = 0.25
READING_S = 0.8
"""Between two lines, so that a viewer can read them."""


class Side:
    """One front end of the play."""

    def __init__(self, env: Environment, name: str, client: Client, start: float) -> None:
        self.name = name
        self.client = client
        self._env = env
        self._start = start
        self._states: dict[bytes, str] = {}
        self._reported = 0.0

    @property
    def number(self) -> int:
        """The other side's number here."""
        return self.client.view.peers[0].info.peer

    def turn(self) -> None:
        """Show what has happened at this side."""
        while (event := self.client.next_event(TURN_S)) is not None:
            if isinstance(event, Gauged) and isinstance(event.gauge, TransferGauge):
                self._progress(event.gauge.done_bytes / FILE_BYTES, event.gauge.rate_bytes_s)
            elif isinstance(event, Changed):
                self._changed(event)
        self._ticks()

    def is_up(self) -> bool:
        """Whether the link to the other side is up."""
        peers = self.client.view.peers
        return bool(peers) and peers[0].link.state == LinkState.UP

    def all_read(self) -> bool:
        """Whether the other side has read everything of ours."""
        return all(state == "read" for state in self._states.values())

    def say(self, text: str) -> None:
        """Send a line."""
        self._states[self.client.send_message(self.number, text)[0]] = ""

    def _changed(self, event: Changed) -> None:
        match event.event:
            case MessagesAdded(rows=rows):
                for row in rows:
                    if not row.mine:
                        self._message(row)
            case LinkChanged(row=row):
                words = "connected" if row.state == LinkState.UP else row.state
                self._show(f"-- {words} {row.address}".rstrip())
            case TransferChanged(row=row):
                name = render.name_in(self.client.view, row.peer)
                self._show(f"-- {render.where_words(row, name)}")
            case _:
                pass

    def _message(self, row: MessageRow) -> None:
        words = render.message_words(row)
        self._show(f"« {words}  [ACK {row.ack} · {row.source}]")
        self.client.request(MarkRead(self.number, row.ack))

    def _ticks(self) -> None:
        peer = self.client.view.peers[0] if self.client.view.peers else None
        for row in peer.messages if peer else []:
            state = message_state(row, peer) if row.mine and peer else ""
            if not state or self._states.get(row.id) == state:
                continue
            self._states[row.id] = state
            words = render.message_words(row)
            short = words if len(words) < 32 else words[:30] + "…"
            number = f" · ACK {row.ack}" if row.ack else ""
            tick = render.TICKS[state]
            self._show(f"» {short}  {tick if state in tick else f'{tick} {state}'}{number}")

    def _progress(self, done: float, rate_bytes_s: float) -> None:
        if done >= self._reported + PROGRESS_STEP:
            self._reported = done
            self._show(f"-- file {done:4.0%} at {size_words(rate_bytes_s)}/s")

    def _show(self, line: str) -> None:
        since = time.monotonic() - self._start
        indent = "" if self.name == "alice" else "    "
        self._env.out(f"{since:6.2f} s {self.name:5} {indent}{line}")


def play(env: Environment, alice_file: str, bob_file: str, folder: Path) -> None:
    """The whole play. Raises Failure when something does not happen in time."""
    start = time.monotonic()
    with (
        Client.attach(alice_file, name="demo") as at_alice,
        Client.attach(bob_file, name="demo") as at_bob,
    ):
        sides = {
            "alice": Side(env, "alice", at_alice, start),
            "bob": Side(env, "bob", at_bob, start),
        }
        _until(sides, lambda: all(side.is_up() for side in sides.values()))
        pause_s = READING_S if env.stdout_is_tty else 0.0
        for name, text in LINES:
            sides[name].say(text)
            _until(sides, sides[name].all_read)
            _pass(sides, pause_s)
        _send_file(sides, folder)
        lost = sum(_lost(side.client) for side in sides.values())
        env.out(f"{len(LINES)} lines and a file arrived, once and in order; {lost} packets lost.")


def _send_file(sides: dict[str, Side], folder: Path) -> None:
    path = folder / "holiday.bin"
    path.write_bytes(os.urandom(FILE_BYTES))
    bob, alice = sides["bob"], sides["alice"]
    bob.client.offer_files(bob.number, [str(path)])

    def landed() -> bool:
        rows = alice.client.view.transfers
        return bool(rows) and rows[0].state == TransferState.DONE

    _until(sides, landed)
    arrived = Path(alice.client.view.transfers[0].path)
    if _digest(arrived) != _digest(path):
        raise Failure("The file arrived, but not as it was sent.")


def _until(sides: dict[str, Side], holds: Callable[[], bool]) -> None:
    end = time.monotonic() + WITHIN_S
    while not holds():
        if time.monotonic() > end:
            raise Failure("The demo did not finish in time; try a line that loses less.")
        for side in sides.values():
            side.turn()


def _pass(sides: dict[str, Side], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for side in sides.values():
            side.turn()


def _lost(client: Client) -> int:
    facts = client.ask(FetchStatus(), Status).facts
    return int(facts.get("impair_lost", 0))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
