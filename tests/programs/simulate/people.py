"""What people do at their front ends, by seed: write, draft, read, type, send files, retry."""

from random import Random

from chatnet_protocol.ids import uuid7
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import LinkState, TransferRow
from simulate.world import World
from simworld.client import SimClient
from simworld.engine import SimEngine

WORDS = (
    "ja", "nein", "schön", "–", "你好", "مرحبا", "🎉", "the", "quick", "brown", "fox",
    "<b>bold</b>", "\x1b[31m", "C:\\temp", "%s", "e\u0301", "\u202egnirts",
)  # fmt: skip
LONG_BYTES = (2_000, 65_536)
SHORT_BYTES = 64 + 40
"""What a short text takes of a window."""
FILE_BYTES = (0, 9_000)
ENDED = frozenset({"done", "rejected", "cancelled", "failed"})


class People:
    """Everybody at once; the next thing happens some time after the last."""

    def __init__(self, world: World, random: Random, end_s: float, messages: int) -> None:
        self.world = world
        self.random = random
        self.end_s = end_s
        self.left = messages
        self.pause_s = (end_s - world.clock.now_s) / max(1, messages) * 3
        self.written = 0
        self._number = 0
        for engine in world.engines:
            self._later(engine)

    def _later(self, engine: SimEngine) -> None:
        wait = self.random.expovariate(1 / self.pause_s)
        self.world.clock.after(wait, lambda: self._act(engine))

    def _act(self, engine: SimEngine) -> None:
        if self.world.clock.now_s > self.end_s or self.left <= 0:
            return
        self._later(engine)
        client = self.random.choice(engine.clients)
        if client.view is None:
            return
        peers = client.view.peers
        if not peers:
            return
        shown = self.random.choice(peers)
        peer = shown.info.peer
        if shown.waiting * SHORT_BYTES > self.world.kind.window_bytes:
            self.world.counts["full window"] += shown.link.state == LinkState.UP
        if client.role == "read-only":
            self._try(client, peer)
            return
        kinds = ["text", "burst", "long", "draft", "draft and send", "mark", "typing", "file",
                 "transfer", "retry", "page", "withdraw", "policy"]  # fmt: skip
        weights = [30, 9, 2, 8, 5, 12, 6, 3, 5, 5, 3, 4, 1]
        if not self.world.kind.plain:
            kinds.append("used id")
            weights.append(2)
        kind = self.random.choices(kinds, weights)[0]
        getattr(self, "_" + kind.replace(" ", "_"))(client, peer)

    def _words(self) -> str:
        self._number += 1
        return f"{self._number} {' '.join(self.random.choices(WORDS, k=self.random.randint(1, 8)))}"

    def _answered(self, client: SimClient, peer: int) -> bytes:
        """Now and then a text answers a message: one of this conversation, of another, or none
        that there is."""
        if self.world.kind.plain or self._number % 3:
            return b""
        if self._number % 5 == 0:
            return self._number.to_bytes(16, "big")
        peers = client.view.peers if client.view else []
        near = [p for p in peers if p.info.peer == peer] if self._number % 7 else peers
        rows = [row for shown in near for row in shown.messages]
        return rows[self._number % len(rows)].id if rows else b""

    def _say(self, client: SimClient, peer: int, text: str) -> bytes:
        self.left -= 1
        self.written += 1
        self.world.note(client.name, f"writes {text[:30]!r} ({len(text)}) to peer {peer}")
        answers = self._answered(client, peer)
        self.world.counts["answers"] += bool(answers)
        return client.say(text, peer, answers)

    def _text(self, client: SimClient, peer: int) -> None:
        self._say(client, peer, self._words())

    def _burst(self, client: SimClient, peer: int) -> None:
        most = 80 if self.world.kind.small_windows else 25
        for _ in range(min(self.left, self.random.randint(3, most))):
            self._say(client, peer, self._words())

    def _long(self, client: SimClient, peer: int) -> None:
        words = self._words() + " "
        size = self.random.choice((LONG_BYTES[0], LONG_BYTES[0] * 3, LONG_BYTES[1]))
        size = min(size, self.world.kind.longest_text)
        text = (words * (size // len(words) + 1)).encode()[:size].decode(errors="ignore")
        self._say(client, peer, text)

    def _draft(self, client: SimClient, peer: int) -> None:
        assert client.view
        shown = client.view.peer(peer)
        base = shown.draft_revision if shown else 0
        client.ask(cmd.SetDraft(peer, self._words(), base))

    def _draft_and_send(self, client: SimClient, peer: int) -> None:
        assert client.view
        shown = client.view.peer(peer)
        if shown is None or not shown.draft:
            self._draft(client, peer)
            return
        self.left -= 1
        self.written += 1
        message_id = uuid7(self.world.clock.wall_ms, client.engine.random(10))
        client.ask(cmd.SendMessage(message_id, peer, shown.draft, shown.draft_revision))

    def _mark(self, client: SimClient, peer: int) -> None:
        assert client.view
        shown = client.view.peer(peer)
        if shown is not None:
            ack = self.random.randint(0, shown.last_ack + 1)
            kind = self.random.choice((cmd.MarkShown, cmd.MarkRead))
            client.ask(kind(peer, ack))

    def _typing(self, client: SimClient, peer: int) -> None:
        client.ask(cmd.SetTyping(peer, self.random.random() < 0.7))

    def _retry(self, client: SimClient, peer: int) -> None:
        """Two front ends of one person send the same message: it is the same message."""
        message_id = self._say(client, peer, self._words())
        text = client.unanswered.get(message_id)
        others = [c for c in client.engine.clients if c.role == "full"]
        if text is not None:
            answers = client.answers.get(message_id, b"")
            self.random.choice(others).insist(text, message_id, peer, answers)

    def _used_id(self, client: SimClient, peer: int) -> None:
        """A front end gives another text, or the same to another message, the id of one that
        there is."""
        assert client.view
        shown = client.view.peer(peer)
        own = [row for row in shown.messages if row.mine] if shown else []
        if own:
            self.world.counts["used id"] += 1
            used, words = self.random.choice(own), self._words()
            if self._number % 2:
                client.ask(cmd.SendMessage(used.id, peer, words))
            else:
                client.ask(cmd.SendMessage(used.id, peer, used.text, reply_to=used.id))

    def _withdraw(self, client: SimClient, peer: int) -> None:
        assert client.view
        shown = client.view.peer(peer)
        own = [row for row in shown.messages if row.mine] if shown else []
        if own:
            client.ask(cmd.WithdrawMessage(own[-1].id, peer))

    def _page(self, client: SimClient, peer: int) -> None:
        search = self.random.choice(("", "fox", "你"))
        client.ask(cmd.FetchHistory(peer, limit=self.random.randint(1, 300), search=search))
        assert client.view
        shown = client.view.peer(peer)
        for row in shown.messages[-1:] if shown else ():
            client.ask(cmd.FetchDelivery(peer, row.seq, row.ack))

    def _file(self, client: SimClient, peer: int) -> None:
        files = client.engine.files
        assert files
        self._number += 1
        names = [
            f"{client.engine.name}{self._number}-{k}" for k in range(self.random.randint(1, 3))
        ]
        data = {name: self.random.randbytes(self.random.randint(*FILE_BYTES)) for name in names}
        files.sources.update(data)
        offer_id = uuid7(self.world.clock.wall_ms, client.engine.random(10))
        if self._number % 2:
            client.ask(cmd.OfferFiles(offer_id, peer, [f"/home/{name}" for name in names]))
        else:  # in a folder, with an empty one beside it
            folder = f"{client.engine.name}{self._number}"
            files.process.folders.update({folder: names, f"{folder}-empty": []})
            data = {folder: b"".join(data.values()), f"{folder}-empty": b""}
            client.ask(cmd.OfferFiles(offer_id, peer, [f"/home/{name}" for name in data]))
        self.world.offered[client.engine.name][offer_id] = data
        client.ask(cmd.FetchSpace() if len(names) == 1 else cmd.CleanUp())

    def _transfer(self, client: SimClient, peer: int) -> None:
        assert client.view
        if not client.view.transfers:
            return
        row = self.random.choice(client.view.transfers)
        if not row.mine and (row.state in ENDED or row.state == "offered"):
            self._take(client, row)
            return
        kinds = (cmd.PauseTransfer, cmd.ResumeTransfer, cmd.ResumeTransfer)
        kind = self.random.choice((*kinds, cmd.CancelTransfer))
        client.ask(kind(row.id))
        if kind is cmd.CancelTransfer:
            self._act_elsewhere(client, row.id)

    def _act_elsewhere(self, client: SimClient, transfer_id: bytes) -> None:
        """At the same moment the people on the other side decide about it too."""
        full = [c for e in self.world.engines if e is not client.engine for c in e.clients]
        other = self.random.choice([c for c in full if c.role == "full"])
        kinds = (cmd.CancelTransfer, cmd.RejectTransfer, cmd.AcceptTransfer, cmd.RejectTransfer)
        if other.view and other.view.transfer(transfer_id):
            other.ask(self.random.choice(kinds)(transfer_id))

    def _take(self, client: SimClient, row: TransferRow) -> None:
        """Accept an offer, perhaps one that has ended, or say no to it."""
        if row.state == "offered" and self.random.random() < 0.3:
            client.ask(cmd.RejectTransfer(row.id))
            return
        if row.state in ENDED:
            self.world.counts["fetched again"] += 1
        self.world.note(client.name, f"accepts {row.name}, which is {row.state}")
        client.ask(cmd.AcceptTransfer(row.id))

    def _policy(self, client: SimClient, peer: int) -> None:
        """What arrives without a question."""
        client.ask(cmd.SetPeer(peer, auto_accept_bytes=self.random.choice((0, 0, 4_000, 1 << 28))))

    def _try(self, client: SimClient, peer: int) -> None:
        """A read-only front end tries what it may not."""
        message_id = uuid7(self.world.clock.wall_ms, client.engine.random(10))
        self.random.choice(
            (
                lambda: client.ask(cmd.SendMessage(message_id, peer, "not allowed")),
                lambda: client.ask(cmd.MarkRead(peer, 1)),
                lambda: client.ask(cmd.FetchHistory(peer)),
            )
        )()

    def resume_everything(self) -> None:
        """Nothing stays paused or unanswered, so that every transfer can end."""
        for engine in self.world.engines:
            client = next(client for client in engine.clients if client.role == "full")
            judged = {peer.info.peer for peer in self.world.judged(client)}
            for row in client.view.transfers if client.view else []:
                if row.peer not in judged:
                    if row.state not in ENDED:  # they would take the places of the others
                        client.ask(cmd.CancelTransfer(row.id))
                elif row.state == "paused":
                    client.ask(cmd.ResumeTransfer(row.id))
                elif row.state == "offered" and not row.mine:
                    self._take(client, row)
