"""A pretended file process and its disk, for transfers without I/O: bytes move when told to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.names import numbered, safe_name
from chatnet_engine.files.space_wire import Survey, Surveyed
from chatnet_engine.files.transfers import Act
from chatnet_engine.files.update_wire import Exchange
from chatnet_protocol.ipc.offer import (
    ListedThing,
    OfferedFolder,
    OfferedListing,
    decode_offer,
)
from chatnet_protocol.ipc.reasons import TransferReason, reason
from chatnet_protocol.ipc.results import Space
from chatnet_protocol.limits import BULK_WINDOW_BYTES, MIB
from file_pair import ID, PEER, Pair, Side

CHUNK_BYTES = 1000
LISTING = b"l" * 1500
"""Of as many files as there are."""


@dataclass
class Connection:
    """A sender and a receiver that found each other."""

    send: pw.Send
    receive: pw.Receive
    sender: "FakeProcess"
    receiver: "FakeProcess"


def _place_in(data: bytes) -> tuple[int, int] | None:
    """Where the receiver wants to start: index of a file, and bytes of it."""
    try:
        index, offset = map(int, data.split())
    except ValueError:
        return None
    return index, offset


@dataclass
class Stream:
    """One side's end of a bulk stream. The sender says its token, the receiver where to start; then
    the bytes, file after file, as far as there is room."""

    process: "FakeProcess"
    request: pw.Send | pw.Receive
    room: int = BULK_WINDOW_BYTES
    index: int = 0
    offset: int = 0
    started: bool = False

    def write(self, data: bytes) -> None:
        self.room -= len(data)
        assert self.room >= 0
        self.process.report(pw.BulkOut(self.request.job, data))

    def begin(self) -> None:
        if isinstance(self.request, pw.Send):
            self.write(self.request.connect.token)

    def read(self, data: bytes) -> None:
        job = self.request.job
        if not data:
            self.process.report(pw.Ended(job, pw.Outcome.LOST))
            return
        self.process.report(pw.BulkTaken(job, len(data)))
        if isinstance(self.request, pw.Receive):
            self._receive(self.request, data)
        elif not self.started:
            place = _place_in(data)
            if place is None:  # a hostile peer's: a record that does not open
                self.process.report(pw.Ended(job, pw.Outcome.LOST))
                return
            self.started = True
            self.index, self.offset = place
            self.process.report(pw.Connected(job))
        elif data == b"end":
            self.process.report(pw.Ended(job, pw.Outcome.MOVED))

    def _receive(self, request: pw.Receive, data: bytes) -> None:
        if not self.started:
            if data != request.connect.token:
                self.process.report(pw.Ended(request.job, pw.Outcome.LOST))
                return
            self.started = True
            self.index, self.offset = request.index, request.offset
            self.write(b"%d %d" % (self.index, self.offset))
            self.process.report(pw.Connected(request.job))
            self.process.complete(request, self.index)
        else:
            self.process.take(request, self.index, self.offset, data)
            self.offset += len(data)
        sizes = self.process.sizes(request)
        while self.index < len(sizes) and self.offset == sizes[self.index]:
            self.process.take(request, self.index, self.offset, b"")
            self.process.report(pw.FileComplete(request.job, self.index))
            self.index, self.offset = self.index + 1, 0
            self.process.complete(request, self.index)
        if self.index == len(sizes) and request.listing_only:
            self.process.report(pw.Ended(request.job, pw.Outcome.LISTED))
        elif self.index == len(sizes):
            self.write(b"end")
            self.process.report(pw.Ended(request.job, pw.Outcome.MOVED))

    def step(self) -> None:
        """The sender sends a chunk."""
        if not self.started or not isinstance(self.request, pw.Send):
            return
        while self.index < len(sources := self.process.contents(self.request)):
            source = sources[self.index]
            chunk = source[self.offset : self.offset + CHUNK_BYTES][: self.room]
            if self.offset < len(source):
                if chunk:
                    self.write(chunk)
                    self.offset += len(chunk)
                return
            self.index, self.offset = self.index + 1, 0


@dataclass
class Net:
    """What the two processes reach each other by."""

    waiting: dict[bytes, tuple["FakeProcess", pw.Send | pw.Receive]] = field(default_factory=dict)
    connections: list[Connection] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    tokens: list[bytes] = field(default_factory=list)
    """Every token that was ever waited for."""
    listed: dict[bytes, dict[str, int]] = field(default_factory=dict)
    """Names and sizes of the files of each listing, by its digest."""

    def dial(self, process: "FakeProcess", request: pw.Send | pw.Receive) -> bool:
        other = self.waiting.get(request.connect.handle)
        if other is None or other[1].connect.token != request.connect.token:
            return False
        if not other[0].reachable:
            return False
        del self.waiting[request.connect.handle]
        pair = [(process, request), other]
        pair.sort(key=lambda one: isinstance(one[1], pw.Receive))
        (sender, send), (receiver, receive) = pair
        assert isinstance(send, pw.Send)
        assert isinstance(receive, pw.Receive)
        self.connections.append(Connection(send, receive, sender, receiver))
        sender.report(pw.Connected(send.job))
        receiver.report(pw.Connected(receive.job))
        receiver.complete(receive, receiver.position[receive.job][0])
        return True

    def cut(self, gone: Connection) -> None:
        self.connections.remove(gone)
        gone.sender.report(pw.Ended(gone.send.job, pw.Outcome.LOST))
        gone.receiver.report(pw.Ended(gone.receive.job, pw.Outcome.LOST))

    def step(self, random: Random, *, tcp: bool = True) -> None:
        """One of the connections or streams moves a chunk."""
        movable: list[Connection | Stream] = [*(self.connections if tcp else ()), *self.streams]
        if not movable:
            return
        one = random.choice(movable)
        if isinstance(one, Stream):
            one.step()
        else:
            self.advance(one)

    def advance(self, one: Connection) -> None:
        receiver, receive = one.receiver, one.receive
        if one.send.job not in one.sender.jobs or receive.job not in receiver.jobs:
            return
        index, offset = receiver.position[receive.job]
        sizes = receiver.sizes(receive)
        if index == len(sizes):  # nothing but empty folders
            self._finish(one)
            return
        source = one.sender.contents(one.send)[index]
        chunk = source[offset : offset + CHUNK_BYTES]
        moved = receiver.take(receive, index, offset, chunk)
        offset += len(chunk)
        one.sender.report(pw.Progress(one.send.job, index, offset, moved))
        if offset == sizes[index]:
            receiver.report(pw.FileComplete(receive.job, index))
            index, offset = index + 1, 0
            receiver.complete(receive, index)
        receiver.position[receive.job] = (index, offset)
        if index == len(sizes):
            self._finish(one)

    def _finish(self, one: Connection) -> None:
        self.connections.remove(one)
        if one.receive.listing_only:
            one.receiver.report(pw.Ended(one.receive.job, pw.Outcome.LISTED))
            one.sender.report(pw.Ended(one.send.job, pw.Outcome.LOST))
            return
        one.receiver.report(pw.Ended(one.receive.job, pw.Outcome.MOVED))
        one.sender.report(pw.Ended(one.send.job, pw.Outcome.MOVED))


class FakeProcess:
    """Answers requests; `disk` (final files) and `partials` outlive it."""

    def __init__(self, net: Net, sources: dict[str, bytes]) -> None:
        self.net = net
        self.sources = sources
        self.reachable = True
        self.probed = False
        """Whether a probe finds the other side's listener."""
        self.port = 4000
        self.bbr = False
        self.partials: dict[tuple[bytes, int], bytes] = {}
        self.inodes: dict[tuple[bytes, int], int] = {}
        self.complete_files: dict[tuple[bytes, int], list[int]] = {}
        self.disk: dict[str, tuple[int, bytes]] = {}
        """Final files by name; of a folder all bytes of its files, in the order of the offer."""
        self.folders: dict[str, list[str]] = {}
        """What is in the folders that can be sent, by their paths: names in `sources`."""
        self.many: set[str] = set()
        """Those of the folders whose files are named by a listing."""
        self.things: dict[int, int] = {}
        """How many things of each receiving job are complete."""
        self.jobs: dict[int, pw.Send | pw.Receive] = {}
        self.prepare: list[pw.Prepare] = []
        """Every request to prepare, and what is answered: files, state, problem."""
        self.prepared: tuple[bytes, bytes, str] = (b"", b"state", "")
        self.refusal = ""
        """Why folders do not change places."""
        self.limits: list[int] = []
        """Every limit that was asked for."""
        self.surveys: list[Survey] = []
        self.space: Space | None = Space()
        """Every survey that was asked for, and what is answered."""
        self.sent: list[pw.Send] = []
        """Every request to send."""
        self.position: dict[int, tuple[int, int]] = {}
        self.reports: list[pw.Report] = [pw.Listening(self.port, bbr=self.bbr)]
        self._next_inode = 100

    def report(self, report: pw.Report) -> None:
        self.reports.append(report)
        if isinstance(report, pw.Ended):
            self.jobs.pop(report.job, None)
            if (stream := self.stream(report.job)) is not None:
                self.net.streams.remove(stream)
                self.reports.append(pw.BulkOut(report.job, b""))

    def restart(self) -> None:
        """kill -9: connections break, reports are lost, the disk stays."""
        for one in list(self.net.connections):
            if self in (one.sender, one.receiver):
                self.net.cut(one)
        self.net.waiting = {
            handle: one for handle, one in self.net.waiting.items() if one[0] is not self
        }
        self.net.streams = [one for one in self.net.streams if one.process is not self]
        self.jobs.clear()
        self.reports = [pw.Listening(self.port, bbr=self.bbr)]

    def handle(self, request: pw.Request) -> None:
        match request:
            case pw.Scan():
                self.report(self._scan(request))
            case pw.Send() | pw.Receive():
                self._start(request)
            case pw.Prepare():
                self._prepare(request)
            case pw.Stop(job):
                self.jobs.pop(job, None)
                for one in list(self.net.connections):
                    mine = one.send.job if one.sender is self else one.receive.job
                    if self in (one.sender, one.receiver) and mine == job:
                        self.net.cut(one)
                self.net.streams = [one for one in self.net.streams if one is not self.stream(job)]
                self.reports = [
                    said
                    for said in self.reports
                    if not (isinstance(said, pw.Ended) and said.job == job)
                ]
            case pw.BulkIn(job, data):
                if (stream := self.stream(job)) is not None:
                    stream.read(data)
            case pw.BulkGrant(job, size_bytes):
                if (stream := self.stream(job)) is not None:
                    stream.room += size_bytes
            case pw.Probe():
                if self.reachable and self.probed:
                    self.report(pw.Reachable(request.job))
            case pw.Place():
                self._place(request)
            case pw.Limit(bytes_s):
                self.limits.append(bytes_s)
            case Survey():
                self.surveys.append(request)
                self.report(Surveyed(self.space))
            case pw.Discard():
                self.partials = {
                    key: data for key, data in self.partials.items() if key[0] != request.id
                }

    def _prepare(self, request: pw.Prepare) -> None:
        self.prepare.append(request)
        listed = decode_offer(request.offer).listing is not None
        if listed and self.partials.get((request.id, 0)) != LISTING:
            self.report(pw.Ended(request.job, pw.Outcome.UNLISTED))
            return
        have, state, problem = self.prepared
        until = f"{request.earlier.name} (until today)"
        self.report(pw.Prepared(request.job, have, b"", state, until, problem))

    def take(self, receive: pw.Receive, index: int, offset: int, chunk: bytes) -> int:
        """Write a chunk; how many bytes of all files have moved."""
        key = (receive.id, index)
        self.partials[key] = self.partials.get(key, b"")[:offset] + chunk
        offset += len(chunk)
        listing = decode_offer(receive.offer).listing
        moved = sum(self.sizes(receive)[:index]) + offset - (len(LISTING) if listing else 0)
        moved = max(0, moved)
        self.report(pw.Progress(receive.job, index, offset, moved, moved))
        return moved

    def stream(self, job: int) -> Stream | None:
        """Its end of the bulk stream of that job."""
        for one in self.net.streams:
            if one.process is self and one.request.job == job:
                return one
        return None

    def contents(self, send: pw.Send) -> list[bytes]:
        """What a job sends."""
        if send.listing is None:
            return [self.sources[file.path[-1]] for file in send.files]
        return [LISTING, *(self.sources[name] for name in self.net.listed[send.listing.digest])]

    def _scan_many(self, request: pw.Scan, name: str) -> pw.Scanned:
        digest = request.id + bytes(16)
        sizes = {inside: len(self.sources[inside]) for inside in self.folders[name]}
        self.net.listed[digest] = sizes
        thing = ListedThing(name, len(sizes), sum(sizes.values()), 1)
        return pw.Scanned(request.id, [], listing=OfferedListing(digest, len(LISTING), [thing]))

    def _scan(self, request: pw.Scan) -> pw.Scanned:
        if (first := request.roots[0].rsplit("/", 1)[-1]) in self.many:
            self.report(pw.Scanning(request.id))
            return self._scan_many(request, first)
        files: list[pw.ScannedFile] = []
        empty: list[OfferedFolder] = []
        for number, root in enumerate(request.roots):
            name = root.rsplit("/", 1)[-1]
            inside = self.folders.get(name)
            paths = [[name]] if inside is None else [[name, below] for below in inside]
            if not paths:
                empty.append(OfferedFolder([name], number))
            files += [
                pw.ScannedFile(number, path, len(self.sources[path[-1]]), 7) for path in paths
            ]
        return pw.Scanned(request.id, files, folders=empty)

    def sizes(self, receive: pw.Receive) -> list[int]:
        offer = decode_offer(receive.offer)
        if offer.listing is None:
            return [file.size_bytes for file in offer.files]
        listed = self.net.listed[offer.listing.digest]
        return [len(LISTING), *(() if receive.listing_only else listed.values())]

    def complete(self, receive: pw.Receive, files: int) -> None:
        """So many files are here: report what is complete with them."""
        if receive.listing_only:
            return
        offer = decode_offer(receive.offer)
        things, first = offer.things, 0 if offer.listing is None else 1
        files -= first
        while (number := self.things[receive.job]) < len(things) and things[number].end <= files:
            thing = things[number]
            self._next_inode += 1
            self.inodes[receive.id, number] = self._next_inode
            name = self._free(safe_name(thing.name))
            digests = b"d" * 32 * len(thing.files) if thing.is_folder and not first else b""
            self.report(
                pw.ThingComplete(receive.job, number, name, self._next_inode, digests=digests)
            )
            self.things[receive.job] = number + 1
            self.complete_files[receive.id, number] = [at + first for at in thing.files]

    def _start(self, request: pw.Send | pw.Receive) -> None:
        self.jobs[request.job] = request
        if isinstance(request, pw.Send):
            self.sent.append(request)
        if isinstance(request, pw.Receive):
            self.position[request.job] = (request.index, request.offset)
            self.things[request.job] = request.things
            have = self.partials.get((request.id, request.index), b"")
            assert len(have) >= request.offset, "a resume beyond what is there"
        if request.connect.bulk:
            stream = Stream(self, request)
            self.net.streams.append(stream)
            self.report(pw.Expecting(request.job))
            stream.begin()
        elif not request.connect.addrs:
            self.net.waiting[request.connect.handle] = (self, request)
            assert request.connect.token not in self.net.tokens, "a token was issued twice"
            self.net.tokens.append(request.connect.token)
            self.report(pw.Expecting(request.job))
        elif not self.net.dial(self, request):
            self.report(pw.Ended(request.job, pw.Outcome.UNREACHABLE))

    def _exchange(self, request: pw.Place, exchange: Exchange) -> bool:
        """Whether the new folder has the earlier one's place."""
        earlier = self.disk.get(exchange.name, (0, b""))
        if earlier[0] == exchange.inode and not self.refusal:
            files = self.complete_files[request.id, request.thing]
            content = b"".join(self.partials.pop((request.id, index), b"") for index in files)
            self.disk[exchange.until] = earlier
            self.disk[exchange.name] = (request.inode, content)
        elif earlier[0] != request.inode:
            return False
        self.report(pw.Placed(request.id, request.thing, exchange.name, exchange.until))
        return True

    def _place(self, request: pw.Place) -> None:
        problem = ""
        if request.exchange is not None:
            if self._exchange(request, request.exchange):
                return
            problem = self.refusal or "update-moved"
        there = self.disk.get(request.name)
        key = (request.id, request.thing)
        if there is not None and there[0] != request.inode:
            free = self._free(request.wanted)
            self.report(pw.NotPlaced(request.id, request.thing, free))
            return
        if there is None:
            files = self.complete_files.get(key, [])
            if self.inodes.get(key) != request.inode or any(
                (request.id, index) not in self.partials for index in files
            ):
                self.report(
                    pw.NotPlaced(
                        request.id,
                        request.thing,
                        "",
                        reason(TransferReason.RECEIVED_GONE),
                        gone=True,
                    )
                )
                return
            content = b"".join(self.partials.pop((request.id, index)) for index in files)
            self.disk[request.name] = (request.inode, content)
        self.report(pw.Placed(request.id, request.thing, request.name, problem=problem))

    def _free(self, name: str) -> str:
        number = 0
        while numbered(name, number) in self.disk:
            number += 1
        return numbered(name, number)


