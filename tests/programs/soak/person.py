"""One person at a front end, in a process of its own that may be killed at any moment.

python -m soak.person CONNECTION_FILE FOLDER NAME SEED: writes texts, drafts, marks, and offers
files, until SIGTERM. Its tape, the files it offers and what it knows of them lie in FOLDER.
"""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from random import Random
from types import FrameType

from chatnet_client.client import Client, new_id
from chatnet_client.errors import EngineUnreachable, RequestTimeout
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import ENDED_TRANSFER_STATES, TransferKind, TransferState
from soak import nightly
from soak.recording import attach_taped

WORDS = ("ja", "nein", "schön", "–", "你好", "مرحبا", "🎉", "the", "quick", "<b>", "\x1b[31m", "%s")
LONG_BYTES = 20_000
MAX_WAITING = 60
"""Own messages not yet delivered; above it a person waits for the line."""
MAX_TRANSFERS = 4
"""Own transfers under way."""
FILE_BYTES = (0, 1000, 60_000, 1_000_000, 8_000_000, 32_000_000)
PAUSE_S = 0.03
NIGHTS = 0.1
"""How often somebody who could offer the nightly folder does."""
REJECTED, CANCELLED, FAILED = (
    TransferState.REJECTED, TransferState.CANCELLED, TransferState.FAILED,
)  # fmt: skip


class Person:
    """Acts by seed; what it says is different from everything else that is ever said."""

    def __init__(self, connection_file: str, folder: Path, name: str, seed: str) -> None:
        self.connection_file = connection_file
        self.folder = folder
        self.name = name
        self.random = Random(seed)
        self.leaving = False
        self.count = 0

    def leave(self, number: int, frame: FrameType | None) -> None:
        """A signal: finish what is under way."""
        self.leaving = True

    def live(self) -> None:
        """Until told to leave; engines that go are waited for."""
        while not self.leaving:
            try:
                tape = self.folder / f"{self.name}.tape"
                client = attach_taped(self.connection_file, self.name, tape, 30.0)
            except EngineUnreachable:
                continue
            with client:
                while not self.leaving:
                    self.act(client)
                    client.next_event(self.random.uniform(0, 2 * PAUSE_S))

    def act(self, client: Client) -> None:
        """One thing."""
        kinds = [self.draft, self.mark, self.file, self.nightly]
        if client.view.peers[0].waiting < MAX_WAITING:
            kinds = [self.text, self.burst, self.long, self.draft_sent, *kinds]
        try:
            self.random.choice(kinds)(client)
        except CommandError as error:
            # To be expected in these cases only: a full engine, a file process that starts.
            if error.code not in (ErrorCode.BUSY, ErrorCode.FILE):
                raise

    def words(self) -> str:
        """Something new."""
        self.count += 1
        some = " ".join(self.random.choices(WORDS, k=self.random.randint(1, 9)))
        return f"{self.name} {self.count} {some}"

    def insist(self, client: Client, command: cmd.Command) -> None:
        """Ask until it is answered, under the same id."""
        while True:
            try:
                client.request(command)
                return
            except RequestTimeout:
                if self.leaving:
                    return

    def say(self, client: Client, text: str, draft_revision: int = 0) -> None:
        """One message."""
        self.insist(client, cmd.SendMessage(new_id(), 1, text, draft_revision))

    def text(self, client: Client) -> None:
        self.say(client, self.words())

    def burst(self, client: Client) -> None:
        for _ in range(self.random.randint(2, 12)):
            self.say(client, self.words())

    def long(self, client: Client) -> None:
        size = self.random.randint(1000, LONG_BYTES)
        text = self.words() + " "
        self.say(client, (text * (size // len(text) + 1))[: size // 2])

    def draft(self, client: Client) -> None:
        base = client.view.peers[0].draft_revision
        self.insist(client, cmd.SetDraft(1, self.words(), base))

    def draft_sent(self, client: Client) -> None:
        peer = client.view.peers[0]
        if peer.draft:
            self.say(client, f"{self.words()}: {peer.draft}", peer.draft_revision)

    def mark(self, client: Client) -> None:
        last_ack = client.view.peers[0].last_ack
        self.insist(client, self.random.choice((cmd.MarkShown, cmd.MarkRead))(1, last_ack))
        self.insist(client, cmd.SetTyping(1, self.random.random() < 0.5))

    def file(self, client: Client) -> None:
        """Offer a file of its own name and content, and write down which."""
        rows = client.view.transfers
        if (
            sum(row.mine and row.state not in ENDED_TRANSFER_STATES for row in rows)
            >= MAX_TRANSFERS
        ):
            return
        self.count += 1
        name = f"{self.name}-{self.count}.bin"
        data = self.random.randbytes(int(self.random.choice(FILE_BYTES) * self.random.random()))
        path = self.folder / "files" / name
        path.write_bytes(data)
        offer = new_id()
        note = {"id": offer.hex(), "name": name, "digest": hashlib.blake2b(data).hexdigest()}
        with (self.folder / f"{self.name}.offers").open("a") as notes:
            notes.write(json.dumps(note) + "\n")
        self.insist(client, cmd.OfferFiles(offer, 1, [str(path)]))

    def nightly(self, client: Client) -> None:
        """Offer the next state of a folder; let the other side's take the earlier one's place."""
        under_way = False
        for row in client.view.transfers:
            if row.kind != TransferKind.FOLDER or row.state in (REJECTED, CANCELLED, FAILED):
                continue
            if not row.mine and not row.updates_allowed:
                self.insist(client, cmd.AllowUpdates(row.id))
            under_way |= row.mine and row.state not in ENDED_TRANSFER_STATES
        if under_way or self.random.random() > NIGHTS:
            return
        states = self.folder / "states"
        earlier = sorted(states.glob(f"*/{nightly.NAME}"))
        top = states / f"{len(earlier):05}-{self.name}" / nightly.NAME
        digest = nightly.write_state(
            top, earlier[-1] if earlier else None, len(earlier), self.random
        )
        offer = new_id()
        with (self.folder / f"{self.name}.nights").open("a") as notes:
            notes.write(digest.hex() + "\n")
        self.insist(client, cmd.OfferFiles(offer, 1, [str(top)], update=True))


def main(connection_file: str, folder: str, name: str, seed: str) -> int:
    """The process."""
    person = Person(connection_file, Path(folder), name, seed)
    signal.signal(signal.SIGTERM, person.leave)
    os.makedirs(person.folder / "files", exist_ok=True)
    person.live()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
