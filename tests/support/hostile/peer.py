"""A peer with its right key that sends what `hostile.grammar` draws. No sockets, no clock.

    peer = HostilePeer(Random(7), private_key=…, port=5009, target=("10.0.0.1", 5001), now=0.0)
    peer.receive(data, source, now)          # every datagram that reaches it
    peer.send(now, 5)                        # [(datagram, address)]: handshakes, then 5 acts

The link underneath is the product's own (`secure.Endpoint`), so handshakes are right; packets,
acknowledgements and messages are the grammar's. Whether the victim pinned or typed this peer is
the caller's business.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from random import Random

from chatnet_engine.addresses import Addr
from chatnet_engine.secure import events as secure
from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.secure.identity import Identity
from chatnet_protocol.errors import CloseCode, DecodeError, LocalProtocolError
from chatnet_protocol.ipc.rows import MessageKind
from chatnet_protocol.wire import frames, messages, restoring
from hostile.grammar import Act, Grammar, Known, Payload, Quiet, Raw, Relink, hello

THE_VICTIM = 1
GOODBYE = frames.encode_close(CloseCode.SHUTDOWN, "")
NUMBERS_AHEAD = 1000
KEPT_DATAGRAMS = 32
CONFIG = SecureConfig(refused_wait_s=0.5, idle_s=1.0)
"""It does not wait as politely as it should."""


class HostilePeer:
    """One key, one address, one victim."""

    def __init__(
        self,
        random: Random,
        *,
        private_key: bytes,
        port: int,
        target: Addr,
        now: float,
        grammar: Callable[[Random, Known], Grammar] = Grammar,
        hasty: float = 0.0,
    ) -> None:
        """`hasty`: share of links that end with their HELLO and come back as they were."""
        self.random = random
        self.target = target
        self.counts: Counter[str] = Counter()
        """Acts, links, hasty ones, and CLOSE codes that came, by name."""
        self.known = Known()
        self._hasty = hasty
        self._new_grammar = grammar
        self._grammar = grammar(random, self.known)
        self._endpoint = Endpoint(
            identity=Identity.from_private_bytes(private_key),
            incarnation=random.getrandbits(64) | 1,
            local_port=port,
            random=random.randbytes,
            now=now,
            config=CONFIG,
        )
        self._number = 0
        self._greeted = False
        self._quiet_until = float("-inf")
        self._latest: list[bytes] = []
        self._dial(now)

    @property
    def linked(self) -> bool:
        """Whether a session can seal, as far as this side knows."""
        status = self._endpoint.peer_status(THE_VICTIM)
        return status is not None and status.usable

    def receive(self, data: bytes, source: Addr, now: float) -> None:
        """A datagram of the victim."""
        self._endpoint.handle_datagram(data, source, now)
        self._take_events(now)

    def send(self, now: float, acts: int = 1) -> list[tuple[bytes, Addr]]:
        """What leaves now: handshake datagrams, and those of so many acts; fewer without a link."""
        endpoint = self._endpoint
        due = endpoint.next_timeout()
        if due is not None and due <= now:
            endpoint.handle_timeout(now)
        self._take_events(now)
        out: list[tuple[bytes, Addr]] = []
        if now < self._quiet_until:
            return out
        for _ in range(acts):
            if self.linked:
                out += self._perform(self._grammar.next_act(), now)
        return endpoint.take_datagrams() + out

    def _perform(self, act: Act, now: float) -> list[tuple[bytes, Addr]]:
        self.counts[type(act).__name__] += 1
        match act:
            case Payload(payload):
                return self._seal(payload, now)
            case Relink(same, goodbye):
                out = self._seal(GOODBYE, now) if goodbye else []
                self._relink(same, now)
                return out
            case Quiet(seconds):
                self._quiet_until = now + seconds
            case Raw(data, again):
                if again and self._latest:
                    data = self._changed(self.random.choice(self._latest))
                return [(data, self.target)]
        return []

    def _seal(self, payload: bytes, now: float) -> list[tuple[bytes, Addr]]:
        hasty = not self._greeted and self.random.random() < self._hasty
        if not self._greeted:
            payload = hello("mallory") + (GOODBYE if hasty else b"")
        number = self._number + self.random.choice((0, 0, 0, 0, 1, 40))
        try:
            sealed = self._endpoint.seal(THE_VICTIM, number, payload)
        except LocalProtocolError:  # the session is that of the last link, and has come further
            self._number = number + NUMBERS_AHEAD
            return []
        if sealed is None:
            return []
        self._greeted = True
        self._number = number + 1
        self._latest = [*self._latest[1 - KEPT_DATAGRAMS :], sealed[0]]
        if hasty:
            self.counts["hasty"] += 1
            self._relink(True, now)
        return [sealed]

    def _changed(self, data: bytes) -> bytes:
        copy = bytearray(data)
        for _ in range(self.random.randrange(3)):
            copy[self.random.randrange(len(copy))] ^= self.random.randrange(256)
        return bytes(copy)

    def _relink(self, same: bool, now: float) -> None:
        self._endpoint.end_link(THE_VICTIM, now, by_peer=same)
        self._endpoint.hang_up(THE_VICTIM)
        self._dial(now)

    def _dial(self, now: float) -> None:
        self._endpoint.dial(THE_VICTIM, [self.target], now, remote_key=None)

    def _take_events(self, now: float) -> None:
        while events := self._endpoint.take_events():
            for event in events:
                self._handle(event, now)

    def _handle(self, event: secure.Event, now: float) -> None:
        match event:
            case secure.Authenticated():
                self._endpoint.accept(event.attempt, THE_VICTIM, now)
            case secure.LinkUp() if not event.rekey:
                self.counts["links"] += 1
                self.known = Known(ids=self.known.ids, offered=self.known.offered)
                self._grammar = self._new_grammar(self.random, self.known)
                self._number = 0
                self._greeted = False
            case secure.PacketArrived():
                self._note(event.number, event.payload)
            case secure.Refused():
                self.counts["refused"] += 1
            case _:
                pass

    def _note(self, number: int, payload: bytes) -> None:
        known = self.known
        known.packets.append(number)
        known.highest_packet = max(known.highest_packet, number)
        for frame in frames.decode(payload):
            match frame:
                case frames.Messages():
                    last = frame.first_number + len(frame.messages) - 1
                    self._note_messages(frame.channel, frame.messages)
                    if frame.first_number <= known.sent.get(frame.channel, 0) + 1:
                        known.sent[frame.channel] = max(known.sent.get(frame.channel, 0), last)
                case frames.Receipt():
                    known.receipted[0] = max(known.receipted.get(0, 0), frame.number)
                case frames.ChannelReceipt():
                    known.receipted[frame.channel] = frame.number
                case frames.PathChallenge():
                    known.tokens.append(frame.token)
                case frames.Close():
                    self.counts[f"close {frame.code} {frame.reason}"] += 1
                case _:
                    pass

    def _note_messages(self, channel: int, bodies: list[bytes]) -> None:
        for body in bodies:
            with suppress(DecodeError):
                if channel == messages.CHANNEL_CONVERSATION:
                    message = messages.decode_message(body)
                    if message.kind == MessageKind.OFFER:
                        self.known.offers.append(message.id)
                elif channel == messages.CHANNEL_RESTORE:
                    self.known.wants.append(restoring.decode_restoring(body).want)