class FakeSide(Side):
    """A side whose time and bytes stand still until the test moves them."""

    def __init__(self, name: str, net: Net, sources: dict[str, bytes], seed: int = 1) -> None:
        self.clock = 100.0
        self.process = FakeProcess(net, sources)
        super().__init__(name, "/inbox", seed)

    def now(self) -> float:
        return self.clock

    def restart(self) -> None:
        """kill -9 of engine and process: only what was committed is left."""
        self.process.restart()
        self.said.clear()
        self.transfers = self._boot()

    def restart_process(self) -> None:
        self.process.restart()
        self.transfers.handle_process_restarted(Now(self.clock, 1))

    def move(self) -> None:
        super().move()
        for frame in self.transfers.take_process_frames():
            self.process.handle(pw.decode_request(frame))
        reports, self.process.reports = self.process.reports, []
        for report in reports:
            self.transfers.handle_process(pw.encode(report), Now(self.clock, 1))
        super().move()


SOURCES = {
    "a.txt": b"a" * 2500,
    "b.txt": b"b" * 1000,
    "empty": b"",
    "big": bytes(range(250)) * 400,
}


class World:
    """Both sides, their processes, and a clock that runs for both."""

    def __init__(self, seed: int = 1) -> None:
        self.net = Net()
        self.a = FakeSide("a", self.net, dict(SOURCES), seed)
        self.b = FakeSide("b", self.net, {}, seed)
        self.pair = Pair(self.a, self.b)
        self.random = Random(seed)

    def settle(self, turns: int = 6) -> None:
        for _ in range(turns):
            self.pair.move()

    def advance(self, seconds: float) -> None:
        self.a.clock += seconds
        self.b.clock += seconds
        self.settle()

    def offer(self, *names: str, transfer_id: bytes = ID, auto: int = 256 * MIB) -> None:
        self.b.auto_accept_bytes = auto
        paths = [f"/home/a/{name}" for name in names]
        self.a.transfers.offer(transfer_id, PEER, paths, Now(self.a.clock, 1))
        self.settle()
        self.pair.deliver_offer(transfer_id)
        self.settle()

    def run(self, done: Callable[[], bool], turns: int = 400) -> None:
        for _ in range(turns):
            if done():
                return
            self.net.step(self.random)
            self.advance(0.05)
        raise AssertionError((self.a.history[-3:], self.b.history[-3:]))

    def do(self, side: FakeSide, command: str) -> None:
        side.transfers.act(ID, Act[command.upper()], Now(side.clock, 1))
        self.settle()

    def states(self) -> tuple[str, str]:
        return self.a.state(), self.b.state()

    def check_done(self, *names: str, folder: str = "") -> None:
        assert self.states() == ("done", "done")
        got = sorted(data for _, data in self.b.process.disk.values())
        assert got == sorted(SOURCES[name] for name in names)
        assert self.b.process.partials == {}
        size = sum(len(SOURCES[name]) for name in names)
        assert self.a.row().done_bytes == self.b.row().done_bytes == size
