"""Owns all state that lives as long as one link to a peer.

That is the ARQ connection, the pair of incarnations, HELLO both ways, and where the peer is. The
object itself is the identity of the link: each operation for the store that a link
requested carries it, and the result counts only while the link is alive. Methods do nothing once
either side has ended the link.
"""

from collections.abc import Callable, Sequence
from functools import partial

from chatnet_engine.addresses import Addr
from chatnet_engine.arq import events as arq
from chatnet_engine.arq.connection import Connection
from chatnet_engine.trace import Code, Kind
from chatnet_protocol.addresses import show_address
from chatnet_protocol.errors import CloseCode
from chatnet_protocol.limits import MESSAGE_OVERHEAD_BYTES
from chatnet_protocol.wire import messages as wire
from chatnet_protocol.wire.frames import Receipt

_CODES = frozenset(CloseCode)
REPORT_EVERY_S = 2.0
"""The peer is sent the loss of our direction at most so often, and without a timer of its own:
what changes it is traffic."""
REPORT_SHARE = 0.25
REPORT_STEP = 0.005
"""Changes smaller than this part of it, or than this, are chance."""
MAX_PATHS = 16
"""Addresses of the peer that are remembered, for those who ask about messages of then."""
_STATE_KEYS = {
    wire.Marks: wire.STATE_MARKS,
    wire.Typing: wire.STATE_TYPING,
    wire.Line: wire.STATE_LINE,
    wire.DisplayName: wire.STATE_NAME,
}


