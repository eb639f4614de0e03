"""One engine as front ends see it, and the peers it talks to: all of it the product's own rules.

The node and the ledger are the product's, in simulated time. What a peer does is done by calling a
verb here: `peer_sends`, `peer_reads`, `peer_offers`, `cut`, `peer_leaves`. A verb returns once a
front end could know of what it did.

    world = LocalWorld()                      # session "12345", peer 1 "bob", its link is up
    world.peer_sends("hello")
    reply = world.ask(b"client", frame)       # as a front end's request on the ROUTER socket
    world.take_publications()                 # what went out on PUB since the last time
"""

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.people import people
from chatnet_engine.secure.safety_number import safety_number
from chatnet_protocol import codec
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ids import uuid7
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import LinkState, MessageRow, PeerRow, TransferRow, TransferState
from chatnet_protocol.ipc.view import PeerView, View
from chatnet_protocol.version import IPC_VERSION
from scripted_peer import ScriptedPeer
from served_engine import HERE, ServedEngine
from simworld.clock import Clock
from simworld.disk import memory
from simworld.files import FilesNet
from simworld.network import Line, Network

vars(people)["safety_number"] = lru_cache(safety_number)
"""The keys of these worlds are always the same, and each number costs 5 ms."""
WITHIN_S = 30.0
"""Simulated: a verb whose effect is not there by then has failed."""
SILENT_S = 20.0
"""After so long on a cut line both ends know."""
NOBODY = ReplyTo(b"", 0)
WINDOW = b"window"
"""The routing id of another front end."""
Instead = cmd.Result | CommandError | Callable[[cmd.Command], cmd.Result | None]


def link_gauge(peer: int = 1, **values: Any) -> ev.LinkGauge:
    """Statistics of a calm link, but for the named ones."""
    calm: dict[str, Any] = dict.fromkeys(ev.LinkGauge.__struct_fields__, 0)
    return ev.LinkGauge(**(calm | {"rtt_ms": 25.0, "bursty": False, "peer": peer} | values))


class LostFrame(Exception):
    """Raised by what answers in the engine's place: the request is lost in flight."""


