"""Owns how a client gets to the present and stays there. Knows no sockets and no clock.

    state     input                          next     what happens
    WAIT      Attached                       SYNC     snapshot parts, or events from the cursor on
    SYNC      last part (and missed pages)   SYNC     Reset, Missed..., then the buffered events
    SYNC      events up to the known head    LIVE     Live
    SYNC      snapshot or events gone        WAIT     Attach again with the cursor
    LIVE      next event                     LIVE     Changed
    LIVE      later event, or head ahead     SYNC     Behind, FetchEvents
    any       another boot in a head         WAIT     Attach again with the cursor
    any       no frame for LOST_AFTER_S      WAIT     EngineLost; Attach is repeated quietly
    any       Attach refused for good        REFUSED  Refused

The publisher drops frames for a reader that lags and says nothing; only the sequence numbers, and
the head that repeats the last one every second, show it. A late subscription, a full queue, a
stopped process and a silent reconnect are therefore one case: a gap.
"""

import enum
from collections.abc import Sequence

from chatnet_client.backlog import Backlog
from chatnet_client.client_events import (
    Answered,
    Behind,
    Changed,
    ClientEvent,
    EngineLost,
    Gauged,
    Live,
    Missed,
    Refused,
    Reset,
)
from chatnet_client.gauges import NewestGauges
from chatnet_client.requests import DEFAULT_TIMEOUT_S, Answer, Requests
from chatnet_client.snapshot import SnapshotFetch
from chatnet_client.words import ENGINE_DIED, NO_ANSWER
from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc.commands import (
    Attach,
    Attached,
    Command,
    Cursor,
    Detach,
    Done,
    EventsPage,
    FetchEvents,
    FetchHistory,
    HistoryPage,
    KeepAlive,
    SnapshotPart,
    StopEngine,
)
from chatnet_protocol.ipc.events import EngineStopping, Event, MessagesAdded, MessagesRestored
from chatnet_protocol.ipc.rows import ClientRole
from chatnet_protocol.limits import HEARTBEAT_INTERVAL_S, MAX_HISTORY_ROWS
from chatnet_protocol.version import IPC_VERSION

LOST_AFTER_S = 3.5 * HEARTBEAT_INTERVAL_S
"""Three heads missed, and some grace for a busy machine."""
KEEP_ALIVE_S = 5.0
RETRY_S = 1.0
"""Pause before attaching again after a refusal that may pass."""
INTERNAL_TIMEOUT_S = 3600.0
"""The machine's own requests are ended by its states, not by a deadline."""

FINAL_REFUSALS = frozenset({ErrorCode.VERSION, ErrorCode.INVALID, ErrorCode.NOT_ALLOWED})


class AttachState(enum.Enum):
    """See the table above."""

    WAIT = "wait"
    SYNC = "sync"
    LIVE = "live"
    REFUSED = "refused"