class LinkSession:
    """One live link to a peer: ARQ connection, incarnations, HELLO of both sides, address."""

    def __init__(
        self,
        peer: int,
        connection: Connection,
        incarnations: tuple[int, int],
        addr: Addr,
        touch: Callable[[int], None],
    ) -> None:
        """`incarnations`: ours and the peer's. `touch`: called with the peer whenever there may be
        something to send, or another deadline."""
        self.peer = peer
        self.connection = connection
        self._touch_peer = partial(touch, peer)
        self.may_send = True
        """There may be something to send; False once the connection was asked."""
        self.local_incarnation, self.remote_incarnation = incarnations
        self.addr = addr
        self.paths: list[tuple[float, Addr]] = []
        """Where the peer was from when on, in monotonic seconds."""
        self.numbers_new = True
        """Our incarnation is another one than that of the link before, so the peer may count our
        messages anew."""
        self.hello: wire.Hello | None = None
        """The peer's HELLO, once it is checked and its commit requested."""
        self.first_number = 1
        """Our first message on this link, by the peer's HELLO."""
        self._started = False
        self._over = False
        self.closed: arq.Closed | None = None
        """The peer's CLOSE, once it has arrived."""
        self.name_sent = ""
        """Our display name, as it was last sent on this link."""
        self.loss_in = 0.0
        """Share of its packets that the peer judges lost, as it last reported."""
        self._reported_loss = 0.0
        self._reported_at = float("-inf")
        self._closed_with: int | None = None
        """The code of our CLOSE, if one left."""

    def _touch(self) -> None:
        self.may_send = True
        self._touch_peer()

    @property
    def alive(self) -> bool:
        """Whether neither side has ended it."""
        return not self._over and not self.connection.closed

    @property
    def streaming(self) -> bool:
        """Alive, and HELLO has been exchanged and applied."""
        return self._started and self.alive

    @property
    def source(self) -> str:
        """`ip:port` the peer's messages come from."""
        return show_address(*self.addr)

    @property
    def name(self) -> str:
        """Both incarnations, `ours-theirs` in hex, as people are shown them."""
        return f"{self.local_incarnation:016x}-{self.remote_incarnation:016x}"

    def moved(self, addr: Addr, now_s: float) -> None:
        """The peer is at this address from now on."""
        self.addr = addr
        self.paths.append((now_s, addr))
        del self.paths[:-MAX_PATHS]

    def line(self) -> tuple[float, float]:
        """Smallest round trip in seconds, and share of packets lost."""
        stats = self.connection.stats
        return stats.min_rtt_s, stats.loss_rate

    def close(self, code: int, reason: str) -> None:
        """This side ends it; the CLOSE is the connection's next packet."""
        self.connection.close(code, reason)
        self._touch()
        self._closed_with = code
        self._over = True

    def end(self) -> None:
        """Nothing is done with it from now on."""
        self._over = True
        self._trace_end()
        self.connection.held.release()

    def _trace_end(self) -> None:
        by, code = "nobody", 0
        if self.closed is not None:
            by, code = "peer", self.closed.code
        elif self._closed_with is not None:
            by, code = "me", self._closed_with
        stats = self.connection.stats
        self.connection.trace.add(
            Kind.CONNECTION_CLOSED,
            by=Code(by),
            code=Code(CloseCode(code).name.lower()) if code in _CODES else code,
            was_up=self._started,
            sent=stats.packets_sent,
            received=stats.packets_received,
            lost=stats.packets_lost,
            rtt_ms=stats.smoothed_rtt_s * 1000,
        )

    def take_events(self) -> list[arq.Event]:
        """What the ARQ reports; also what came before the peer's CLOSE, which is the last."""
        return [] if self._over else self.connection.take_events()

    def start(self, mark: int, receipts: Sequence[Receipt], base: int) -> bool:
        """The peer's HELLO is applied: deliver from `mark` + 1, repeat `receipts`, send;
        `base` is the lowest number whose receipt is still news. Whether the link was alive."""
        if not self.alive or self._started:
            return False
        self._started = True
        self.connection.start_receiving(mark + 1)
        self.receipt(receipts)
        self.connection.start_sending(self.first_number, base)
        self._touch()
        return True

    def send_hello(self, hello: wire.Hello) -> None:
        """Ours; it is sent until the peer has it."""
        self.connection.set_hello(wire.encode_hello(hello))
        self._touch()

    def handle_packet(self, number: int, payload: bytes, now_s: float) -> None:
        """A packet of the peer has arrived. Raises RemoteProtocolError, DecodeError."""
        self._touch()
        self.connection.handle_packet(number, payload, now_s)

    def ping(self) -> None:
        """Send something that the peer answers."""
        self.connection.ping()
        self._touch()

    def challenge(self, token: bytes) -> None:
        """Send a PATH_CHALLENGE."""
        self.connection.challenge(token)
        self._touch()

    def receipt(self, receipts: Sequence[Receipt]) -> None:
        """These are committed."""
        if self.streaming:
            for each in receipts:
                self.connection.receipt(each.number, each.ack, each.count)
            self._touch()

    def credit(self, channel: int) -> int:
        """Bytes that may be sent on a channel now."""
        return self.connection.credit(channel) if self.streaming else 0

    def send(self, channel: int, body: bytes) -> None:
        """Say it on a volatile channel; dropped over the window: its owner says it again."""
        if self.credit(channel) >= len(body) + MESSAGE_OVERHEAD_BYTES:
            self.send_batch(channel, [body])

    def send_batch(self, channel: int, batch: Sequence[bytes]) -> None:
        """Messages that fit `credit`."""
        if self.streaming:
            self.connection.queue(channel, batch)
            self._touch()

    def set_state(self, state: wire.State) -> None:
        """Tell the peer; the newest value wins."""
        if self.streaming:
            self.connection.set_state(_STATE_KEYS[type(state)], wire.encode_state(state))
            self._touch()

    def report_loss(self, now_s: float) -> None:
        """Send the peer the loss of our direction, if it has changed."""
        loss, before = self.connection.line.loss_rate, self._reported_loss
        if loss == before or now_s < self._reported_at + REPORT_EVERY_S or not self.streaming:
            return
        if abs(loss - before) >= max(REPORT_STEP, REPORT_SHARE * before):
            self._reported_loss, self._reported_at = loss, now_s
            self.set_state(wire.Line(round(loss * 1000)))
