"""A whole engine in the simulated world: the real node and ledger, simulated everything else.

The store answers after a moment and can die in between: a crash goes back to what was committed.
"""

from collections import Counter, deque
from collections.abc import Callable

from chatnet_engine.addresses import Addr
from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.clock import Now
from chatnet_engine.io.perform import perform
from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.node.config import NodeConfig
from chatnet_engine.node.effects import ClientGone, FileProcessReport, FilesRestarted
from chatnet_engine.node.node import Node
from chatnet_engine.node.people.known_peers import KnownPeers, parse_known_peers
from chatnet_engine.secure.identity import Identity
from chatnet_engine.store_ops.commit import Commit, CommitFailed, Committed
from chatnet_engine.trace import Trace, Tracer
from chatnet_protocol.ipc.rows import SessionRow
from simworld.arrivals import Arrivals
from simworld.client import SimClient
from simworld.clock import Clock
from simworld.disk import Died, SimDisk, memory
from simworld.files import FilesNet, SimFiles
from simworld.network import Network
from simworld.workers import SimWorkers

COMMIT_S = (0.0002, 0.002)
"""How long a transaction takes."""


def ignore(text: object) -> None:
    """Nobody wants to know."""


class SimEngine(SimWorkers):
    """One user's engine; `up` and `crash` as often as the test likes, on one database."""

    def __init__(
        self,
        clock: Clock,
        network: Network,
        name: str,
        addr: Addr,
        files: FilesNet | None = None,
    ) -> None:
        self.clock = clock
        self.network = network
        self.name = name
        self.addr = self.home = addr
        """Where it is, and where it was at first."""
        self.connection = memory()
        self.known_peers = b""
        """The file of that name."""
        self.random = clock.bytes_for(name)
        self.private_key = self.random(32)
        self._node: Node | None = None
        self.clients: list[SimClient] = []
        self.crashes = 0
        self.commits = 0
        self.sent: deque[tuple[float, int]] = deque(maxlen=100_000)
        """Time and size of each datagram sent."""
        self.stopped = ""
        self.store_fails = ""
        """While set, every transaction fails with this sentence."""
        self.contain = False
        """Whether exceptions are contained, as in the product; else they fail the test."""
        self.problems: list[str] = []
        """What was contained."""
        self.on_trace: Callable[[Trace], None] = ignore
        """Takes each trace of the node."""
        self.trace_detail = False
        self.commit_s = self.usual_commit_s = COMMIT_S
        """How long a transaction takes: between these."""
        self.committing = False
        """A transaction is under way, or its answer is."""
        self.turn_s = 0.0
        """What arrives within this is taken in one turn; 0: everything is a turn of its own."""
        self.arq = ArqConfig()
        """Windows, for one."""
        self.counts: Counter[str] = Counter()
        """Faults that happened."""
        self.die_in_effects = 0
        """The process dies before it performs this many further effects; 0: it does not."""
        self.tell: Callable[[str], None] = ignore
        """Told of what happens, for a trace."""
        self.wall_offset_ms = 0
        """How wrong this machine's wall clock is."""
        self.checked = True  # each turn ends with a check of the deadlines, which walks all peers
        self.disk = SimDisk(self.connection, self.counts)
        self.files = SimFiles(self, files) if files else None
        self._arrivals = Arrivals()
        self._turn_planned = False
        self._asleep = False
        self._performing = False
        self._missed: list[Callable[[], None]] = []
        self._life = 0
        self._wake_at: float | None = None

    @property
    def is_up(self) -> bool:
        """Whether the process runs."""
        return self._node is not None

    @property
    def node(self) -> Node:
        """The node of the running process."""
        assert self._node is not None, f"the engine {self.name} is down"
        return self._node

    @property
    def now(self) -> Now:
        """This machine's clocks."""
        return Now(self.clock.now_s, self.clock.wall_ms + self.wall_offset_ms)

    def up(self) -> None:
        """Start the engine on what its database holds."""
        self._life += 1
        self._wake_at = None
        self.committing = False
        self.stopped = ""
        self.disk = SimDisk(self.connection, self.counts)
        self.ledger = Ledger(self.disk)  # type: ignore[arg-type]
        session = self.session()
        config = NodeConfig(
            session=session,
            boot=self.random(8),
            incarnation=int.from_bytes(self.random(8)) | 1,
            private_key=self.private_key,
            contain=self.contain,
            arq=self.arq,
            trace=Tracer(detail=self.trace_detail),
        )
        loaded = self.ledger.load()
        view = self.ledger.load_view(session)
        known = KnownPeers(parse_known_peers(self.known_peers))
        self._node = Node(config, loaded, view, known, random=self.random, now=self.now)
        self.network.listen(self.addr, self._receive)
        if self.files:
            self.files.started()
        self.turn()
        for client in self.clients:
            client.engine_started()

    def session(self) -> SessionRow:
        """What the view says of this session."""
        key = Identity.from_private_bytes(self.private_key).public
        return SessionRow(
            name=self.name, display_name=self.name, host=self.home[0], port=self.home[1],
            key=key, fingerprint=key.hex()[:16], inbox="/inbox",
        )  # fmt: skip

    def crash(self) -> None:
        """The process dies at this instruction."""
        self.crashes += 1
        self.tell("dies")
        self._end()

    def _end(self) -> None:
        self._life += 1
        self._node = None
        self._asleep = False
        self._missed = []
        self._arrivals = Arrivals()
        self._turn_planned = False
        self.network.silence(self.addr)
        if self.files:
            self.files.ended()

    def sleep(self) -> None:
        """The machine is suspended: nothing happens on it, datagrams to it are lost."""
        self._asleep = self._node is not None

    def wake(self) -> None:
        """It goes on, in the middle of whatever it was doing; its clocks have counted on."""
        if not self._asleep:
            return
        self._asleep = False
        missed, self._missed = self._missed, []
        for action in missed:
            action()
        if self.turn_s:
            self._turn_soon()
        elif self._node:
            self._node.handle_timeout(self.now)
            self.turn()

    def listen(self) -> None:
        """Be reached at `addr`, which may be another one than before, or somebody else's."""
        self.network.silence(self.addr)
        if self._node:
            self.network.listen(self.addr, self._receive)

    def dial(self, addr: Addr) -> None:
        """The three-argument usage."""
        self.node.dial_typed(*addr)
        self.turn()

    def attach(self, name: str = "client", role: str = "full") -> SimClient:
        """A front end that follows this engine over its restarts."""
        client = SimClient(self, f"{self.name}/{name}/{len(self.clients)}", role)
        self.clients.append(client)
        if self._node:
            client.engine_started()
        return client

    def request(self, routing_id: bytes, frame: bytes) -> None:
        """A front end's message on the ROUTER socket."""
        if self._asleep:
            self._missed.append(lambda: self.request(routing_id, frame))
        elif self.turn_s and self._node:
            self._arrivals.requests.append((routing_id, frame))
            self._turn_soon()
        elif self._performing:
            # Asked from within a reply: it crosses the sockets as anything else does.
            self.clock.after(0.0, lambda: self.request(routing_id, frame))
        elif self._node:
            self._node.handle_request(routing_id, [frame], self.now)
            self.turn()

    def client_gone(self, routing_id: bytes) -> None:
        """The connection of a front end has ended, after all that it sent."""
        if self._asleep:
            self._missed.append(lambda: self.client_gone(routing_id))
        elif self.turn_s and self._node:
            self._arrivals.gone.append(ClientGone(routing_id))
            self._turn_soon()
        elif self._node:
            self._node.handle_io(ClientGone(routing_id), self.now)
            self.turn()

    # --- the world that effects land in ---

    def send_datagrams(self, datagrams: list[tuple[bytes, Addr]]) -> None:
        """Put them on the line."""
        for data, target in datagrams:
            self.sent.append((self.clock.now_s, len(data)))
            self.network.send(self.addr, target, data)

    def commit(self, commit: Commit) -> None:
        """The transaction happens a moment later, its answer another moment after that."""
        life = self._life
        self.committing = True
        first, second = (self.clock.random.uniform(*self.commit_s) / 2 for _ in range(2))

        def happen() -> None:
            if life == self._life:
                answer: Committed | CommitFailed
                if self.store_fails:
                    answer = CommitFailed(commit.number, self.store_fails, False)
                else:
                    if commit.known_peers is not None:
                        self.known_peers = commit.known_peers
                    try:
                        answer = self.ledger.apply(commit)
                    except Died:
                        self.connection.rollback()
                        self.crash()
                        return
                    self.commits += 1
                self.clock.after(second, lambda: self._answer(life, answer))

        self.clock.after(first, happen)

    def publish(self, topic: bytes, frame: bytes) -> None:
        """To every front end."""
        for client in self.clients:
            client.publication(topic, frame)

    def reply(self, routing_id: bytes, frame: bytes) -> None:
        """To one front end."""
        for client in self.clients:
            if client.routing_id == routing_id:
                client.reply(frame)

    def send_to_file_process(self, frame: bytes) -> None:
        """A request for the file process, if this world has any."""
        if self.files:
            self.files.handle(frame)

    def log_problem(self, text: str) -> None:
        """What was contained; only a test that injects exceptions lets it."""
        self.problems.append(text)

    def trace(self, trace: Trace) -> None:
        """What the node did."""
        self.on_trace(trace)

    def stop(self, reason: str) -> None:
        """The engine ended on purpose."""
        self.stopped = reason
        self.tell("stops")
        self._end()

    def hear(self, said: FileProcessReport | FilesRestarted) -> None:
        """A report of the file process."""
        self._answer(self._life, said)

    def answer_later(self, delay_s: float, result: object) -> None:
        """What a worker found out, unless the engine dies before."""
        life = self._life
        self.clock.after(delay_s, lambda: self._answer(life, result))

    # --- the pump ---

    def _receive(self, data: bytes, source: Addr) -> None:
        if self._asleep:
            self.counts["lost in sleep"] += 1
        elif self._node and self.turn_s:
            self._arrivals.datagrams.append((data, source))
            self._turn_soon()
        elif self._node and self._node.handle_datagrams([(data, source)], self.now):
            self.turn()

    def _answer(self, life: int, result: object) -> None:
        if self._asleep and life == self._life:
            self._missed.append(lambda: self._answer(life, result))
        elif life == self._life and self._node:
            if self.turn_s:
                self._arrivals.results.append(result)
                self._turn_soon()
                return
            if isinstance(result, Committed | CommitFailed):
                self.committing = False
            self._node.handle_io(result, self.now)  # type: ignore[arg-type]
            self.turn()

    def _turn_soon(self) -> None:
        if not self._turn_planned:
            self._turn_planned = True
            life = self._life
            self.clock.after(self.turn_s, lambda: self._take_turn(life))

    def _take_turn(self, life: int) -> None:
        """One turn over whatever has arrived."""
        if life != self._life or self._node is None:
            return
        self._turn_planned = False
        if self._asleep:
            return
        self.committing = self.committing and not self._arrivals.committed
        if self._arrivals.feed(self._node, self.now, self.counts):
            self._turn_soon()
        due = self._node.next_timeout()
        if due is not None and due <= self.clock.now_s:
            self._node.handle_timeout(self.now)
        self.turn()

    def turn(self) -> None:
        """Do what the node asks for, and come back when it wants to."""
        if self._node is None:
            return
        life = self._life
        self._performing = True
        for effect in self._node.take_effects(self.now):
            if self.die_in_effects and not isinstance(effect, Trace):  # a trace changes nothing
                self.die_in_effects -= 1
                if not self.die_in_effects:
                    self.counts["crash at an effect"] += 1
                    self.crash()
            if life != self._life:
                break
            perform(effect, self)
        self._performing = False
        if self._node is None:
            return
        due = self._node.next_timeout()
        if self.checked:
            self._check_deadlines(self._node)
        if due is not None and (self._wake_at is None or due < self._wake_at):
            self._wake_at = due
            life = self._life
            self.clock.after(max(0.0, due - self.clock.now_s), lambda: self._wake(life, due))

    def _check_deadlines(self, node: Node) -> None:
        """Every deadline is in the table: nothing changed one without touching the peer."""
        for peer in node.messaging.conversations:
            due, known = node.timers.due_of(peer), node.turn.due.due_of(peer)
            if peer not in node.turn.due.touched:
                assert due == known, f"peer {peer} is due at {due}, not at {known}"

    def _wake(self, life: int, due: float) -> None:
        if life != self._life or self._node is None or self._wake_at != due:
            return
        self._wake_at = None
        if self._asleep or self._turn_planned:
            return
        self._node.handle_timeout(self.now)
        self.turn()