class LocalWorld:
    """An engine for tests of front ends, its peers and the time of all of them."""

    def __init__(self, peers: int = 1, session: str = "12345") -> None:
        self.clock = Clock(seed=1)
        self.network = Network(self.clock, Line(delay_s=0.0))
        self.files = FilesNet(self.clock)
        self.engine = ServedEngine(self.clock, self.network, self.files, session)
        self.seen: list[cmd.Command] = []
        """Every command that arrived."""
        self.instead: dict[type, Instead] = {}
        """What is answered to commands of these types in the engine's place: a result, an error,
        or what a function returns; None from it leaves the answer to the engine."""
        self.then: dict[type, Callable[[LocalWorld], object]] = {}
        """What happens after each command of these types has been answered."""
        self._asked: dict[tuple[bytes, int], cmd.Command] = {}
        self._window_requests = 0
        self._happens: list[Callable[[LocalWorld], object]] = []
        self.peers: dict[int, ScriptedPeer] = {}
        self.engine.up()
        for number in range(1, peers + 1):
            self.add_peer(number)
        self.until(self._all_linked)
        self.engine.publications.clear()

    def _all_linked(self) -> bool:
        return all(
            (seen := self.view.peer(number)) is not None
            and seen.link.state == LinkState.UP and peer.client.view is not None
            and any(other.link.state == LinkState.UP for other in peer.client.view.peers)
            for number, peer in self.peers.items()
        )  # fmt: skip

    def add_peer(self, number: int) -> None:
        """Both know each other's addresses from now on. Files are asked about."""
        host, port = (f"10.0.0.{number}", 5000 + number)
        name = "bob" if number == 1 else f"peer{number}"
        self.do(cmd.AddPeer(host, port, name))
        self.until(lambda: self.view.peer(number) is not None)
        self.do(cmd.SetPeer(number, auto_accept_bytes=0))
        self.peers[number] = ScriptedPeer(number, self.clock, self.network, self.files)

    # --- time ---

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.run(self.clock.now_s + seconds)
        self._let_happen()

    def until(self, done: Callable[[], bool]) -> None:
        """Let time pass until that is so."""
        if not done():
            assert self.clock.run(self.clock.now_s + WITHIN_S, done), "it does not happen"

    def _let_happen(self) -> None:
        happens, self._happens = self._happens, []
        for then in happens:
            then(self)

    # --- what front ends see ---

    @property
    def view(self) -> View:
        """What every front end of this engine sees."""
        return self.engine.node.turn.publisher.view

    @property
    def head(self) -> envelope.Heartbeat:
        """How far the engine is."""
        return self.engine.node.turn.publisher.head()

    def peer(self, number: int = 1) -> PeerView:
        """One peer as front ends see it."""
        peer = self.view.peer(number)
        assert peer, f"no peer {number}"
        return peer

    def transfer(self, transfer: bytes) -> TransferRow:
        """One transfer as front ends see it."""
        row = self.view.transfer(transfer)
        assert row, "no such transfer"
        return row

    def page(self, query: cmd.FetchHistory) -> cmd.HistoryPage:
        """Stored messages, as front ends get them."""
        return self.engine.history.page(query)

    @property
    def history(self) -> list[tuple[int, MessageRow]]:
        """(peer, row) of every stored message, by number."""
        found: list[tuple[int, MessageRow]] = []
        more = True
        while more:
            after = found[-1][1].no if found else 0
            page = self.page(cmd.FetchHistory(after_no=after, limit=256))
            found += zip(page.peers, page.rows, strict=True)
            more = page.more
        return found

    def seen_of(self, kind: type[cmd.CommandBase]) -> list[cmd.Command]:
        """The commands of one type that arrived so far."""
        return [command for command in self.seen if isinstance(command, kind)]

    # --- as the local sockets ---

    def request(self, routing_id: bytes, frame: bytes) -> None:
        """A front end's message; its answer is among `take_replies` later."""
        request = envelope.decode_request(frame)
        command = request.command
        self.seen.append(command)
        if isinstance(command, cmd.OfferFiles):
            self._find_files(command.paths)
        try:
            instead = self._answer_instead(command)
        except LostFrame:
            return
        if instead is not None:
            failure = None
            if isinstance(instead, CommandError):
                failure = envelope.Failure(instead.code, instead.detail)
                instead = None
            reply = envelope.Reply(request.id, failure, instead)
            self.engine.replies.append((routing_id, codec.pack(reply)))
            return
        if type(command) in self.then:
            self._asked[routing_id, request.id] = command
        self.engine.request(routing_id, frame)

    def _answer_instead(self, command: cmd.Command) -> cmd.Result | CommandError | None:
        instead = self.instead.get(type(command))
        return instead(command) if callable(instead) else instead

    def ask(self, routing_id: bytes, frame: bytes) -> bytes | None:
        """The reply to one request, with the little time that it takes; None: the engine ended."""
        self.request(routing_id, frame)
        self.until(lambda: bool(self.engine.replies) or not self.engine.is_up)
        replies = self.take_replies()
        return replies[-1][1] if replies else None

    def take_replies(self) -> list[tuple[bytes, bytes]]:
        """(routing id, frame) of what was answered since the last time."""
        replies = list(self.engine.replies)
        self.engine.replies.clear()
        for routing_id, frame in replies:
            reply = envelope.decode_reply(frame)
            command = self._asked.pop((routing_id, reply.id), None)
            if command is not None and reply.failure is None:
                self._happens.append(self.then[type(command)])
        return replies

    def take_publications(self) -> list[tuple[bytes, bytes]]:
        """(topic, frame) of what went out on PUB since the last time."""
        publications = list(self.engine.publications)
        self.engine.publications.clear()
        return publications

    # --- what the world does ---

    def crash(self) -> None:
        """kill -9."""
        self.engine.crash()
        self.engine.publications.clear()
        self.engine.replies.clear()

    def boot(self) -> None:
        """The engine starts on what its store holds; its links come up as they do."""
        self.engine.up()

    def restart(self) -> None:
        """kill -9 and a new boot."""
        self.crash()
        self.boot()

    def lose_history(self, peer: int = 0) -> None:
        """This engine's store is gone (with a peer named: that peer's), and who they are is not."""
        engine = self.peers[peer].engine if peer else self.engine
        engine.crash()
        engine.connection = memory()
        engine.up()
        if peer:
            engine.dial(HERE)
        for scripted in self.peers.values():
            self.do(cmd.AddPeer(*scripted.addr, scripted.name))
        self.until(self._all_linked)

    def forget_client(self, routing_id: bytes) -> None:
        """The engine does not know that front end any more, as after a long silence."""
        self.engine.node.front_ends.clients.detach(routing_id)

    def announce(self, *events: ev.Event) -> None:
        """The engine publishes these, whatever they rest on: for tests of how they are shown."""
        for event in events:
            self.engine.node.turn.publisher.publish(event)
        self.engine.turn()

    def announce_gauges(self, *gauges: ev.Gauge) -> None:
        """As `announce`, for statistics."""
        frame = envelope.GaugeFrame(self.engine.node.config.boot, list(gauges))
        self.engine.publish(envelope.TOPIC_GAUGES, codec.pack(frame))

    def announce_transfer(self, transfer: bytes, state: TransferState, **fields: Any) -> None:
        """As `announce`: a transfer has another state, and whatever else is named."""
        row = replace(self.transfer(transfer), state=state, **fields)
        self.announce(ev.TransferChanged(row))

    def cut(self, peer: int = 1) -> None:
        """Nothing crosses the line to that peer any more; nobody knows yet."""
        self._set_cut(peer, True)

    def heal(self, peer: int = 1) -> None:
        """The line is whole again, and both ends know."""
        self._set_cut(peer, False)
        self.until(lambda: self.peer(peer).link.state == LinkState.UP)

    def _set_cut(self, peer: int, cut: bool) -> None:
        host = self.peers[peer].addr[0]
        for ends in ((HERE[0], host), (host, HERE[0])):
            self.network.line(*ends).cut = cut

    def fall_silent(self, peer: int = 1) -> None:
        """The line to that peer is cut, and front ends see it."""
        self.cut(peer)
        self.until(lambda: self.peer(peer).link.state != LinkState.UP)

    def peer_leaves(self, peer: int = 1) -> None:
        """The other person ends the engine there, which says goodbye."""
        self.peers[peer].client.ask(cmd.StopEngine())
        self.until(lambda: self.peer(peer).link.state != LinkState.UP)

    def peer_returns(self, peer: int = 1) -> None:
        """The engine there is started again."""
        self.peers[peer].engine.up()
        self.until(lambda: self.peer(peer).link.state == LinkState.UP)

    # --- what a peer does ---

    def stranger_calls(self, number: int) -> PeerRow:
        """Somebody unknown here dials this engine; the row by which the person is asked."""
        self.peers[number] = ScriptedPeer(number, self.clock, self.network, self.files)
        self.until(lambda: self.view.peer(number) is not None)
        return self.peer(number).info

    def peer_changes_key(self, peer: int = 1) -> PeerRow:
        """The other person begins anew on another machine; the row with the key that is refused."""
        engine = self.peers[peer].engine
        engine.crash()
        engine.private_key, engine.known_peers = engine.random(32), b""
        engine.connection = memory()
        engine.up()
        engine.dial(HERE)
        self.until(lambda: self.peer(peer).info.offered_key != b"")
        return self.peer(peer).info

    def peer_sends(self, text: str, peer: int = 1, reply_to: bytes = b"") -> MessageRow:
        """The other person writes; the row as it is stored here."""
        return self.peer_sends_all([text], peer, reply_to)[0]

    def peer_sends_all(
        self, texts: Sequence[str], peer: int = 1, reply_to: bytes = b""
    ) -> list[MessageRow]:
        """Several texts, one after the other."""
        client = self.peers[peer].client
        ids = [client.say(text, reply_to=reply_to) for text in texts]
        self.until(lambda: self.has(ids[-1], peer))
        rows = {row.id: row for row in self.peer(peer).messages}
        if ids[0] not in rows:
            rows = {row.id: row for _, row in self.history}
        return [rows[message_id] for message_id in ids]

    def has(self, message_id: bytes, peer: int = 1) -> bool:
        """Whether front ends see that message."""
        return any(row.id == message_id for row in reversed(self.peer(peer).messages))

    def peer_reads(self, peer: int = 1) -> None:
        """The other person reads everything that has arrived there."""
        client = self.peers[peer].client
        assert client.view
        ack = client.view.peers[0].last_ack
        client.ask(cmd.MarkRead(client.view.peers[0].info.peer, ack))
        self.until(lambda: self.peer(peer).peer_read >= ack)

    def peer_offers(self, name: str, size_bytes: int = 1000, peer: int = 1) -> bytes:
        """The other person offers a file; the transfer's id."""
        scripted = self.peers[peer]
        assert scripted.engine.files
        assert scripted.client.view
        scripted.engine.files.sources[name] = bytes(size_bytes)
        transfer = uuid7(self.clock.wall_ms, scripted.engine.random(10))
        number = scripted.client.view.peers[0].info.peer
        scripted.client.ask(cmd.OfferFiles(transfer, number, [f"/home/{scripted.name}/{name}"]))
        self.until(lambda: self.view.transfer(transfer) is not None)
        return transfer

    def peer_asks(self, command: cmd.Command, peer: int = 1) -> cmd.Result:
        """Anything else that the other person may do there; the result."""
        client = self.peers[peer].client
        number = client.ask(command)
        self.until(lambda: number in client.replies)
        reply = client.replies[number]
        assert reply.failure is None, reply.failure
        assert reply.result is not None
        return reply.result

    def window_asks(self, command: cmd.Command) -> cmd.Result:
        """What another front end of this engine asks for; the result."""
        result: cmd.Result | None = None
        for asked in (cmd.Attach("window", "full", IPC_VERSION), command):
            self._window_requests += 1
            request = envelope.Request(self._window_requests, asked)
            self.engine.request(WINDOW, codec.pack(request))
            self.until(lambda: any(to == WINDOW for to, _ in self.engine.replies))
            [frame] = [frame for to, frame in self.engine.replies if to == WINDOW]
            self.engine.replies.remove((WINDOW, frame))
            reply = envelope.decode_reply(frame)
            assert reply.failure is None, reply.failure
            result = reply.result
        assert result is not None
        return result

    def do(self, command: cmd.Command) -> None:
        """What some front end asks for, which nobody sees the answer of. Raises CommandError."""
        node, now = self.engine.node, self.engine.now
        (handle,) = [
            subject.commands[type(command)]
            for subject in (node.people, node.messaging, node.transfers, node.restoring)
            if type(command) in subject.commands
        ]
        handle(command, NOBODY, now)
        self.engine.turn()

    def send(self, text: str, peer: int = 1, reply_to: bytes = b"") -> MessageRow:
        """An own text, as any front end sends it; the row."""
        message_id = uuid7(self.clock.wall_ms, self.engine.random(10))
        self.do(cmd.SendMessage(message_id, peer, text, reply_to=reply_to))
        self.until(lambda: self.has(message_id, peer))
        return next(row for row in self.peer(peer).messages if row.id == message_id)

    def _find_files(self, paths: Sequence[str]) -> None:
        assert self.engine.files
        for path in paths:
            data = b""
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    data = file.read()
            self.engine.files.sources.setdefault(os.path.basename(path), data)
