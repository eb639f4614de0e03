"""Owns the live view, the numbering of events and what clients can still fetch of them.

Events are numbered densely per boot and packed once; the packed bytes go out on PUB and stay in a
bounded ring. A client that missed more than the ring holds takes a snapshot: the view encoded in
one turn into immutable parts, for everybody who attaches while it is fresh.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from chatnet_engine.clock import Now
from chatnet_engine.deadlines import whole_second
from chatnet_engine.node.effects import Publish
from chatnet_engine.node.event_traces import trace_event
from chatnet_engine.trace import Tracer
from chatnet_protocol import codec
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc.commands import Cursor
from chatnet_protocol.ipc.events import Event, Gauge, MessagesAdded, MessagesDelivered
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_protocol.ipc.view import View
from chatnet_protocol.limits import (
    EVENT_RING_BYTES,
    EVENT_RING_EVENTS,
    HEARTBEAT_INTERVAL_S,
    MAX_EVENT_BYTES,
    MAX_PUBLICATION_BYTES,
    MAX_SNAPSHOT_KEPT_S,
    MAX_SNAPSHOTS,
    MAX_SNAPSHOTS_BYTES,
    SNAPSHOT_FRESH_EVENTS,
    SNAPSHOT_FRESH_S,
    SNAPSHOT_KEPT_S,
)

ROW_OVERHEAD_BYTES = 160
"""Upper bound of a packed row's fields besides its body."""
EVENT_HEADER_BYTES = 256
PAGE_BYTES = MAX_PUBLICATION_BYTES
MAX_SHOWN_FIRST = 8
MAX_RUNS_IN_EVENT = 3000
"""Of at most 28 bytes each, so that the event stays below MAX_EVENT_BYTES."""


@dataclass(slots=True)
class _Snapshot:
    parts: list[bytes]
    made: float
    until: float
    last_no: int
    size_bytes: int