class AttachMachine:
    """One client's way to the present: frames in, requests and client events out.

    With `keep_up` the durable messages after the last reported one are delivered as Missed whenever
    a snapshot stands in for events, so that a consumer of messages misses and repeats none; they
    count from the first snapshot, or from `since_no`, which implies it.
    """

    def __init__(
        self,
        name: str,
        role: str = ClientRole.FULL,
        *,
        since_no: int | None = None,
        keep_up: bool = False,
        capabilities: Sequence[str] = (),
    ) -> None:
        self.state = AttachState.WAIT
        self.client = 0
        self._name = name
        self._role = str(role)
        self._capabilities = list(capabilities)
        self._keeps_up = keep_up or since_no is not None
        self._has_no = since_no is not None
        self._boot = b""
        self._seq = 0
        self._no = since_no or 0
        self._head = 0
        self._requests = Requests()
        self._events: list[ClientEvent] = []
        self._backlog = Backlog()
        self._snapshot: SnapshotFetch | None = None
        self._missed_until = 0
        self._last_received_s = 0.0
        self._keep_alive_at = 0.0
        self._attach_at: float | None = 0.0
        self._gauges = NewestGauges()

    @property
    def _is_attached(self) -> bool:
        return self.state in (AttachState.SYNC, AttachState.LIVE)

    @property
    def cursor(self) -> Cursor | None:
        """How far this client has come; None before the first snapshot of one without a past."""
        if not self._boot and not self._has_no:
            return None
        return Cursor(self._boot, self._seq, self._no)

    # --- inputs ------------------------------------------------------------------------------

    def ask(self, command: Command, now: float, timeout_s: float = DEFAULT_TIMEOUT_S) -> int:
        """Send a command once attached: the token of its Answered. Raises CommandError(busy)."""
        return self._requests.ask(command, now, timeout_s)

    def detach(self, now: float) -> None:
        """Tell the engine that this client leaves; nothing more may be asked afterwards."""
        if self._is_attached:
            self._ask(Detach(), now)

    def start_over(self, no: int, now: float) -> None:
        """Begin again with a snapshot, and with the messages after `no` if the client keeps up."""
        self._boot, self._seq, self._no = b"", 0, no
        self._attach_again(now)

    def handle_connected(self, now: float) -> None:
        """The sockets are new: nothing asked before can be answered any more."""
        if self.state != AttachState.REFUSED:
            self._attach_again(now)

    def handle_engine_ended(self, now: float) -> None:
        """The engine's process is gone; harmless when that is known."""
        if self._is_attached:
            self._lose(ENGINE_DIED, now)

    def handle_publication(self, data: bytes, now: float) -> None:
        """Raises DecodeError; nothing has changed then."""
        publication = envelope.decode_publication(data)
        self._last_received_s = now
        if publication.boot == self._boot and self.state == AttachState.LIVE:
            if not self._apply(publication, now):
                self._backlog.keep(publication)
            self._catch_up(now)
        else:
            self._backlog.keep(publication)
            if publication.boot == self._boot:
                self._head = max(self._head, publication.first_seq + len(publication.events) - 1)

    def handle_head(self, data: bytes, now: float) -> None:
        """Raises DecodeError; nothing has changed then."""
        head = envelope.decode_heartbeat(data)
        self._last_received_s = now
        if not self._is_attached:
            return
        if head.boot not in (self._boot, self._snapshot.attached.boot if self._snapshot else None):
            self._attach_again(now)
        elif head.boot == self._boot:
            self._head = max(self._head, head.seq)
            if self.state == AttachState.LIVE:
                self._catch_up(now)

    def handle_gauges(self, data: bytes, now: float) -> None:
        """Raises DecodeError; nothing has changed then."""
        frame = envelope.decode_gauges(data)
        self._last_received_s = now
        if frame.boot != self._boot:
            return
        for gauge in frame.gauges:
            if self._gauges.handle(gauge):
                self._events.append(Gauged(gauge))

    def handle_reply(self, data: bytes, now: float) -> None:
        """Raises DecodeError; nothing has changed then."""
        self._take_answer(self._requests.handle_reply(envelope.decode_reply(data)), now)

    def handle_unsendable(self, request_id: int, error: CommandError, now: float) -> None:
        """A request cannot be packed: it fails alone, as if the engine had refused it."""
        self._take_answer(self._requests.handle_unsendable(request_id, error), now)

    def _take_answer(self, answer: Answer | None, now: float) -> None:
        if answer is None:
            return
        if answer.error is not None and answer.error.code == ErrorCode.UNKNOWN_CLIENT:
            self._attach_again(now)
        elif answer.user:
            self._answered(answer)
        elif answer.error is not None:
            self._failed(answer.command, answer.error, now)
        else:
            self._progress(answer, now)

    def handle_timeout(self, now: float) -> None:
        """Whatever is due: attaching, keep-alive, giving the engine up, late commands."""
        for answer in self._requests.take_expired(now):
            if answer.user:
                self._answered(answer)
        if self._is_attached and now - self._last_received_s >= LOST_AFTER_S:
            self._lose(NO_ANSWER, now)
        elif self._is_attached and now >= self._keep_alive_at:
            self._keep_alive_at = now + KEEP_ALIVE_S
            self._ask(KeepAlive(self._seq), now)
        if self._attach_at is not None and now >= self._attach_at:
            self._attach_again(now)

    # --- outputs -----------------------------------------------------------------------------

    def take_requests(self, now: float) -> list[envelope.Request]:
        """Requests to send now, in order."""
        return self._requests.take_requests(now)

    def take_events(self) -> list[ClientEvent]:
        """What has become known since the last call, in order."""
        events, self._events = self._events, []
        return events

    def next_timeout(self) -> float | None:
        """When handle_timeout or take_requests has something to do, if nothing arrives."""
        times = [t for t in (self._attach_at, self._requests.next_timeout()) if t is not None]
        if self._is_attached:
            times += [self._last_received_s + LOST_AFTER_S, self._keep_alive_at]
        return min(times, default=None)

    def _attach_again(self, now: float) -> None:
        self.state = AttachState.WAIT
        self._attach_at = None
        self._snapshot = None
        self._requests.hold()
        self._ask(Attach(self._name, self._role, IPC_VERSION, self._capabilities, self.cursor), now)

    def _lose(self, reason: str, now: float) -> None:
        self.state = AttachState.WAIT
        self._snapshot = None
        self._backlog.clear()
        self._requests.hold()
        self._attach_at = now + RETRY_S
        self._events.append(EngineLost(reason))

    def _failed(self, command: Command, error: CommandError, now: float) -> None:
        if isinstance(command, Attach):
            final = error.code in FINAL_REFUSALS
            self._events.append(Refused(error.code, error.detail, final))
            self.state = AttachState.REFUSED if final else AttachState.WAIT
            self._attach_at = None if final else now + RETRY_S
        elif error.code == ErrorCode.GONE:
            self._attach_again(now)
        elif not isinstance(command, KeepAlive):
            self._requests.hold()
            self.state = AttachState.WAIT
            self._attach_at = now + RETRY_S

    def _progress(self, answer: Answer, now: float) -> None:
        match answer.result:
            case Attached() as attached:
                self._attached(attached, now)
            case SnapshotPart(part=part, data=data) if self._snapshot:
                self._snapshot.handle_part(part, data)
                self._fetch_parts(self._snapshot, now)
            case HistoryPage() as page if self.state == AttachState.SYNC:
                self._take_missed(page, now)
            case EventsPage(data=data):
                self._take_page(data, now)
            case _:
                pass

    def _attached(self, attached: Attached, now: float) -> None:
        self.state = AttachState.SYNC
        self.client = attached.client
        self._last_received_s = now
        self._keep_alive_at = now + KEEP_ALIVE_S
        self._requests.release(now, attached.capabilities)
        if not attached.parts:
            self._head = attached.head_seq
            self._fetch_missed(now)
            return
        try:
            self._snapshot = SnapshotFetch(attached)
            self._fetch_parts(self._snapshot, now)
        except DecodeError as error:
            self._lose(error.reason, now)

    def _fetch_parts(self, snapshot: SnapshotFetch, now: float) -> None:
        if not snapshot.is_complete:
            for request in snapshot.take_requests():
                self._ask(request, now)
            return
        self._snapshot = None
        try:
            view = snapshot.view()
        except DecodeError:
            self._lose("the engine's snapshot is damaged", now)
            return
        attached = snapshot.attached
        self._boot, self._seq, self._head = attached.boot, attached.seq, attached.head_seq
        self._gauges.clear()
        self._events.append(Reset(view, self._boot, self._seq, self.client))
        self._missed_until = view.last_no
        if not self._keeps_up or not self._has_no:
            self._no = view.last_no
            self._has_no = True
        self._fetch_missed(now)

    def _fetch_missed(self, now: float) -> None:
        """Ask for messages that the snapshot stands in for, before any newer event is reported."""
        if self._no < self._missed_until:
            self._ask(FetchHistory(after_no=self._no, limit=MAX_HISTORY_ROWS), now)
        else:
            self._catch_up(now)

    def _take_missed(self, page: HistoryPage, now: float) -> None:
        count = sum(row.no <= self._missed_until for row in page.rows)
        if count:
            self._no = page.rows[count - 1].no
            self._events.append(Missed(page.rows[:count], page.peers[:count]))
        if not page.more or not count:
            self._no = self._missed_until
        self._fetch_missed(now)

    # --- events ------------------------------------------------------------------------------

    def _take_page(self, data: bytes, now: float) -> None:
        before = self._seq
        try:
            if data:
                self._apply(envelope.decode_publication(data), now)
            else:
                self._head = before
        except DecodeError:
            pass
        if data and self._seq == before:
            self._lose("the engine's events are damaged", now)
        self._catch_up(now)

    def _catch_up(self, now: float) -> None:
        """Use what is buffered; go live, or fetch what lies between."""
        while self._backlog and self.state != AttachState.WAIT:
            publication = self._backlog.take()
            if publication.boot == self._boot and not self._apply(publication, now):
                self._backlog.put_back(publication)
                break
        if self.state == AttachState.WAIT:
            return
        if self._seq >= self._head:
            if self.state != AttachState.LIVE:
                self.state = AttachState.LIVE
                self._events.append(Live(self.client))
            return
        if self.state == AttachState.LIVE:
            self.state = AttachState.SYNC
            self._events.append(Behind(self._head - self._seq))
        self._ask(FetchEvents(self._boot, self._seq + 1), now)

    def _apply(self, publication: envelope.Publication, now: float) -> bool:
        """Apply what comes next in it. False: it starts later than that, there is a gap."""
        last = publication.first_seq + len(publication.events) - 1
        self._head = max(self._head, last)
        if publication.first_seq > self._seq + 1:
            return False
        for event in publication.events[self._seq + 1 - publication.first_seq :]:
            self._apply_one(event, now)
        return True

    def _apply_one(self, event: Event, now: float) -> None:
        self._seq += 1
        if isinstance(event, MessagesAdded | MessagesRestored) and event.rows:
            self._no = max(self._no, *(row.no for row in event.rows))
        self._events.append(Changed(self._seq, event))
        if isinstance(event, EngineStopping):
            for answer in self._requests.finish(StopEngine, Done()):
                self._answered(answer)
            self._lose(event.reason, now)

    def _answered(self, answer: Answer) -> None:
        token, command, result = answer.token, answer.command, answer.result
        self._events.append(Answered(token, command, result, answer.error, answer.timed_out))

    def _ask(self, command: Command, now: float) -> None:
        self._requests.ask(command, now, INTERNAL_TIMEOUT_S, user=False)