class Publisher:
    """The view and its history of changes, as clients see both."""

    def __init__(self, boot: bytes, view: View, trace: Tracer | None = None) -> None:
        self._trace = trace
        self.boot = boot
        self.view = view
        self.seq = 0
        """Number of the last event; 0 before the first."""
        self._ring: deque[bytes] = deque()
        self._ring_bytes = 0
        self._unpacked: list[Event] = []
        """The newest, in neither of the two yet: what is sent first does not wait for packing."""
        self._unsent: list[bytes] = []
        self._arrived = 0
        """Messages of peers among those."""
        self._gauges: list[Gauge] = []
        self._snapshots: dict[int, _Snapshot] = {}
        self._head_due = 0.0
        self._staged: list[Event] | None = None
        """Events since `begin`, not applied yet."""

    def begin(self) -> None:
        """From now on events wait for `settle`, or are dropped by `roll_back`."""
        if self._staged is not None:
            self.settle()
        self._staged = []

    def settle(self) -> None:
        """What was published since `begin` becomes true, in its order."""
        staged, self._staged = self._staged, None
        for event in staged or ():
            self.publish(event)

    def roll_back(self) -> None:
        """Drop what was published since `begin`."""
        self._staged = None

    def publish(self, event: Event) -> None:
        """Apply and number one event; it goes out at the end of the turn."""
        if self._staged is not None:
            self._staged.append(event)
            return
        if isinstance(event, MessagesAdded) and len(event.rows) > 1:
            for rows in split_rows(event.rows):
                self._publish(MessagesAdded(event.peer, rows[0].no, rows))
        elif isinstance(event, MessagesDelivered) and len(event.runs) > MAX_RUNS_IN_EVENT:
            for start in range(0, len(event.runs), MAX_RUNS_IN_EVENT):
                runs = event.runs[start : start + MAX_RUNS_IN_EVENT]
                self._publish(MessagesDelivered(event.peer, event.delivered_seq, runs))
        else:
            self._publish(event)

    def publish_rows(self, peer: int, rows: list[MessageRow]) -> None:
        """New rows of a peer that is being read again, now: those of others, with higher numbers,
        do not wait, and a client that has seen these asks only for later ones."""
        if rows and self.view.peer(peer):
            self.publish(MessagesAdded(peer, rows[0].no, rows))

    def gauge(self, gauge: Gauge) -> None:
        """Statistics for the next gauge frame; not numbered, not kept."""
        self._gauges.append(gauge)

    def take_urgent(self, now: Now) -> list[Publish]:
        """The same, when a few messages of peers wait: to show them is more urgent than to send
        their receipts, and packing them takes no time."""
        return self.take_effects(now) if 0 < self._arrived <= MAX_SHOWN_FIRST else []

    def take_effects(self, now: Now) -> list[Publish]:
        """Publications of what has happened, and the head every HEARTBEAT_INTERVAL_S."""
        out: list[Publish] = []
        if self._unpacked:
            self._pack()
        if self._unsent:
            first = self.seq - len(self._unsent) + 1
            for start, packed in _pages(self._unsent, PAGE_BYTES):
                frame = envelope.join_publication(self.boot, first + start, packed)
                out.append(Publish(envelope.TOPIC_EVENTS, frame))
            self._unsent.clear()
            self._arrived = 0
        if self._gauges:
            frame = codec.pack(envelope.GaugeFrame(self.boot, self._gauges))
            out.append(Publish(envelope.TOPIC_GAUGES, frame))
            self._gauges = []
        if now.mono_s >= self._head_due:
            self._head_due = whole_second(now.mono_s + HEARTBEAT_INTERVAL_S)
            out.append(Publish(envelope.TOPIC_HEAD, codec.pack(self.head())))
            for seq in [s for s, snap in self._snapshots.items() if snap.until <= now.mono_s]:
                del self._snapshots[seq]
        return out

    def head(self) -> envelope.Heartbeat:
        """The present, as the heartbeat tells it."""
        return envelope.Heartbeat(self.boot, self.seq, self.view.last_no)

    def next_timeout(self) -> float:
        """When the next head is due."""
        return self._head_due

    def covers(self, cursor: Cursor | None) -> bool:
        """Whether the ring holds every event after the cursor."""
        self._pack()
        return (
            cursor is not None
            and cursor.boot == self.boot
            and self.seq - len(self._ring) <= cursor.seq <= self.seq
        )

    def open_snapshot(
        self, now: Now, after_no: int = 0, *, current: bool = False
    ) -> tuple[int, int]:
        """A snapshot to fetch: its event number and how many parts it has.

        One that is still fresh, and whose later events are all in the ring, serves again; but not
        for a client that has seen a later message than it, `after_no`, and must not get one twice,
        nor when it has to be `current`, because no events will follow it.
        """
        self._pack()
        for seq, snapshot in self._snapshots.items():
            fresh = now.mono_s < snapshot.made + SNAPSHOT_FRESH_S
            most_later = 0 if current else min(SNAPSHOT_FRESH_EVENTS, len(self._ring))
            few_later = self.seq - seq <= most_later
            if fresh and few_later and after_no <= snapshot.last_no:
                snapshot.until = max(snapshot.until, now.mono_s + SNAPSHOT_KEPT_S)
                return seq, len(snapshot.parts)
        parts = self.view.pack_parts()
        until = now.mono_s + SNAPSHOT_KEPT_S
        size = sum(map(len, parts))
        self._snapshots.pop(self.seq, None)
        self._snapshots[self.seq] = _Snapshot(parts, now.mono_s, until, self.view.last_no, size)
        self._bound_snapshots()
        return self.seq, len(parts)

    def snapshot_part(self, boot: bytes, seq: int, part: int, now: Now) -> bytes:
        """Raises CommandError(gone) when the snapshot is not kept any more: attach again."""
        snapshot = self._snapshots.get(seq) if boot == self.boot else None
        if snapshot is None or not 0 <= part < len(snapshot.parts):
            raise CommandError(ErrorCode.GONE, "That snapshot is gone; attach again.")
        latest = snapshot.made + MAX_SNAPSHOT_KEPT_S
        snapshot.until = max(snapshot.until, min(now.mono_s + SNAPSHOT_KEPT_S, latest))
        return snapshot.parts[part]

    def _bound_snapshots(self) -> None:
        """The oldest go, but never the one just made."""
        sizes = [snapshot.size_bytes for snapshot in self._snapshots.values()]
        while len(sizes) > 1 and (len(sizes) > MAX_SNAPSHOTS or sum(sizes) > MAX_SNAPSHOTS_BYTES):
            del self._snapshots[next(iter(self._snapshots))]
            del sizes[0]

    def events_page(self, boot: bytes, first_seq: int) -> bytes:
        """A publication that starts at `first_seq`; empty bytes when nothing is newer.

        Raises CommandError(gone) when the ring does not reach back that far.
        """
        self._pack()
        oldest = self.seq - len(self._ring) + 1
        if boot != self.boot or first_seq < oldest or first_seq > self.seq + 1:
            raise CommandError(ErrorCode.GONE, "Those events are gone; attach again.")
        packed: list[bytes] = []
        size = 0
        for index in range(first_seq - oldest, len(self._ring)):
            event = self._ring[index]
            size += len(event)
            if packed and size > PAGE_BYTES:
                break
            packed.append(event)
        return envelope.join_publication(self.boot, first_seq, packed) if packed else b""

    def _publish(self, event: Event) -> None:
        if self._trace is not None:
            trace_event(self._trace, event, self.view)
        self.view.apply(event)
        if isinstance(event, MessagesAdded) and not event.rows[0].mine:
            self._arrived += len(event.rows)
        self.seq += 1
        self._unpacked.append(event)

    def _pack(self) -> None:
        for event in self._unpacked:
            packed = envelope.pack_event(event)
            self._unsent.append(packed)
            self._ring.append(packed)
            self._ring_bytes += len(packed)
        self._unpacked.clear()
        while self._ring_bytes > EVENT_RING_BYTES or len(self._ring) > EVENT_RING_EVENTS:
            self._ring_bytes -= len(self._ring.popleft())


def split_rows(rows: Sequence[MessageRow]) -> list[list[MessageRow]]:
    """Consecutive groups of rows, each small enough for one event of MAX_EVENT_BYTES."""
    groups: list[list[MessageRow]] = [[]]
    size = EVENT_HEADER_BYTES
    for row in rows:
        row_bytes = len(row.body) + ROW_OVERHEAD_BYTES
        if groups[-1] and size + row_bytes > MAX_EVENT_BYTES:
            groups.append([])
            size = EVENT_HEADER_BYTES
        groups[-1].append(row)
        size += row_bytes
    return [group for group in groups if group]


def _pages(packed: Sequence[bytes], limit: int) -> list[tuple[int, list[bytes]]]:
    pages: list[tuple[int, list[bytes]]] = []
    size = 0
    for index, event in enumerate(packed):
        if not pages or size + len(event) > limit:
            pages.append((index, []))
            size = 0
        pages[-1][1].append(event)
        size += len(event)
    return pages
